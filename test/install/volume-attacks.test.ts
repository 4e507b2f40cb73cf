import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeTarHeader, TAR_END_BYTES, tarPadding } from '../../src/archive/tar-header.ts';
import { blobName } from '../../src/bundle/format.ts';
import { openVolumes } from '../../src/bundle/volumes/open-volumes-io.ts';
import { splitBundle, writeDelta } from '../../src/bundle/volumes/split-io.ts';
import { decidingCheck } from '../../src/core/checks.ts';
import { type ApplyOutcome, applyBundle } from '../../src/install/apply-io.ts';
import { heldBlobs } from '../../src/install/held-blobs-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { issueReceipt } from '../../src/install/receipt-io.ts';
import { hexOf } from '../bundle/sample.ts';
import { anyContent, BUILT_AT, makeBundle, makeEnclave, open } from '../support/enclave.ts';
import { tempDirectory } from '../support/temp.ts';

/** What somebody between the two sides of the gap can do to parts of bundles, all the way to an enclave. */

const FILES = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}.yaml`, `${i}\n`.repeat(2000)]));
const SIZE = 16_000;

async function apply(data: string, ...paths: readonly string[]): Promise<ApplyOutcome> {
  await using install = await open(data);
  const options = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true };
  return await applyBundle(install, () => openVolumes(paths), 'bundle', options);
}

const verdict = (outcome: ApplyOutcome) => [outcome.status, decidingCheck(outcome.report)?.code];
const channels = (data: string) => (existsSync(join(data, 'bundles')) ? readdirSync(join(data, 'bundles')) : []);

async function volumesOf(parent: string, files: Readonly<Record<string, string>> = FILES): Promise<string[]> {
  const { path } = await makeBundle(parent, { files });
  const { volumes } = await splitBundle(path, join(tempDirectory(), 'linux.tar'), { size: SIZE });
  return volumes.map(({ file }) => file);
}

/** The head and index of a volume as they were signed, and blobs of somebody's choice. */
function forgedFrom(volume: string, blobs: readonly (readonly [name: string, bytes: Buffer])[]): string {
  const bytes = readFileSync(volume);
  const members = blobs.flatMap(([name, body]) => [
    encodeTarHeader(blobName(name), body.length),
    body,
    new Uint8Array(tarPadding(body.length)),
  ]);
  const forged = join(tempDirectory(), basename(volume));
  const head = bytes.subarray(0, bytes.indexOf('blobs/sha256/'));
  writeFileSync(forged, Buffer.concat([head, ...members, new Uint8Array(TAR_END_BYTES)]));
  return forged;
}

describe('a forged volume with a valid statement', () => {
  const EVIL = Buffer.from('evil\n'.repeat(500));
  const signed = Object.values(FILES).map((text) => [hexOf(text), text] as const);
  const [[listed, text] = ['', '']] = signed.toSorted();

  it.each([
    ['a blob that nobody signed', [[hexOf(EVIL), EVIL]], 'VOLUME_REFUSED'],
    ['other bytes under a signed name', [[listed, Buffer.alloc(text.length, 'evil')]], 'BLOB_MISMATCH'],
    ['fewer bytes under a signed name', [[listed, Buffer.from(text.slice(1))]], 'BLOB_MISMATCH'],
    ['no blob at all', [], 'BLOB_MISSING'],
  ] as const)('%s: refused, nothing changes, and the true one still completes', async (_, blobs, code) => {
    const data = await makeEnclave();
    const [first = '', ...rest] = await volumesOf(dirname(data));
    const forged = forgedFrom(first, blobs);
    expect(verdict(await apply(data, forged, ...rest))).toEqual(['refused', code]);
    expect(channels(data)).toEqual([]);
    expect((await apply(data, first, ...rest)).status).toBe('applied');
    const files = join(data, 'bundles', 'rules~test', 'active', 'files');
    for (const [name, wanted] of Object.entries(FILES)) expect(readFileSync(join(files, name), 'utf8')).toBe(wanted);
  });
});

describe('volumes of two bundles with one name', () => {
  it('VOLUME_FOREIGN: are not mixed, whichever comes first', async () => {
    const data = await makeEnclave();
    const ours = await volumesOf(dirname(data));
    const others = await volumesOf(dirname(data), { ...FILES, 'f0.yaml': 'other\n'.repeat(600) });
    expect(basename(ours[1] ?? '')).toBe(basename(others[1] ?? ''));
    for (const [some, more] of [
      [ours, others],
      [others, ours],
    ] as const) {
      const mixed = [...some.slice(0, 1), ...more.slice(1)];
      expect(verdict(await apply(data, ...mixed))).toEqual(['refused', 'VOLUME_FOREIGN']);
      expect(channels(data)).toEqual([]);
    }
    expect((await apply(data, ...ours)).status).toBe('applied');
  });
});

describe('a receipt that is shown again', () => {
  it('BLOB_MISSING: a delta for what the enclave held once changes nothing, and the whole bundle goes in', async () => {
    const data = await makeEnclave();
    const parent = dirname(data);
    const one = await makeBundle(parent, { files: FILES });
    expect((await apply(data, one.path)).status).toBe('applied');
    const old = await (async () => {
      await using install = await open(data);
      return (await issueReceipt(install)).document;
    })();
    const { layout, state } = await readInstall(data, BUILT_AT);
    const heldThen = new Set(heldBlobs(layout, state).keys());
    let before = one;
    for (const seq of [2, 3]) {
      before = await makeBundle(parent, { seq, prev: before.payload, files: { 'f0.yaml': `${seq}` } });
      expect((await apply(data, before.path)).status).toBe('applied');
    }
    expect(old.holds).toEqual([one.payload]);
    const four = await makeBundle(parent, { seq: 4, prev: before.payload, files: { ...FILES, new: 'new' } });
    const delta = `${four.path}.delta.tar`;
    await writeDelta(four.path, delta, heldThen);
    expect(verdict(await apply(data, delta))).toEqual(['refused', 'BLOB_MISSING']);
    expect((await readInstall(data, BUILT_AT)).state.channels.get('rules/test')?.active.seq).toBe(3);
    expect((await apply(data, four.path)).status).toBe('applied');
  });
});
