import { openSync } from 'node:fs';
import { join } from 'node:path';
import { createDirectoryDurably, renameDurably, syncDirectory, writeFileDurably } from '../../src/durable/files-io.ts';
import { mustWriteThrough } from '../../src/durable/write-through-io.ts';
import { openLedgerFile } from '../../src/ledger/ledger-file-io.ts';

// Does everything durable in the directory named on the command line, behind the fence that procmond has.
const directory = process.argv[2] ?? '';
const at = (name: string) => join(directory, name);
const text = (content: string) => new TextEncoder().encode(content);
if (!mustWriteThrough()) throw new Error('there is no fence');
process.umask(0o077);
writeFileDurably(at('file'), [text('on'), text('e')], { mode: 0o640 });
writeFileDurably(at('file'), text('two'), { mode: 0o644 });
writeFileDurably(at('empty'), new Uint8Array());
createDirectoryDurably(at('a/b'));
writeFileDurably(at('a/old'), text('moved'));
renameDurably(at('a/old'), at('a/b/new'));
renameDurably(at('a/b'), at('a/c'));
syncDirectory(directory);
const log = await openLedgerFile(at('log'));
await log.write(text('lines\nnot yet'), 0);
await log.truncate(6);
await log.sync();
await log.close();
// The fence is real: it refuses what we no longer ask for.
try {
  (await import('node:fs')).fsyncSync(openSync(at('file'), 'r'));
} catch (error) {
  process.stdout.write(String((error as { code?: unknown }).code));
}
