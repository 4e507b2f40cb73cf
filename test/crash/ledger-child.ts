import { DaemonEyeError } from '../../src/core/errors.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import { openLedgerWriter } from '../../src/ledger/writer-io.ts';
import { testKey } from '../support/keys.ts';

// `create` makes the log named on the command line; `append` appends to it until that fails, one entry at a time. Says
// what was acknowledged and how it ended.
const [directory = '', what] = process.argv.slice(2);
const key = testKey('log');

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
