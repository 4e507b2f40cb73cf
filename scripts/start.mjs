// `npm start`: from a fresh clone to a running tour.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pinnedNode, ROOT, toolEnvironment } from './runtime.mjs';
import { main, setup } from './setup.mjs';
import { handOver } from './steps.mjs';

const TOUR = join(ROOT, 'scripts', 'tour', 'main.ts');

await main(async () => {
  await setup();
  if (existsSync(TOUR)) return handOver(pinnedNode(), [TOUR, ...process.argv.slice(2)], { env: toolEnvironment() });
  process.stdout.write('ready: bin/daemoneye --help\n');
  return 0;
});
