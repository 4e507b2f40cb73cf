import type * as errors from '../../src/core/errors.ts';
import type * as keys from '../../src/core/keys.ts';
import type * as creating from '../../src/ledger/create-io.ts';
import type * as surroundings from '../../src/ledger/surroundings-io.ts';
import type * as writing from '../../src/ledger/writer-io.ts';
import { compiled } from '../support/compiled.ts';

const { DaemonEyeError } = await compiled<typeof errors>('core/errors.js');
const { parsePrivateKey } = await compiled<typeof keys>('core/keys.js');
const { createLedger } = await compiled<typeof creating>('ledger/create-io.js');
const { systemSurroundings } = await compiled<typeof surroundings>('ledger/surroundings-io.js');
const { openLedgerWriter } = await compiled<typeof writing>('ledger/writer-io.js');

// `create` makes the log named on the command line; `append` appends to it until that fails, one entry at a time. Says
// what was acknowledged and how it ended. The key comes as PEM.
const [directory = '', what, pem = ''] = process.argv.slice(2);
const key = parsePrivateKey(pem);

async function append(): Promise<void> {
  const writer = await openLedgerWriter({ directory, key, ...systemSurroundings() });
  for (let i = 0; i < 200; i += 1) {
    await writer.append({ type: 'process.start', actor: { type: 'process', id: 'child' }, data: { i } });
    process.stdout.write(`acknowledged ${i}\n`);
    await writer.head();
  }
}

try {
  const createdAt = '2026-01-01T00:00:00.000Z';
  if (what === 'create') createLedger({ directory, host: 'h', origin: 'example/h', hash: 'blake3', key, createdAt });
  else await append();
} catch (error) {
  process.stdout.write(`failed ${error instanceof DaemonEyeError ? error.code : String(error)}\n`);
  process.exitCode = 1;
}
