import type * as keys from '../../src/core/keys.ts';
import type * as surroundings from '../../src/ledger/surroundings-io.ts';
import type * as writing from '../../src/ledger/writer-io.ts';
import { compiled } from '../support/compiled.ts';

const { parsePrivateKey } = await compiled<typeof keys>('core/keys.js');
const { systemSurroundings } = await compiled<typeof surroundings>('ledger/surroundings-io.js');
const { openLedgerWriter } = await compiled<typeof writing>('ledger/writer-io.js');

// Appends to the log named on the command line, with the key that follows as PEM, many entries at a time, and prints
// each one that is acknowledged.
const [directory = '', pem = ''] = process.argv.slice(2);
const writer = await openLedgerWriter({ directory, key: parsePrivateKey(pem), ...systemSurroundings() });

async function appendForever(worker: number): Promise<void> {
  for (let i = 0; ; i += 1) {
    const data = { worker, i, text: 'x'.repeat((i * 37) % 500) };
    const { seq, leaf } = await writer.append({ type: 'process.start', actor: { type: 'process', id: 'child' }, data });
    process.stdout.write(`${seq} ${leaf}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, worker) => appendForever(worker)));
