// `npm test [-- ARGUMENT…]`: types, lint, tests; arguments go to vitest. Stops at the first failure.
import { join } from 'node:path';
import { MODULES, pinnedNode, ROOT, toolEnvironment } from './runtime.mjs';
import { main, setup } from './setup.mjs';
import { announce, capture, handOver } from './steps.mjs';

const STEPS = [
  ['types', 'typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json']],
  ['lint', '@biomejs/biome/bin/biome', ['check', '--error-on-warnings']],
];

await main(async () => {
  await setup();
  const options = { cwd: ROOT, env: toolEnvironment() };
  for (const [name, tool, args] of STEPS) {
    const step = announce(name);
    const { ok, output } = await capture(pinnedNode(), [join(MODULES, tool), ...args], options);
    if (!ok) {
      step.failed();
      process.stdout.write(`${output.trimEnd()}\n`);
      return 1;
    }
    step.done(`${name}: ok`);
  }
  return handOver(pinnedNode(), [join(MODULES, 'vitest/vitest.mjs'), 'run', ...process.argv.slice(2)], options);
});
