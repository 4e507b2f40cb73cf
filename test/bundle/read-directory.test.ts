import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_ENVELOPE, MAX_ROOT_BYTES } from '../../src/bundle/format.ts';
import { directoryBlobSink, openBundle } from '../../src/bundle/read-io.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';
import { buildSample, copySample, FILES, hexOf, readWhole, rootEnvelope, snapshot } from './sample.ts';

const EXEC = hexOf('title: exec\n');
const NET = hexOf('title: net\n');
const RUN = hexOf('#!/bin/sh\n');

describe('a bundle directory', () => {
  it('may be named through a link, and lie on read-only media', async () => {
    const directory = await copySample();
    const link = join(tempDirectory(), 'stick');
    symlinkSync(directory, link);
    const paths = ['.', ...readdirSync(directory, { recursive: true, encoding: 'utf8' })].map((path) =>
      join(directory, path),
    );
    for (const path of paths) chmodSync(path, statSync(path).isDirectory() ? 0o555 : 0o444);
    try {
      expect((await readWhole(link)).transport).toBe('directory');
    } finally {
      for (const path of paths) chmodSync(path, 0o755);
    }
  });

  it('may be a volume: with blobs absent it is still that bundle, and names exactly those', async () => {
    const directory = await copySample();
    rmSync(join(directory, 'blobs/sha256', EXEC));
    rmSync(join(directory, 'blobs/sha256', RUN));
    expect((await readWhole(directory)).findings).toEqual({ missing: [EXEC, RUN].sort(), mismatched: [] });
    rmSync(join(directory, 'blobs/sha256'), { recursive: true });
    expect((await readWhole(directory)).findings.missing).toHaveLength(4);
    rmSync(join(directory, 'blobs'), { recursive: true });
    expect((await readWhole(directory)).findings.missing).toHaveLength(4);
  });

  it('may come without a trust root; that is for the verifier to judge', async () => {
    const directory = await copySample();
    rmSync(join(directory, 'root'), { recursive: true });
    expect((await readWhole(directory)).roots).toEqual([]);
  });

  it('lists its trust roots by number, not by name', async () => {
    const { directory } = await buildSample(FILES, {
      rootChain: Array.from({ length: 12 }, (_, i) => rootEnvelope(i + 1)),
    });
    expect((await readWhole(directory)).roots.map(({ version }) => version)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    ]);
  });

  it('names every blob that is not what it should be, and goes on', async () => {
    const directory = await copySample();
    writeFileSync(join(directory, 'blobs/sha256', EXEC), 'title: EVIL\n');
    writeFileSync(join(directory, 'blobs/sha256', NET), 'title: net\nand more');
    rmSync(join(directory, 'blobs/sha256', RUN));
    const { findings } = await readWhole(directory);
    expect(findings).toEqual({ missing: [RUN], mismatched: [EXEC, NET].sort() });
  });

  it('does not read a blob of another size: not one of a terabyte', async () => {
    const directory = await copySample();
    truncateSync(join(directory, 'blobs/sha256', EXEC), 2 ** 40);
    expect((await readWhole(directory)).findings.mismatched).toEqual([EXEC]);
  });

  it('accepts hard links between its blobs and elsewhere', async () => {
    const directory = await copySample();
    linkSync(join(directory, 'blobs/sha256', EXEC), join(tempDirectory(), 'elsewhere'));
    expect((await readWhole(directory)).findings).toEqual({ missing: [], mismatched: [] });
  });

  it.each<[string, string, (bundle: (path: string) => string) => void]>([
    ['UNKNOWN_NAME', 'a file nobody knows', (bundle) => writeFileSync(bundle('README'), '')],
    ['UNKNOWN_NAME', 'what a Mac leaves behind', (bundle) => writeFileSync(bundle('.DS_Store'), '')],
    ['UNKNOWN_NAME', 'an envelope in another case', (bundle) => writeFileSync(bundle('Bundle.dsse.json'), '')],
    ['UNKNOWN_NAME', 'a directory nobody knows', (bundle) => mkdirSync(bundle('extra'))],
    ['UNKNOWN_NAME', 'a root with a leading zero', (bundle) => writeFileSync(bundle('root/01.root.dsse.json'), '')],
    ['UNKNOWN_NAME', 'root 0', (bundle) => writeFileSync(bundle('root/0.root.dsse.json'), '')],
    ['UNKNOWN_NAME', 'something beside the roots', (bundle) => writeFileSync(bundle('root/notes.txt'), '')],
    ['UNKNOWN_NAME', 'another hash', (bundle) => mkdirSync(bundle('blobs/md5'))],
    ['UNKNOWN_NAME', 'a blob in upper case', (bundle) => writeFileSync(bundle(`blobs/sha256/${'A'.repeat(64)}`), '')],
    ['UNKNOWN_NAME', 'an unfinished blob', (bundle) => writeFileSync(bundle('blobs/sha256/.1.part'), '')],
    ['BLOB_UNLISTED', 'a blob nobody signed', (bundle) => writeFileSync(bundle(`blobs/sha256/${'a'.repeat(64)}`), '')],
    ['DIRECTORY_LINK', 'a linked envelope', (bundle) => link(bundle('bundle.dsse.json'))],
    ['DIRECTORY_LINK', 'a linked index', (bundle) => link(bundle('index.jsonl'))],
    ['DIRECTORY_LINK', 'a linked blob', (bundle) => link(bundle(`blobs/sha256/${EXEC}`))],
    ['DIRECTORY_LINK', 'a linked root', (bundle) => link(bundle('root/1.root.dsse.json'))],
    ['DIRECTORY_LINK', 'linked blobs', (bundle) => link(bundle('blobs/sha256'))],
    ['DIRECTORY_LINK', 'a dangling link', (bundle) => symlinkSync('nowhere', bundle('extra'))],
    ['DIRECTORY_SPECIAL', 'a pipe in place of a blob', (bundle) => pipe(bundle(`blobs/sha256/${EXEC}`))],
    ['DIRECTORY_SPECIAL', 'a pipe in place of the envelope', (bundle) => pipe(bundle('bundle.dsse.json'))],
    ['DIRECTORY_SETUID', 'a setuid blob', (bundle) => chmodSync(bundle(`blobs/sha256/${EXEC}`), 0o4755)],
    ['DIRECTORY_TYPE', 'a directory in place of a blob', (bundle) => directory(bundle(`blobs/sha256/${EXEC}`))],
    ['DIRECTORY_TYPE', 'a directory in place of the envelope', (bundle) => directory(bundle('bundle.dsse.json'))],
    ['DIRECTORY_TYPE', 'a file in place of the blobs', (bundle) => file(bundle('blobs'))],
    ['DIRECTORY_TYPE', 'a file in place of the roots', (bundle) => file(bundle('root'))],
    ['INDEX_MISSING', 'no index', (bundle) => rmSync(bundle('index.jsonl'))],
    ['ENVELOPE_TOO_LARGE', 'a huge envelope', (bundle) => truncateSync(bundle('bundle.dsse.json'), MAX_ENVELOPE + 1)],
    ['ROOT_TOO_LARGE', 'a huge root', (bundle) => truncateSync(bundle('root/2.root.dsse.json'), MAX_ROOT_BYTES + 1)],
    ['ROOT_TOO_MANY', 'too many roots', (bundle) => roots(bundle, 257)],
    [
      'INDEX_TOO_LARGE',
      'an index longer than the one signed',
      (bundle) => truncateSync(bundle('index.jsonl'), 2 ** 40),
    ],
    ['DIRECTORY_TOO_MANY', 'a flood of names', (bundle) => flood(bundle('.'))],
  ])('%s: %s', async (code, _what, harm) => {
    const path = await copySample();
    harm((name) => join(path, name));
    const thrown = await readWhole(path).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(DaemonEyeError);
    expect(thrown).toMatchObject({ code, fault: 'untrusted' });
  });

  function link(path: string): void {
    const outside = join(tempDirectory(), 'outside');
    renameSync(path, outside);
    symlinkSync(outside, path);
  }
  function pipe(path: string): void {
    rmSync(path);
    execFileSync('mkfifo', [path]);
  }
  function directory(path: string): void {
    rmSync(path);
    mkdirSync(path);
  }
  function file(path: string): void {
    rmSync(path, { recursive: true });
    writeFileSync(path, '');
  }
  function roots(bundle: (path: string) => string, count: number): void {
    for (let i = 1; i <= count; i += 1) writeFileSync(bundle(`root/${i}.root.dsse.json`), '{}');
  }
  function flood(path: string): void {
    for (let i = 0; i < 100; i += 1) writeFileSync(join(path, `x${i}`), '');
  }

  it('BLOB_UNLISTED: before anything is staged', async () => {
    const path = await copySample();
    writeFileSync(join(path, `blobs/sha256/${'f'.repeat(64)}`), '');
    const stage = join(tempDirectory(), 'stage');
    await expectCodeAsync(readWhole(path, directoryBlobSink(stage)), 'BLOB_UNLISTED');
    expect(readdirSync(stage)).toEqual([]);
  });

  it('answers about what it opened, even if the stick is swapped meanwhile', async () => {
    const path = await copySample();
    const other = await buildSample({ 'linux/exec.yaml': 'title: EVIL\n' });
    const reader = await openBundle(path);
    const { envelope } = await reader.readHead();
    renameSync(path, `${path}.gone`);
    cpSync(other.directory, path, { recursive: true });
    const index = await reader.readIndex(10_000).catch((error: unknown) => error);
    await reader.close();
    // Either still the opened directory (Linux), or whatever is there now: which the digest in the statement refuses.
    if (process.platform === 'linux') expect(Buffer.from(index as Uint8Array).toString()).toContain('linux/net.yaml');
    expect(envelope.length).toBeGreaterThan(0);
  });
});

describe('directoryBlobSink', () => {
  it('stages what is good, privately, and nothing of what is not', async () => {
    const path = await copySample();
    writeFileSync(join(path, 'blobs/sha256', EXEC), 'title: EVIL\n');
    const stage = join(tempDirectory(), 'stage');
    const umask = process.umask(0);
    try {
      await readWhole(path, directoryBlobSink(stage));
    } finally {
      process.umask(umask);
    }
    expect((statSync(stage).mode & 0o777).toString(8)).toBe('700');
    expect(snapshot(stage)).toEqual(
      [
        [NET, '600', 'title: net\n'],
        [RUN, '600', '#!/bin/sh\n'],
        [hexOf(''), '600', ''],
      ].sort(),
    );
  });

  it('goes over what an interrupted run left', async () => {
    const path = await copySample();
    const stage = join(tempDirectory(), 'stage');
    mkdirSync(stage, { mode: 0o700 });
    writeFileSync(join(stage, '.1.part'), 'half');
    writeFileSync(join(stage, EXEC), 'half');
    symlinkSync('/etc/passwd', join(stage, '.2.part'));
    await readWhole(path, directoryBlobSink(stage, { durable: false }));
    expect(readdirSync(stage).sort()).toEqual([EXEC, NET, RUN, hexOf('')].sort());
    expect(hexOf(new Uint8Array(execFileSync('cat', [join(stage, EXEC)])))).toBe(EXEC);
  });

  it('an error of the sink ends the reading, and what was open is discarded', async () => {
    const path = await copySample();
    const events: string[] = [];
    const failing = {
      open: async (sha256: string) => ({
        write: async () => {
          if (sha256 === NET) throw new Error('sink is full');
        },
        commit: async () => void events.push(`commit ${sha256}`),
        discard: async () => void events.push(`discard ${sha256}`),
      }),
    };
    await expect(readWhole(path, failing)).rejects.toThrow('sink is full');
    expect(events).toContain(`discard ${NET}`);
    expect(events).not.toContain(`commit ${NET}`);
  });

  it('an error of a commit is not lost, though reading went on', async () => {
    const path = await copySample();
    const failing = {
      open: async (sha256: string) => ({
        write: async () => undefined,
        commit: async () => {
          if (sha256 === NET) throw new Error('commit failed');
        },
        discard: async () => undefined,
      }),
    };
    await expect(readWhole(path, failing)).rejects.toThrow('commit failed');
  });
});

describe('openBundle', () => {
  it.each<[string, string, string | Uint8Array]>([
    ['gzip', 'gunzip', Uint8Array.of(0x1f, 0x8b, 8, 0)],
    ['zip', 'zip', 'PK\x03\x04'],
    ['xz', 'unxz', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)],
    ['zstd', 'unzstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)],
    ['text', 'neither a bundle directory nor a tar', 'hello'],
    ['nothing', 'neither a bundle directory nor a tar', ''],
    ['zeros', 'neither a bundle directory nor a tar', new Uint8Array(10_240)],
  ])('NOT_A_BUNDLE: %s, with advice', async (_what, advice, bytes) => {
    const path = join(tempDirectory(), 'x.tar');
    writeFileSync(path, bytes);
    await expectCodeAsync(openBundle(path), 'NOT_A_BUNDLE');
    await expect(openBundle(path)).rejects.toMatchObject({ fault: 'failed', message: expect.stringContaining(advice) });
  });

  it('ENCRYPTED: age, and nobody who opens it', async () => {
    const path = join(tempDirectory(), 'x.tar');
    writeFileSync(path, 'age-encryption.org/v1\n');
    await expectCodeAsync(openBundle(path), 'ENCRYPTED');
    await expect(openBundle(path)).rejects.toMatchObject({ message: expect.stringContaining('--identity') });
  });

  it('NOT_A_BUNDLE: a directory without an envelope, a pipe, a device', async () => {
    const directory = tempDirectory();
    await expectCodeAsync(openBundle(directory), 'NOT_A_BUNDLE');
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    await expectCodeAsync(openBundle(join(directory, 'pipe')), 'NOT_A_BUNDLE');
    await expectCodeAsync(openBundle('/dev/null'), 'NOT_A_BUNDLE');
  });

  it('NOT_FOUND: nothing there, or a link to nothing', async () => {
    const directory = tempDirectory();
    await expectCodeAsync(openBundle(join(directory, 'x')), 'NOT_FOUND');
    symlinkSync('x', join(directory, 'link'));
    await expectCodeAsync(openBundle(join(directory, 'link')), 'NOT_FOUND');
    await expect(openBundle(join(directory, 'x'))).rejects.toMatchObject({ fault: 'failed' });
    writeFileSync(join(directory, 'file'), '');
    await expectCodeAsync(openBundle(join(directory, 'file', 'x')), 'NOT_FOUND');
  });

  it('READ_FAILED: whatever else the system says', async () => {
    await expectCodeAsync(openBundle(join(tempDirectory(), 'x'.repeat(5000))), 'READ_FAILED');
  });

  it('NO_PERMISSION: a file, a directory, a blob that this user may not read', async ({ skip }) => {
    const base = tempDirectory();
    chmodSync(base, 0o755);
    const path = await copySample();
    cpSync(path, join(base, 'open'), { recursive: true });
    cpSync(path, join(base, 'closed'), { recursive: true });
    copyFileSync(join(path, 'index.jsonl'), join(base, 'file'));
    chmodSync(join(base, 'file'), 0);
    chmodSync(join(base, 'open', 'index.jsonl'), 0);
    chmodSync(join(base, 'closed'), 0);
    const script = `
      const { openBundle } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/bundle/read-io.ts'))});
      for (const name of ['file', 'closed', 'open']) {
        try {
          const reader = await openBundle(${JSON.stringify(base)} + '/' + name);
          await reader.readHead();
          await reader.readIndex(10000);
        } catch (error) {
          console.log(name, error.code, error.fault);
        }
      }`;
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      ...nobody,
      encoding: 'utf8',
      cwd: '/',
    });
    chmodSync(join(base, 'closed'), 0o755);
    if (child.error !== undefined || child.stderr.includes('ERR_MODULE_NOT_FOUND') || child.stderr.includes('EACCES')) {
      skip('another user can not run this checkout');
    }
    expect(child.stdout.trim().split('\n')).toEqual([
      'file NO_PERMISSION failed',
      'closed NO_PERMISSION failed',
      'open NO_PERMISSION failed',
    ]);
  });
});
