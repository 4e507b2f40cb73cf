import { createHash } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Hasher } from '../../src/bundle/hasher-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const MIB = 1024 * 1024;
const BYTES = new Uint8Array(3 * MIB + 17).map((_, i) => (i * 31) >> 7);
const hexOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function openBytes(): number {
  const path = join(tempDirectory(), 'bytes');
  writeFileSync(path, BYTES);
  return openSync(path, 'r');
}

function start(): Hasher {
  const hasher = Hasher.start(2);
  if (hasher === undefined) throw new Error('there is no thread here');
  return hasher;
}

describe('Hasher', () => {
  it('hashes stretches of a file as they lie there', async () => {
    const fd = openBytes();
    const hasher = start();
    expect(hasher.idle).toBe(true);
    const stretches = [
      [0, BYTES.length],
      [0, 0],
      [1, 5],
      [MIB - 1, MIB + 2],
      [BYTES.length - 1, 1],
    ] as const;
    const hashing = stretches.map(([from, size]) => hasher.sha256({ fd, from, size }));
    expect(hasher.idle).toBe(false);
    expect(await Promise.all(hashing)).toEqual(
      stretches.map(([from, size]) => hexOf(BYTES.subarray(from, from + size))),
    );
    await hasher.close();
    closeSync(fd);
  });

  it('gives another digest for a file that is shorter than it was', async () => {
    const fd = openBytes();
    const hasher = start();
    expect(await hasher.sha256({ fd, from: 0, size: BYTES.length + 1 })).toBe(hexOf(BYTES));
    expect(await hasher.sha256({ fd, from: BYTES.length, size: 10 })).toBe(hexOf(new Uint8Array()));
    await hasher.close();
    closeSync(fd);
  });

  it('gives the same answer when its thread dies: then this one reads', async () => {
    const fd = openBytes();
    const hasher = start();
    // A descriptor that is none ends the thread; the job itself fails here too, as it should.
    await expect(hasher.sha256({ fd: -1, from: 0, size: 1 })).rejects.toThrow();
    expect(hasher.idle).toBe(false);
    expect(await hasher.sha256({ fd, from: 0, size: BYTES.length })).toBe(hexOf(BYTES));
    await hasher.close();
    closeSync(fd);
  });

  it('once closed reads nothing any more', async () => {
    const fd = openBytes();
    const hasher = start();
    const waiting = expectCodeAsync(hasher.sha256({ fd, from: 0, size: BYTES.length }), 'THREAD_ENDED');
    await hasher.close();
    await waiting;
    await expectCodeAsync(hasher.sha256({ fd, from: 0, size: 1 }), 'THREAD_ENDED');
    closeSync(fd);
  });

  it('is not there on one core', () => {
    expect(Hasher.start(1)).toBeUndefined();
  });
});
