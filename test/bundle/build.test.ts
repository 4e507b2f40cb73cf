import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BuildInput, buildBundle } from '../../src/bundle/build-io.ts';
import { BUNDLE_PAYLOAD_TYPE, CHUNK } from '../../src/bundle/format.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { sha256Digest } from '../../src/core/digest.ts';
import { encodeEnvelope, parseEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';
import { ARGUMENTS, buildSample, FILES, type Files, hexOf, readWhole, snapshot, writeTree } from './sample.ts';

describe('buildBundle', () => {
  it('lays out the documented directory', async () => {
    const { directory } = await buildSample();
    const blobs = [...new Set(Object.values(FILES).map(hexOf))].sort();
    expect(snapshot(directory).map(([path, mode]) => [path, mode])).toEqual([
      ['blobs', '755'],
      ['blobs/sha256', '755'],
      ...blobs.map((blob) => [`blobs/sha256/${blob}`, '644']),
      ['bundle.dsse.json', '644'],
      ['index.jsonl', '644'],
      ['root', '755'],
      ['root/1.root.dsse.json', '644'],
      ['root/2.root.dsse.json', '644'],
    ]);
    expect(readFileSync(join(directory, 'index.jsonl'), 'utf8')).toBe(
      [
        ['0644', 'empty', ''],
        ['0644', 'linux.yaml', 'title: exec\n'],
        ['0644', 'linux/exec.yaml', 'title: exec\n'],
        ['0644', 'linux/net.yaml', 'title: net\n'],
        ['0755', 'tools/run.sh', '#!/bin/sh\n'],
      ]
        .map(
          ([mode, path, text = '']) =>
            `{"mode":"${mode}","path":"${path}","sha256":"${hexOf(text)}","size":${text.length}}\n`,
        )
        .join(''),
    );
  });

  it('says what it built, in a statement nobody has signed yet', async () => {
    const { directory, built } = await buildSample();
    const envelope = parseEnvelope(readFileSync(join(directory, 'bundle.dsse.json')), BUNDLE_PAYLOAD_TYPE);
    expect(envelope.signatures).toEqual([]);
    expect(built.statement).toBe(sha256Digest(envelope.payload));
    const { statement, entries, findings, roots } = await readWhole(directory);
    const { rootChain, ...fields } = ARGUMENTS;
    expect(statement).toEqual({ ...fields, critical: [], index: built.index, bytes: built.bytes });
    expect(built).toMatchObject({ files: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) });
    expect(findings).toEqual({ missing: [], mismatched: [] });
    expect(roots.map(({ version, bytes }) => [version, Buffer.from(bytes)])).toEqual(
      rootChain.map((bytes, i) => [i + 1, Buffer.from(bytes)]),
    );
  });

  it('is the same bytes whatever the umask, times, time zone, order of creation and modes of the source', async () => {
    const first = await buildSample();
    const before = { umask: process.umask(0o077), zone: process.env['TZ'] };
    process.env['TZ'] = 'Pacific/Kiritimati';
    try {
      const reversed: Files = Object.fromEntries(Object.entries(FILES).reverse());
      const source = writeTree(tempDirectory(), reversed);
      for (const path of Object.keys(FILES)) {
        utimesSync(join(source, path), 1, 1);
        chmodSync(join(source, path), path.endsWith('.sh') ? 0o700 : 0o666);
      }
      const directory = join(tempDirectory(), 'other.bundle');
      await buildBundle({ ...ARGUMENTS, source, out: directory });
      expect(snapshot(directory)).toEqual(snapshot(first.directory));
      const tars = [first.directory, directory].map((path) => packBundle(path, `${path}.tar`));
      const [one, other] = await Promise.all(tars);
      expect(other).toEqual(one);
    } finally {
      process.umask(before.umask);
      if (before.zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before.zone;
    }
  });

  it('these files are these bytes, on any machine', async () => {
    const { directory, built } = await buildSample();
    const { sha256 } = await packBundle(directory, `${directory}.tar`);
    expect({ statement: built.statement, tar: sha256 }).toEqual({
      statement: 'sha256:9769a4f7c41e2f3901977f7ed926e96a07de6f3b304e8dfa2aff2f7b35a1aa7d',
      tar: 'f8af00530a59624dd1cf332547fb1e10da4f82c1ac8ab01ff79601de8772e580',
    });
  });

  it('the order in which enclaves are named is no information', async () => {
    const one = await buildSample(FILES, { audience: ['site-7', 'site-1'] });
    const other = await buildSample(FILES, { audience: ['site-1', 'site-7'] });
    expect(one.built).toEqual(other.built);
  });

  it('cuts a file over 64 MiB into chunks, and stores equal ones once', async () => {
    const full = runs(1, 3);
    const size = full * CHUNK + 5;
    const source = writeTree(tempDirectory(), { small: 'x', large: '' });
    truncateSync(join(source, 'large'), size);
    const directory = join(tempDirectory(), 'x.bundle');
    const built = await buildBundle({ ...ARGUMENTS, source, out: directory });
    expect(built).toMatchObject({ files: 2, bytes: size + 1 });
    const { entries, findings } = await readWhole(directory);
    const zeros = { sha256: hexOf(new Uint8Array(CHUNK)), size: CHUNK };
    const tail = { sha256: hexOf(new Uint8Array(5)), size: 5 };
    const chunks = [...Array.from({ length: full }, () => zeros), tail];
    expect(entries).toEqual([
      { path: 'large', mode: '0644', size, sha256: hexOf(new Uint8Array(size)), chunks },
      { path: 'small', mode: '0644', size: 1, sha256: hexOf('x') },
    ]);
    expect(readdirSync(join(directory, 'blobs/sha256')).sort()).toEqual([zeros.sha256, tail.sha256, hexOf('x')].sort());
    expect(findings).toEqual({ missing: [], mismatched: [] });
  });

  it('a bundle of no files, such as one that only carries trust, has no blobs', async () => {
    const { directory, built } = await buildSample({}, { kind: 'trust', channel: 'trust' });
    expect(built).toMatchObject({ files: 0, bytes: 0 });
    expect(readdirSync(directory).sort()).toEqual(['bundle.dsse.json', 'index.jsonl', 'root']);
    expect((await readWhole(directory)).findings).toEqual({ missing: [], mismatched: [] });
  });
});

describe('buildBundle refuses, and leaves nothing', () => {
  async function expectNothing(code: string, prepare: (source: string) => void, changes: Partial<BuildInput> = {}) {
    const source = writeTree(tempDirectory(), FILES);
    prepare(source);
    const parent = tempDirectory();
    const building = buildBundle({ ...ARGUMENTS, source, out: join(parent, 'x.bundle'), ...changes });
    await expectCodeAsync(building, code);
    await expect(building).rejects.toMatchObject({ fault: 'failed' });
    expect(readdirSync(parent)).toEqual([]);
  }

  it.each<[string, string, (source: string) => void]>([
    ['DIRECTORY_LINK', 'a symbolic link', (source) => symlinkSync('/etc/passwd', join(source, 'zz'))],
    ['DIRECTORY_SETUID', 'a setuid file', (source) => chmodSync(join(source, 'tools/run.sh'), 0o4755)],
    ['PATH_TWIN', 'twins', (source) => void writeTree(source, { 'a/x': '1', 'a/X': '2' })],
    ['PATH_NOT_NFC', 'a name in NFD', (source) => void writeTree(source, { 'zz/u\u0308': '' })],
    ['PATH_RESERVED', 'a device of Windows', (source) => void writeTree(source, { 'zz/aux.h': '' })],
    ['PATH_TOO_DEEP', 'too many directories', (source) => void writeTree(source, { [`${'d/'.repeat(33)}f`]: '' })],
  ])('%s: %s in the source', async (code, _what, prepare) => {
    await expectNothing(code, prepare);
  });

  it.each<[string, Partial<BuildInput>]>([
    ['a channel', { channel: '../x' }],
    ['seq', { seq: 0 }],
    ['prev', { prev: `sha256:${'a'.repeat(64)}` }],
    ['times', { expires: '2026-01-01T00:00:00.000Z' }],
    ['an enclave', { audience: ['Not A Name'] }],
    ['a requirement', { requires: { daemoneye: 'latest' } }],
    ['a trust root that is none', { rootChain: [new Uint8Array(3)] }],
    [
      'a bundle in place of a trust root',
      {
        rootChain: [
          encodeEnvelope(
            signEnvelope({ payloadType: BUNDLE_PAYLOAD_TYPE, payload: new Uint8Array(), signatures: [] }, testKey('a')),
          ),
        ],
      },
    ],
    ['too many trust roots', { rootChain: Array.from({ length: 257 }, () => new Uint8Array()) }],
  ])('BUILD_INPUT: %s', async (_what, changes) => {
    await expectNothing('BUILD_INPUT', () => undefined, changes);
  });

  it('NOT_FOUND: no source, no place', async () => {
    await expectNothing('NOT_FOUND', () => undefined, { source: join(tempDirectory(), 'none') });
    await expectCodeAsync(
      buildBundle({ ...ARGUMENTS, source: tempDirectory(), out: join(tempDirectory(), 'no', 'x') }),
      'NOT_FOUND',
    );
  });

  it('DIRECTORY_TYPE: a source that is a file', async () => {
    const file = join(tempDirectory(), 'f');
    writeFileSync(file, '');
    await expectNothing('DIRECTORY_TYPE', () => undefined, { source: file });
  });

  it('OUTPUT_EXISTS: whatever is there stays', async () => {
    const { directory, source } = await buildSample();
    const before = snapshot(directory);
    await expectCodeAsync(buildBundle({ ...ARGUMENTS, source, out: directory, seq: 1 }), 'OUTPUT_EXISTS');
    expect(snapshot(directory)).toEqual(before);
    const empty = tempDirectory();
    await expectCodeAsync(buildBundle({ ...ARGUMENTS, source, out: empty }), 'OUTPUT_EXISTS');
    const dangling = join(tempDirectory(), 'link');
    symlinkSync('nowhere', dangling);
    await expectCodeAsync(buildBundle({ ...ARGUMENTS, source, out: dangling }), 'OUTPUT_EXISTS');
  });

  it('OUTPUT_INSIDE_SOURCE: directly, deeper, or through a link', async () => {
    const source = writeTree(tempDirectory(), FILES);
    const around = join(tempDirectory(), 'around');
    symlinkSync(source, around);
    mkdirSync(join(source, '..x'));
    for (const out of [
      join(source, 'out'),
      join(source, 'linux', 'out'),
      join(around, 'out'),
      join(source, '..x', 'out'),
    ]) {
      await expectCodeAsync(buildBundle({ ...ARGUMENTS, source, out }), 'OUTPUT_INSIDE_SOURCE');
      expect(existsSync(out)).toBe(false);
    }
  });
});
