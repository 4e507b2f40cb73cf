/** Changes the key of a log of a host, for a test that kills it: `node rotate-child.ts DATA LOG`. */
import { dataLayout } from '../../src/install/layout.ts';
import { rotateHostLog } from '../../src/install/log-rotation-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';

const [data = '', log = ''] = process.argv.slice(2);
const issuedAt = '2026-02-01T00:00:00.000Z';
await rotateHostLog({ layout: dataLayout(data), log, issuedAt, surroundings: systemSurroundings() });
