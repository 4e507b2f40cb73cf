import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decryptWith, encryptTo } from '../../src/seal/age-files.ts';
import { hasTool } from '../support/cli.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';

/** One buffer, used again, as readers of files do. */
async function* pieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  const room = new Uint8Array(size);
  for (let from = 0; from < bytes.length; from += size) {
    const piece = bytes.subarray(from, from + size);
    room.set(piece);
    yield room.subarray(0, piece.length);
    room.fill(0xee);
  }
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(new Uint8Array(part));
  return new Uint8Array(Buffer.concat(parts));
}

async function person() {
  const identity = await generateIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
}

const CONTENT = new Uint8Array(Buffer.from('what is inside '.repeat(20_000)));

describe('files encrypted to people', () => {
  it('open for each of them, and for nobody else', async () => {
    const [a, b, c] = [await person(), await person(), await person()];
    const file = await all(encryptTo(pieces(CONTENT), [a.recipient, b.recipient]));
    expect(await all(decryptWith(pieces(file), [a.identity]))).toEqual(CONTENT);
    expect(await all(decryptWith(pieces(file, 65_536), [c.identity, b.identity]))).toEqual(CONTENT);
    await expectCodeAsync(all(decryptWith(pieces(file), [c.identity])), 'IDENTITY_UNSUITABLE');
  });

  it('that were cut or changed anywhere are refused, never a shorter file', async () => {
    const { identity, recipient } = await person();
    const content = CONTENT.subarray(0, 200_000);
    const file = await all(encryptTo(pieces(content), [recipient]));
    const opening = (bytes: Uint8Array) =>
      all(decryptWith(pieces(bytes, 10_000), [identity])).then(
        () => 'opened',
        (error: { code?: string }) => error.code,
      );
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const changed = file.slice();
        changed[at] = (changed[at] ?? 0) ^ mask;
        // In the header it may be that it is no longer for us.
        expect(['SEALED_DAMAGED', 'IDENTITY_UNSUITABLE']).toContain(await opening(changed));
        expect(['SEALED_DAMAGED', 'IDENTITY_UNSUITABLE']).toContain(await opening(file.subarray(0, at)));
      }),
      { numRuns: runs(40, 2000) },
    );
    expect(await opening(new Uint8Array([...file, 0]))).toBe('SEALED_DAMAGED');
  });

  it('with a header that does not end are refused before memory is gone', async () => {
    const { identity } = await person();
    async function* endless() {
      yield Buffer.from('age-encryption.org/v1\n-> X25519 ');
      for (let i = 0; i < 1_000_000; i++) yield Buffer.alloc(65_536, 'a');
    }
    await expectCodeAsync(all(decryptWith(endless(), [identity])), 'SEALED_DAMAGED');
  });

  it('hand on what the source and the reader say', async () => {
    const { identity, recipient } = await person();
    const file = await all(encryptTo(pieces(CONTENT), [recipient]));
    const stop = Object.assign(new Error('enough'), { name: 'AbortError' });
    async function* failing() {
      yield file.subarray(0, 100_000);
      throw stop;
    }
    await expect(all(decryptWith(failing(), [identity]))).rejects.toBe(stop);
    await expectCodeAsync(all(encryptTo(pieces(CONTENT), ['age1nobody'])), 'RECIPIENT_MALFORMED');
    await expectCodeAsync(all(decryptWith(pieces(file), ['AGE-SECRET-KEY-1NOBODY'])), 'IDENTITY_MALFORMED');
  });

  const hasAge = hasTool('age');
  it.skipIf(!hasAge)('open with the age tool, and open what it encrypted (skipped without age)', async () => {
    const { identity, recipient } = await person();
    const folder = tempDirectory();
    const at = (name: string) => join(folder, name);
    writeFileSync(at('key'), `${identity}\n`);
    writeFileSync(at('ours.age'), await all(encryptTo(pieces(CONTENT), [recipient])));
    const opened = execFileSync('age', ['--decrypt', '-i', at('key'), at('ours.age')], { maxBuffer: 1e7 });
    expect(new Uint8Array(opened)).toEqual(CONTENT);
    writeFileSync(at('plain'), CONTENT);
    execFileSync('age', ['-r', recipient, '-o', at('theirs.age'), at('plain')], { stdio: 'pipe' });
    expect(await all(decryptWith(pieces(readFileSync(at('theirs.age'))), [identity]))).toEqual(CONTENT);
  });
});
