/** Changes what is active, for a test that kills it: `node apply-child.ts apply|rollback DATA BUNDLE|CHANNEL`. */
import { applyBundle } from '../../src/install/apply-io.ts';
import { openInstall } from '../../src/install/install-io.ts';
import { rollBack } from '../../src/install/rollback-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';

const [what = '', data = '', subject = ''] = process.argv.slice(2);
const actor = { type: 'process', id: 'test' } as const;
const install = await openInstall(data, '2026-01-01T00:00:00.000Z', systemSurroundings(), actor);
const options = {
  toolVersion: '0.1.0',
  content: async () => ({ ok: true, reason: 'not looked at' }),
  confirm: async () => true,
  reason: 'a test',
};
const { status } =
  what === 'apply' ? await applyBundle(install, subject, 'bundle', options) : await rollBack(install, subject, options);
await install[Symbol.asyncDispose]();
process.exitCode = status === 'applied' || status === 'rolled-back' ? 0 : 1;
