import {
  appendFileSync,
  copyFileSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVolumes, volumeAt } from '../../src/bundle/volumes/open-volumes-io.ts';
import { splitBundle, writeDelta } from '../../src/bundle/volumes/split-io.ts';
import { decidingCheck } from '../../src/core/checks.ts';
import { type ApplyOptions, type ApplyOutcome, applyBundle } from '../../src/install/apply-io.ts';
import { type HeldBlobs, heldBlobs } from '../../src/install/held-blobs-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { hexOf } from '../bundle/sample.ts';
import { anyContent, BUILT_AT, makeBundle, makeEnclave, open } from '../support/enclave.ts';
import { tempDirectory } from '../support/temp.ts';

const FILES = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}.yaml`, `${i}\n`.repeat(2000)]));
const SIZE = 16_000;

type Bundle = Parameters<typeof applyBundle>[1];

async function apply(data: string, bundle: Bundle, options: Partial<ApplyOptions> = {}): Promise<ApplyOutcome> {
  await using install = await open(data);
  const defaults = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true };
  return await applyBundle(install, bundle, 'bundle', { ...defaults, ...options });
}

/** A bundle of eight files, and its volumes. */
async function volumesOf(parent: string): Promise<{ path: string; volumes: string[] }> {
  const { path } = await makeBundle(parent, { files: FILES });
  const { volumes } = await splitBundle(path, `${path}.tar`, { size: SIZE });
  return { path, volumes: volumes.map(({ file }) => file) };
}

async function heldIn(data: string): Promise<HeldBlobs> {
  const { layout, state } = await readInstall(data, BUILT_AT);
  return heldBlobs(layout, state);
}

const inFiles = (data: string, name: string) =>
  readFileSync(join(data, 'bundles', 'rules~test', 'active', 'files', name), 'utf8');
const partials = (data: string) => readdirSync(join(data, 'staging')).filter((name) => name.startsWith('partial-'));
/** Those in staging; what was noted beside them has other names. */
const blobsIn = (partial: string) => readdirSync(partial).filter((name) => /^[0-9a-f]{64}$/.test(name));
const verdict = (outcome: ApplyOutcome) => [outcome.status, decidingCheck(outcome.report)?.code];

describe('applying volumes', () => {
  it('from several places, in any order, gives the bundle', async () => {
    const data = await makeEnclave();
    const { volumes } = await volumesOf(dirname(data));
    const outcome = await apply(data, () => openVolumes(volumes.toReversed()));
    expect(outcome.status).toBe('applied');
    for (const [name, text] of Object.entries(FILES)) expect(inFiles(data, name)).toBe(text);
    expect(readdirSync(join(data, 'staging'))).toEqual([]);
  });

  it('one that is lacking changes nothing, names a file of it, and what was read is not read again', async () => {
    const data = await makeEnclave();
    const { volumes } = await volumesOf(dirname(data));
    const [first = '', ...rest] = volumes;
    expect(verdict(await apply(data, () => openVolumes(rest)))).toEqual(['refused', 'BLOB_MISSING']);
    expect(existsSync(join(data, 'bundles', 'rules~test'))).toBe(false);
    expect(partials(data)).toHaveLength(1);
    // The others are gone: from the first alone it goes on.
    for (const volume of rest) rmSync(volume);
    expect((await apply(data, first)).status).toBe('applied');
    expect(readdirSync(join(data, 'staging'))).toEqual([]);
  });

  it('goes on after a kill, a pulled stick, a damaged volume', async () => {
    const data = await makeEnclave();
    const { volumes } = await volumesOf(dirname(data));
    const [a = '', b = '', ...rest] = volumes;
    // Ctrl-C in the middle of the first.
    const controller = new AbortController();
    const progress = (done: number) => {
      if (done > 5000) controller.abort(new Error('enough'));
    };
    await expect(apply(data, a, { signal: controller.signal, progress })).rejects.toThrow('enough');
    // A stick that ends early, then one with a changed byte.
    const cut = `${b}.cut`;
    copyFileSync(b, cut);
    truncateSync(cut, statSync(b).size - 3000);
    expect((await apply(data, () => openVolumes([a, cut]))).status).toBe('refused');
    const soundBefore = blobsIn(join(data, 'staging', partials(data)[0] ?? '')).length;
    expect(soundBefore).toBeGreaterThan(1);
    rmSync(a);
    expect((await apply(data, () => openVolumes([b, ...rest]))).status).toBe('applied');
  });

  it('a person without the next volume is not asked for ever', async () => {
    const data = await makeEnclave();
    const { volumes } = await volumesOf(dirname(data));
    const left = [...volumes];
    const next = async () => {
      const path = left.shift();
      return path === undefined ? undefined : volumeAt(path);
    };
    const first = left.shift() ?? '';
    expect((await apply(data, () => openVolumes([first], next))).status).toBe('applied');
  });

  it('believes nothing that lies in staging without its digest', async () => {
    const data = await makeEnclave();
    const { volumes } = await volumesOf(dirname(data));
    const [first = '', ...rest] = volumes;
    await apply(data, () => openVolumes(rest));
    const partial = join(data, 'staging', partials(data)[0] ?? '');
    const [changed = '', linked = '', grown = '', hard = ''] = blobsIn(partial);
    const sound = readFileSync(join(partial, changed));
    writeFileSync(join(partial, changed), Buffer.alloc(sound.length, 'x'));
    const elsewhere = join(tempDirectory(), 'blob');
    copyFileSync(join(partial, linked), elsewhere);
    rmSync(join(partial, linked));
    symlinkSync(elsewhere, join(partial, linked));
    appendFileSync(join(partial, grown), 'x');
    // The same bytes, but somebody else has another name for them and may write to them later.
    linkSync(join(partial, hard), join(tempDirectory(), 'other-name'));
    writeFileSync(join(partial, 'f'.repeat(64)), 'a stranger');
    writeFileSync(join(partial, '.1.part'), 'half');
    const refused = await apply(data, first);
    expect(verdict(refused)).toEqual(['refused', 'BLOB_MISSING']);
    expect(decidingCheck(refused.report)?.reason).toContain('3 more');
    expect((await apply(data, () => openVolumes(rest))).status).toBe('applied');
    for (const [name, text] of Object.entries(FILES)) expect(inFiles(data, name)).toBe(text);
  });

  it('keeps what was interrupted last, and no more', async () => {
    const data = await makeEnclave();
    const parent = dirname(data);
    for (const text of ['1', '2', '3']) {
      const { path } = await makeBundle(parent, { files: { ...FILES, text } });
      const { volumes } = await splitBundle(path, `${path}.tar`, { size: SIZE });
      await apply(data, volumes[0]?.file ?? '');
    }
    await (await open(data))[Symbol.asyncDispose]();
    expect(partials(data)).toHaveLength(1);
  });

  it('what is not trusted leaves nothing behind', async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data), { files: FILES, signers: ['a'] });
    const { volumes } = await splitBundle(path, `${path}.tar`, { size: SIZE });
    expect((await apply(data, volumes[0]?.file ?? '')).status).toBe('refused');
    expect(partials(data)).toEqual([]);
  });
});

describe('applying a delta', () => {
  /** Two bundles of the channel; the first applied, and the second less what the first has. */
  async function twoBundles() {
    const data = await makeEnclave();
    const one = await makeBundle(dirname(data), { files: FILES });
    await apply(data, one.path);
    const files = { ...FILES, 'f0.yaml': 'changed', 'new.yaml': 'new' };
    const two = await makeBundle(dirname(data), { files, seq: 2, prev: one.payload });
    const held = await heldIn(data);
    const delta = `${two.path}.delta.tar`;
    const { blobs, leftOut } = await writeDelta(two.path, delta, new Set(held.keys()));
    expect([blobs, leftOut]).toEqual([2, 7]);
    return { data, delta, whole: two.path, payload: two.payload, files };
  }

  it('takes from the enclave what was left out', async () => {
    const { data, delta, files } = await twoBundles();
    expect((await apply(data, delta)).status).toBe('applied');
    for (const [name, text] of Object.entries(files)) expect(inFiles(data, name)).toBe(text);
  });

  it('whose base is not here names what is missing and changes nothing; the whole bundle still goes in', async () => {
    const { delta, whole } = await twoBundles();
    const elsewhere = await makeEnclave();
    const outcome = await apply(elsewhere, delta);
    expect(verdict(outcome)).toEqual(['refused', 'BLOB_MISSING']);
    expect(decidingCheck(outcome.report)?.reason).toMatch(/f\d\.yaml and 6 more/);
    expect(existsSync(join(elsewhere, 'bundles', 'rules~test'))).toBe(false);
    expect((await apply(elsewhere, whole)).status).toBe('applied');
  });

  it('whose base was changed here is not put together from what it was changed to', async () => {
    const { data, delta } = await twoBundles();
    const file = join(data, 'bundles', 'rules~test', 'active', 'files', 'f1.yaml');
    writeFileSync(file, 'x'.repeat(statSync(file).size));
    expect(verdict(await apply(data, delta))).toEqual(['refused', 'BLOB_MISSING']);
    rmSync(file);
    expect(verdict(await apply(data, delta))).toEqual(['refused', 'BLOB_MISSING']);
    const secret = join(tempDirectory(), 'secret');
    writeFileSync(secret, FILES['f1.yaml'] ?? '');
    symlinkSync(secret, file);
    expect(verdict(await apply(data, delta))).toEqual(['refused', 'BLOB_MISSING']);
  });

  it('replayed after a newer bundle is refused like the bundle', async () => {
    const { data, delta, payload } = await twoBundles();
    expect((await apply(data, delta)).status).toBe('applied');
    const three = await makeBundle(dirname(data), { files: { 'f0.yaml': '3' }, seq: 3, prev: payload });
    expect((await apply(data, three.path)).status).toBe('applied');
    expect(verdict(await apply(data, delta))).toEqual(['refused', 'SEQUENCE_REPLAY']);
  });

  it('holds a file in pieces by its pieces', async () => {
    const data = await makeEnclave();
    const big = Buffer.alloc(64 * 1024 * 1024 + 10, 'b').toString('latin1');
    const one = await makeBundle(dirname(data), { files: { big } });
    await apply(data, one.path);
    const files = { 'renamed/big': big, tail: 'b'.repeat(10), 'fresh.yaml': 'fresh' };
    const two = await makeBundle(dirname(data), { files, seq: 2, prev: one.payload });
    const held = await heldIn(data);
    expect(held.get(hexOf('b'.repeat(10)))).toMatchObject({ from: 64 * 1024 * 1024, size: 10 });
    const delta = `${two.path}.delta.tar`;
    await writeDelta(two.path, delta, new Set(held.keys()));
    expect(statSync(delta).size).toBeLessThan(100_000);
    expect((await apply(data, delta)).status).toBe('applied');
    expect(inFiles(data, 'tail')).toBe('b'.repeat(10));
    expect(inFiles(data, 'renamed/big').length).toBe(big.length);
  });
});
