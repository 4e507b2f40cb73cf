import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSynchronousFile } from '../../src/collector/permission-model-io.ts';
import { openLedgerFile } from '../../src/ledger/ledger-file-io.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';

const step = fc.oneof(
  fc.record({
    do: fc.constant('write' as const),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 50 }),
    at: fc.nat(80),
  }),
  fc.record({ do: fc.constant('truncate' as const), at: fc.nat(120) }),
  fc.record({ do: fc.constant('sync' as const) }),
);

describe('a file that is synchronised by writing', () => {
  it('has the same content as any other, whatever is done in whatever order', async () => {
    const directory = tempDirectory();
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        number += 1;
        const contents = [];
        for (const open of [openSynchronousFile, openLedgerFile]) {
          const path = join(directory, `${number}-${open.name}`);
          const file = await open(path);
          for (const next of steps) {
            if (next.do === 'write') await file.write(next.bytes, next.at);
            else if (next.do === 'truncate') await file.truncate(next.at);
            else await file.sync();
          }
          await file.sync();
          await file.close();
          contents.push(readFileSync(path));
        }
        expect(contents[0]).toEqual(contents[1]);
      }),
      { numRuns: runs(60, 2000) },
    );
  });

  it('goes on where a file ends, and throws as node:fs does', async () => {
    const directory = tempDirectory();
    const path = join(directory, 'a');
    writeFileSync(path, 'one');
    const file = await openSynchronousFile(path);
    await file.write(Buffer.from('two'), 3);
    await file.sync();
    await file.close();
    expect(readFileSync(path, 'utf8')).toBe('onetwo');
    mkdirSync(join(directory, 'b'));
    await expect(openSynchronousFile(join(directory, 'b'))).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
