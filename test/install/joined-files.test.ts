import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlobReceiver } from '../../src/bundle/blob-receiver.ts';
import { expectedBlobs, type IndexEntry } from '../../src/bundle/index-lines.ts';
import { createStaging } from '../../src/install/staging-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';

/** Entries here have chunks of any size: what an index may say of them is for `parseIndex`. */

const hexOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const bytesOf = (text: string) => Buffer.from(text);
const PIECE = 7;

type Source = { readonly entries: readonly IndexEntry[]; readonly blobs: ReadonlyMap<string, Uint8Array> };

/** Files as lists of chunks; one chunk is a file that is not cut. */
function sourceOf(files: Readonly<Record<string, readonly string[]>>): Source {
  const blobs = new Map<string, Uint8Array>();
  const entries = Object.entries(files).map(([path, parts]): IndexEntry => {
    const chunks = parts.map(bytesOf);
    const whole = Buffer.concat(chunks);
    for (const chunk of chunks) blobs.set(hexOf(chunk), chunk);
    const entry = { path, mode: '0644', size: whole.length, sha256: hexOf(whole) } as const;
    if (chunks.length === 1) return entry;
    return { ...entry, chunks: chunks.map((chunk) => ({ sha256: hexOf(chunk), size: chunk.length })) };
  });
  return { entries, blobs };
}

async function* pieces(bytes: Uint8Array) {
  // One buffer, reused: what a reader hands over is valid only until the next piece.
  const room = new Uint8Array(PIECE);
  for (let from = 0; from < bytes.length; from += PIECE) {
    const piece = bytes.subarray(from, from + PIECE);
    room.set(piece);
    yield room.subarray(0, piece.length);
    room.fill(0xee);
  }
}

type Plan = {
  readonly order?: readonly string[];
  readonly onBytes?: (bytes: number) => void;
  readonly prepare?: (blobs: string) => void;
};

/** Stages what is given, in the order given, and lays it out. @returns the files by path */
async function lay({ entries, blobs }: Source, plan: Plan = {}) {
  const parent = tempDirectory();
  try {
    await using staging = createStaging(parent, false);
    plan.prepare?.(staging.blobs);
    const receiver = new BlobReceiver(expectedBlobs(entries), staging.sink(entries, plan.onBytes ?? (() => undefined)));
    try {
      for (const sha256 of plan.order ?? blobs.keys()) {
        const bytes = blobs.get(sha256) ?? new Uint8Array();
        await receiver.receive(sha256, bytes.length, pieces(bytes));
      }
      const findings = await receiver.finish();
      await staging.materialise(entries);
      const files = Object.fromEntries(
        entries.map(({ path }) => {
          expect((statSync(join(staging.files, path)).mode & 0o777).toString(8)).toBe('644');
          return [path, readFileSync(join(staging.files, path), 'utf8')];
        }),
      );
      return { findings, files, left: readdirSync(staging.blobs) };
    } catch (thrown) {
      await receiver.abandon();
      throw thrown;
    }
  } finally {
    expect(readdirSync(parent)).toEqual([]);
  }
}

describe('files in chunks', () => {
  it('are put together in whatever order their chunks come, shared or repeated', async () => {
    const text = fc.stringMatching(/^[a-c]{1,30}$/);
    const file = fc.array(text, { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.nat()),
        async (all, chance) => {
          const source = sourceOf(Object.fromEntries(all.map((parts, i) => [`file-${i}`, parts])));
          const order = [...source.blobs.keys()]
            .map((sha256) => [chance.next().value ?? 0, sha256] as const)
            .sort(([a], [b]) => a - b)
            .map(([, sha256]) => sha256);
          const { files, findings, left } = await lay(source, { order });
          expect(findings).toEqual({ missing: [], mismatched: [] });
          expect(files).toEqual(Object.fromEntries(all.map((parts, i) => [`file-${i}`, parts.join('')])));
          // Not a byte of a second copy stays.
          expect(left).toEqual([]);
        },
      ),
      { numRuns: runs(40, 1000) },
    );
  });

  it('are hashed as a whole, and every byte of them told', async () => {
    let told = 0;
    const onBytes = (bytes: number) => {
      told += bytes;
    };
    await lay(sourceOf({ big: ['one', 'two', 'one'], small: ['two'] }), { onBytes });
    expect(told).toBe('onetwoone'.length);
  });

  it('are refused when each chunk is as signed and the whole is not', async () => {
    const { entries, blobs } = sourceOf({ big: ['one', 'two'] });
    const lying = entries.map((entry) => ({ ...entry, sha256: hexOf(bytesOf('something harmless')) }));
    await expectCodeAsync(lay({ entries: lying, blobs }), 'BLOB_MISMATCH');
  });

  it('are refused when the signed chunks stand in another order than the signed whole has them', async () => {
    const { entries, blobs } = sourceOf({ big: ['one', 'two'] });
    const turned = entries.map((entry) => ({ ...entry, chunks: entry.chunks?.toReversed() ?? [] }));
    await expectCodeAsync(lay({ entries: turned, blobs }), 'BLOB_MISMATCH');
  });

  it('are refused when a chunk never came, or came as something else', async () => {
    const source = sourceOf({ big: ['one', 'two', 'six'] });
    const order = [...source.blobs.keys()];
    await expectCodeAsync(lay(source, { order: order.slice(0, 2) }), 'BLOB_MISMATCH');
    await expectCodeAsync(lay(source, { order: order.slice(1) }), 'BLOB_MISMATCH');
    const changed = new Map(source.blobs).set(hexOf(bytesOf('two')), bytesOf('TWO'));
    await expectCodeAsync(lay({ ...source, blobs: changed }), 'BLOB_MISMATCH');
  });

  it('do not follow what lies in their place, and go over what a killed run left', async () => {
    const outside = join(tempDirectory(), 'outside');
    writeFileSync(outside, 'mine');
    const { files } = await lay(sourceOf({ big: ['one', 'two'], next: ['six', 'ten'] }), {
      prepare: (blobs) => {
        symlinkSync(outside, join(blobs, '.joined-0'));
        writeFileSync(join(blobs, '.joined-1'), 'half of something longer');
      },
    });
    expect(files).toEqual({ big: 'onetwo', next: 'sixten' });
    expect(readFileSync(outside, 'utf8')).toBe('mine');
  });

  it('end when who waits wants it', async () => {
    const ending = lay(sourceOf({ big: ['one', 'two'] }), {
      onBytes: () => {
        throw new Error('enough');
      },
    });
    await expect(ending).rejects.toThrow('enough');
  });

  it('say what the disk said', async () => {
    const prepare = (blobs: string) => mkdirSync(join(blobs, '.joined-0'));
    await expectCodeAsync(lay(sourceOf({ big: ['one', 'two'] }), { prepare }), 'IO');
  });
});

describe('staging', () => {
  const MIB = 1024 * 1024;
  const large = (seed: number) => new Uint8Array(6 * MIB).fill(seed);
  const hex = [1, 2, 3, 4].map((seed) => hexOf(large(seed)));
  const chunks = [0, 1].map((i) => ({ sha256: hex[i] ?? '', size: 6 * MIB }));
  const whole = hexOf(Buffer.concat([large(1), large(2)]));
  const entries: IndexEntry[] = [
    { path: 'big', mode: '0755', size: 12 * MIB, sha256: whole, chunks },
    ...[2, 3].map((i) => ({ path: `f${i}`, mode: '0644' as const, size: 6 * MIB, sha256: hex[i] ?? '' })),
  ];

  /** @param change of what the container delivers under the name of blob `i` */
  async function stage(cores: number, change: (i: number, bytes: Uint8Array) => Uint8Array) {
    await using staging = createStaging(tempDirectory(), false, { cores });
    const receiver = new BlobReceiver(
      expectedBlobs(entries),
      staging.sink(entries, () => undefined),
    );
    for (const [i, sha256] of hex.entries()) {
      const bytes = change(i, large(i + 1));
      await receiver.receive(sha256, 6 * MIB, large1MiB(bytes));
    }
    const findings = await receiver.finish();
    const left = readdirSync(staging.blobs).filter((name) => !name.startsWith('.joined'));
    const files = findings.mismatched.length === 0 ? await staging.materialise(entries) : undefined;
    const made = files === undefined && existsSync(join(staging.files, 'big'));
    return { findings, left, big: made ? hexOf(readFileSync(join(staging.files, 'big'))) : undefined };
  }

  async function* large1MiB(bytes: Uint8Array) {
    for (let from = 0; from < bytes.length; from += MIB) yield bytes.subarray(from, from + MIB);
  }

  it.each([1, 2])('comes to the same on %i cores', async (cores) => {
    const { findings, big } = await stage(cores, (_, bytes) => bytes);
    expect(findings).toEqual({ missing: [], mismatched: [] });
    expect(big).toBe(whole);
  });

  it.each([
    [1, 0],
    [1, 3],
    [2, 0],
    [2, 1],
    [2, 2],
    [2, 3],
  ])('on %i cores finds the one bit that differs in blob %i, and keeps nothing of it', async (cores, wrong) => {
    const { findings, left } = await stage(cores, (i, bytes) => {
      if (i === wrong) bytes[4 * MIB + 5] = (bytes[4 * MIB + 5] ?? 0) ^ 1;
      return bytes;
    });
    expect(findings).toEqual({ missing: [], mismatched: [hex[wrong]] });
    expect(left).toEqual(
      [2, 3]
        .filter((i) => i !== wrong)
        .map((i) => hex[i])
        .sort(),
    );
  });
});
