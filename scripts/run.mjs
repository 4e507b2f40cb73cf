// `node scripts/run.mjs SCRIPT [ARGUMENT…]`: sets up, then runs a script of ours on the pinned Node.js.
import { resolve } from 'node:path';
import { pinnedNode, toolEnvironment } from './runtime.mjs';
import { main, setup } from './setup.mjs';
import { handOver } from './steps.mjs';

await main(async () => {
  await setup();
  const [script, ...args] = process.argv.slice(2);
  return handOver(pinnedNode(), [resolve(script ?? ''), ...args], { env: toolEnvironment() });
});
