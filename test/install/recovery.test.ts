import { createHash } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlobReceiver } from '../../src/bundle/blob-receiver.ts';
import { expectedBlobs, type IndexEntry } from '../../src/bundle/index-lines.ts';
import { clearStaging, createStaging } from '../../src/install/staging-io.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';

/** Staging that was interrupted and goes on. Chunks are of any size here, so that files of several are small. */

const hexOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const PAYLOAD = `sha256:${'a'.repeat(64)}` as const;
/** Nothing is decided by it. */
const HEAD = { envelope: new Uint8Array(), index: new Uint8Array() };

type Source = { readonly entries: readonly IndexEntry[]; readonly blobs: ReadonlyMap<string, Uint8Array> };

/** Files as lists of chunks; one chunk is a file that is not cut. */
function sourceOf(files: readonly (readonly string[])[]): Source {
  const blobs = new Map<string, Uint8Array>();
  const entries = files.map((parts, i): IndexEntry => {
    const chunks = parts.map((part) => Buffer.from(part));
    for (const chunk of chunks) blobs.set(hexOf(chunk), chunk);
    const whole = Buffer.concat(chunks);
    const entry = { path: `f${i}`, mode: '0644', size: whole.length, sha256: hexOf(whole) } as const;
    if (chunks.length === 1) return entry;
    return { ...entry, chunks: chunks.map((chunk) => ({ sha256: hexOf(chunk), size: chunk.length })) };
  });
  return { entries, blobs };
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}

/** Stages these blobs beside what is there. @returns what was there, and the files when all is */
async function stage(parent: string, { entries, blobs }: Source, order: readonly string[]) {
  await using staging = createStaging(parent, true);
  staging.goOn(PAYLOAD, HEAD);
  const sink = staging.sink(entries, () => undefined);
  const left = await staging.recover(() => undefined);
  const receiver = new BlobReceiver(expectedBlobs(entries), sink, left);
  for (const sha256 of order) {
    const bytes = blobs.get(sha256) ?? new Uint8Array();
    await receiver.receive(sha256, bytes.length, once(bytes));
  }
  const { missing } = await receiver.finish();
  if (missing.length > 0) return { left, missing };
  await staging.materialise(entries);
  return { left, missing, files: entries.map(({ path }) => readFileSync(join(staging.files, path), 'utf8')) };
}

const partialOf = (parent: string) => join(parent, `partial-${'a'.repeat(64)}`);

/** Two chunks of a file, a file of its own, and a chunk that is also a file. */
const SAMPLE = [['first', 'second', 'both'], ['alone'], ['both']];

async function interrupted(): Promise<{ parent: string; source: Source; partial: string }> {
  const parent = tempDirectory();
  const source = sourceOf(SAMPLE);
  const blobs = [...source.blobs.keys()];
  expect((await stage(parent, source, blobs.slice(0, -1))).files).toBeUndefined();
  return { parent, source, partial: partialOf(parent) };
}

const whole = SAMPLE.map((parts) => parts.join(''));

describe('staging that goes on', () => {
  it('ends with the files, wherever and however often it was interrupted, and nothing is read twice', async () => {
    const text = fc.stringMatching(/^[a-c]{1,8}$/);
    const files = fc.array(fc.array(text, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        files,
        fc.array(fc.nat(8), { maxLength: 3 }),
        fc.infiniteStream(fc.nat()),
        async (all, cuts, chance) => {
          const parent = tempDirectory();
          const source = sourceOf(all);
          const blobs = [...source.blobs.keys()]
            .map((sha256) => ({ sha256, by: chance.next().value }))
            .sort((a, b) => a.by - b.by)
            .map(({ sha256 }) => sha256);
          let given = 0;
          let known = new Set<string>();
          for (const cut of cuts) {
            const result = await stage(parent, source, blobs.slice(given, given + cut));
            expect(result.left).toEqual(known);
            if (result.files !== undefined) return;
            known = new Set([...known, ...blobs.slice(given, given + cut)]);
            given += cut;
          }
          const last = await stage(parent, source, blobs.slice(given));
          expect(last.left).toEqual(known);
          expect(last.files).toEqual(all.map((parts) => parts.join('')));
          expect(readdirSync(parent)).toEqual([]);
        },
      ),
      { numRuns: runs(40, 2000) },
    );
  });

  it.each<[string, (partial: string) => void]>([
    ['a changed chunk', (partial) => writeFileSync(join(partial, '.joined-0'), 'firstSECONDboth')],
    ['a file longer than was signed', (partial) => appendFileSync(join(partial, '.joined-0'), 'x'.repeat(20))],
    ['a file cut short', (partial) => truncateSync(join(partial, '.joined-0'), 7)],
    [
      'a link instead of a file',
      (partial) => {
        const elsewhere = join(tempDirectory(), 'elsewhere');
        copyFileSync(join(partial, '.joined-0'), elsewhere);
        rmSync(join(partial, '.joined-0'));
        symlinkSync(elsewhere, join(partial, '.joined-0'));
      },
    ],
    ['a second name for the file', (partial) => linkSync(join(partial, '.joined-0'), join(tempDirectory(), 'other'))],
    ['no file', (partial) => rmSync(join(partial, '.joined-0'))],
    [
      'a blob under a chunk\u2019s name',
      (partial) => writeFileSync(join(partial, hexOf(Buffer.from('second'))), 'second'),
    ],
  ])('believes nothing without its digest: %s', async (_, harm) => {
    const { parent, source, partial } = await interrupted();
    harm(partial);
    const rest = await stage(parent, source, [...source.blobs.keys()]);
    expect(rest.files).toEqual(whole);
  });

  it('what was harmed is wanted again', async () => {
    const { parent, source, partial } = await interrupted();
    writeFileSync(join(partial, '.joined-0'), 'firstSECONDboth');
    const { left, missing } = await stage(parent, source, []);
    const named = (...texts: string[]) => texts.map((text) => hexOf(Buffer.from(text))).toSorted();
    expect([...left].toSorted()).toEqual(named('first', 'both'));
    expect(missing.toSorted()).toEqual(named('second', 'alone'));
  });

  it('is ended while it looks at what is there, and nothing is lost', async () => {
    const { parent, source } = await interrupted();
    const looking = async () => {
      await using staging = createStaging(parent, true);
      staging.goOn(PAYLOAD, HEAD);
      const sink = staging.sink(source.entries, () => undefined);
      try {
        await staging.recover(() => {
          throw new Error('enough');
        });
      } finally {
        await sink.abandon?.();
      }
    };
    await expect(looking()).rejects.toThrow('enough');
    const last = [...source.blobs.keys()].at(-1) ?? '';
    expect((await stage(parent, source, [last])).files).toEqual(whole);
  });

  it('clears all but the newest when the install is opened', async () => {
    const { parent, partial } = await interrupted();
    writeFileSync(join(parent, 'incoming-0'), 'left by a crash');
    clearStaging(parent);
    expect(readdirSync(parent)).toEqual([`partial-${'a'.repeat(64)}`]);
    expect(existsSync(join(partial, '.joined-0'))).toBe(true);
  });
});
