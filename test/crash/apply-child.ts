/** Changes what is active, for a test that kills it: `node apply-child.ts apply|rollback DATA BUNDLE|CHANNEL`. */
import type * as apply from '../../src/install/apply-io.ts';
import type * as opening from '../../src/install/install-io.ts';
import type * as rollback from '../../src/install/rollback-io.ts';
import type * as surroundings from '../../src/ledger/surroundings-io.ts';
import { compiled } from '../support/compiled.ts';

const { applyBundle } = await compiled<typeof apply>('install/apply-io.js');
const { openInstall } = await compiled<typeof opening>('install/install-io.js');
const { rollBack } = await compiled<typeof rollback>('install/rollback-io.js');
const { systemSurroundings } = await compiled<typeof surroundings>('ledger/surroundings-io.js');

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
