import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import { openLedgerWriter } from '../../src/ledger/writer-io.ts';
import { testKey } from '../support/keys.ts';

// Appends to the log named on the command line, many entries at a time, and prints each one that is acknowledged.
const writer = await openLedgerWriter({
  directory: process.argv[2] ?? '',
  key: testKey('log'),
  ...systemSurroundings(),
});

async function appendForever(worker: number): Promise<void> {
  for (let i = 0; ; i += 1) {
    const data = { worker, i, text: 'x'.repeat((i * 37) % 500) };
    const { seq, leaf } = await writer.append({ type: 'process.start', actor: { type: 'process', id: 'child' }, data });
    process.stdout.write(`${seq} ${leaf}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, worker) => appendForever(worker)));
