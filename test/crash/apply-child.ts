/** Applies a bundle, for a test that kills it: `node apply-child.ts DATA BUNDLE`. */
import { applyBundle } from '../../src/install/apply-io.ts';
import { openInstall } from '../../src/install/install-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';

const [data = '', bundle = ''] = process.argv.slice(2);
const install = await openInstall(data, '2026-01-01T00:00:00.000Z', systemSurroundings(), {
  type: 'process',
  id: 'test',
});
const outcome = await applyBundle(install, bundle, 'bundle', {
  toolVersion: '0.1.0',
  content: async () => ({ ok: true, reason: 'not looked at' }),
  confirm: async () => true,
});
await install[Symbol.asyncDispose]();
process.exitCode = outcome.status === 'applied' ? 0 : 1;
