/** Changes the key of a log of a host, for a test that kills it: `node rotate-child.ts DATA LOG`. */
import type * as layouts from '../../src/install/layout.ts';
import type * as rotating from '../../src/install/log-rotation-io.ts';
import type * as surroundings from '../../src/ledger/surroundings-io.ts';
import { compiled } from '../support/compiled.ts';

const { dataLayout } = await compiled<typeof layouts>('install/layout.js');
const { rotateHostLog } = await compiled<typeof rotating>('install/log-rotation-io.js');
const { systemSurroundings } = await compiled<typeof surroundings>('ledger/surroundings-io.js');

const [data = '', log = ''] = process.argv.slice(2);
const issuedAt = '2026-02-01T00:00:00.000Z';
await rotateHostLog({ layout: dataLayout(data), log, issuedAt, surroundings: systemSurroundings() });
