import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatTime } from '../../src/core/time.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { daemoneye, ensureBuilt, expectError, finished, hasTool, inside, ROOT, start } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

const SAMPLES = join(ROOT, 'bundles/samples');
const TAR = join(SAMPLES, 'linux-baseline-1.bundle.tar');
const TRUST = ['--trust', join(SAMPLES, 'root')];
const ROOT_FILE = join(SAMPLES, 'root/1.root.dsse.json');
const KEYS = join(ROOT, 'keys/example');
const isRoot = process.getuid?.() === 0;

const made = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
/** Made once by the real program; each test has a copy. */
const MADE = join(made, 'data');

beforeAll(async () => {
  await ensureBuilt();
  const { digest } = parseRoot(new Uint8Array(readFileSync(ROOT_FILE)));
  expect((await daemoneye(['init', '--data', MADE])).code).toBe(0);
  expect((await daemoneye(['trust', 'pin', ROOT_FILE, '--fingerprint', digest, '--data', MADE])).code).toBe(0);
});

afterAll(() => rmSync(made, { recursive: true, force: true }));

function enclave(): string {
  const data = join(tempDirectory(), 'data');
  cpSync(MADE, data, { recursive: true, verbatimSymlinks: true });
  return data;
}

function fileWith(bytes: string | Uint8Array): string {
  const path = join(tempDirectory(), 'file');
  writeFileSync(path, bytes);
  return path;
}

describe('bad input is told in one line, with the right exit code', () => {
  it.each([
    ['a missing bundle', () => ['bundle', 'verify', '/nonexistent', ...TRUST], 'NOT_FOUND', 1],
    ['a text file as bundle', () => ['bundle', 'verify', fileWith('hello\n'), ...TRUST], 'NOT_A_BUNDLE', 1],
    ['an empty file as bundle', () => ['bundle', 'verify', fileWith(''), ...TRUST], 'NOT_A_BUNDLE', 1],
    ['any directory as bundle', () => ['bundle', 'verify', tempDirectory(), ...TRUST], 'NOT_A_BUNDLE', 1],
    ['a missing trust root', () => ['bundle', 'verify', TAR, '--trust', '/nonexistent'], 'FILE_NOT_FOUND', 1],
    ['garbage as trust root', () => ['bundle', 'verify', TAR, '--trust', fileWith('{"a":')], 'ROOT_MALFORMED', 3],
    ['no data directory', () => ['bundle', 'apply', TAR, '--data', '/nonexistent'], 'NOT_INITIALISED', 1],
    ['a public key to sign with', () => ['bundle', 'sign', copyOf(), '--key', key('alice.pub')], 'KEY_WRONG_HALF', 1],
    ['garbage as key', () => ['bundle', 'sign', copyOf(), '--key', fileWith('garbage')], 'KEY_MALFORMED', 1],
    [
      'a kind there is none of',
      () => ['bundle', 'build', '.', '--kind', 'x', '--out', 'y', '--root', 'z'],
      'USAGE_VALUE',
      2,
    ],
    ['a moment that is none', () => ['bundle', 'verify', TAR, ...TRUST, '--floor', 'yesterday'], 'USAGE_VALUE', 2],
    ['a missing log', () => ['ledger', 'verify', '/nonexistent'], 'LEDGER_NOT_FOUND', 1],
    ['a proof that is none', () => checkProof(fileWith('x'), fileWith('{}')), undefined, 3],
  ])('%s', async (_what, args, code, exit) => {
    const ran = await inside(args(), { now: formatTime(Date.now()) });
    if (code === undefined) expect(ran.code).toBe(exit);
    else expectError(ran, code, exit);
  });

  const key = (name: string) => join(KEYS, `TEST-ONLY-${name}.pem`);
  const checkProof = (proof: string, line: string) => [
    'ledger',
    'check-proof',
    proof,
    '--line',
    line,
    '--key',
    key('bob.pub'),
  ];
  const copyOf = () => {
    const copy = join(tempDirectory(), 'copy.bundle');
    cpSync(join(SAMPLES, 'linux-baseline-1.bundle'), copy, { recursive: true });
    return copy;
  };

  it('a truncated tar, at any length, is refused or no bundle', async () => {
    const tar = readFileSync(TAR);
    for (const length of [1, 511, 512, 513, 4096, tar.length - 1024, tar.length - 1]) {
      const ran = await inside(['bundle', 'verify', fileWith(tar.subarray(0, length)), ...TRUST]);
      expect([1, 3]).toContain(ran.code);
      expect(`${ran.stdout}${ran.stderr}`).not.toMatch(/\n\s+at /);
    }
  });

  it('rules that do not compile are not built, and nothing is left', async () => {
    const folder = tempDirectory();
    mkdirSync(join(folder, 'rules'));
    writeFileSync(join(folder, 'rules', 'broken.yaml'), 'id: [');
    const args = ['bundle', 'build', join(folder, 'rules'), '--kind', 'rules', '--channel', 'rules/x'];
    const ran = await inside([...args, '--root', join(SAMPLES, 'root'), '--out', join(folder, 'out')]);
    expectError(ran, 'CONTENT_REFUSED', 1);
    expect(readdirSync(folder)).toEqual(['rules']);
  });

  it('apply asks, and where nobody can answer says what to pass', async () => {
    const data = enclave();
    const ran = await daemoneye(['bundle', 'apply', TAR, '--data', data]);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('[CONFIRM_NEEDED]');
    expect(existsSync(join(data, 'bundles', 'rules~linux-baseline'))).toBe(false);
  });

  it('a state that was tampered with ends with 4', async () => {
    const data = enclave();
    const entries = join(data, 'logs/install/entries/000000000000.ndjson');
    writeFileSync(entries, readFileSync(entries, 'utf8').replace('"version":1', '"version":2'));
    expectError(await daemoneye(['bundle', 'list', '--data', data]), 'STATE_TAMPERED', 4);
    expectError(await daemoneye(['bundle', 'apply', TAR, '--yes', '--data', data]), 'TAMPERED', 4);
  });

  it('a second writer is told that somebody is at it', async () => {
    const data = enclave();
    const { acquireLock } = await import('../../src/durable/lock-io.ts');
    using _lock = acquireLock(join(data, 'logs/install/lock'));
    expectError(await daemoneye(['bundle', 'apply', TAR, '--yes', '--data', data]), 'LOCKED', 1);
  });

  it('Ctrl-C while it asks leaves everything as it was', async () => {
    const data = enclave();
    // A big rules bundle is not needed: the signal comes as soon as the program is up, wherever it is then.
    const child = start(['bundle', 'apply', TAR, '--yes', '--data', data], {}, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.kill('SIGINT');
    await finished(child);
    const list = await daemoneye(['bundle', 'list', '--data', data]);
    expect(list.code, list.stderr).toBe(0);
    const again = await daemoneye(['bundle', 'apply', TAR, '--yes', '--data', data]);
    expect(again.code, again.stderr).toBe(0);
    expect(readdirSync(join(data, 'staging'))).toEqual([]);
  });
});

const asUser = (uid: number) => ['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
const NOBODY = 65534;
/** As in most containers. */
const NOT_IN_PASSWD = 54321;
const canDrop = isRoot && hasTool('setpriv');

describe.skipIf(!canDrop)('without permission (needs root and setpriv, to give it up)', () => {
  const run = (args: readonly string[], uid = NOBODY) => {
    const env = { PATH: process.env['PATH'], HOME: '/nonexistent', LC_ALL: 'C.UTF-8' };
    const [command = '', ...drop] = asUser(uid);
    const ran = spawnSync(command, [...drop, join(ROOT, 'bin/daemoneye'), ...args], { encoding: 'utf8', env });
    return { code: ran.status, signal: null, stdout: ran.stdout, stderr: ran.stderr };
  };

  it('a data directory of somebody else is told in one line', async () => {
    const data = enclave();
    const ran = run(['bundle', 'apply', TAR, '--yes', '--data', data]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^daemoneye: [^\n]+ \[[A-Z_]+\]\n$/);
  });

  it('nor is it taken for one that was never made', async () => {
    expectError(run(['bundle', 'list', '--data', enclave()]), 'NO_PERMISSION', 1);
  });

  it('a user without an entry in passwd can do it all', () => {
    const folder = tempDirectory();
    chownSync(folder, NOT_IN_PASSWD, NOT_IN_PASSWD);
    const { digest } = parseRoot(new Uint8Array(readFileSync(ROOT_FILE)));
    for (const words of [['init'], ['trust', 'pin', ROOT_FILE, '--fingerprint', digest], ['bundle', 'list']]) {
      const ran = run([...words, '--data', join(folder, 'data')], NOT_IN_PASSWD);
      expect(ran.code, ran.stderr).toBe(0);
    }
  });

  it('an unreadable bundle is told in one line', () => {
    const bundle = join(tempDirectory(), 'bundle.tar');
    cpSync(TAR, bundle);
    chmodSync(bundle, 0o600);
    chmodSync(join(bundle, '..'), 0o755);
    expectError(run(['bundle', 'verify', bundle, ...TRUST]), 'NO_PERMISSION', 1);
  });
});

describe.skipIf(!canMount())('on a full disk (needs root, for a small file system)', () => {
  it('apply says so, changes nothing, and works when there is room again', async () => {
    const folder = tempDirectory();
    const data = join(folder, 'data');
    mkdirSync(data);
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=700', 'tmpfs', data]);
    try {
      const { digest } = parseRoot(new Uint8Array(readFileSync(ROOT_FILE)));
      expect((await daemoneye(['init', '--data', data])).code).toBe(0);
      expect((await daemoneye(['trust', 'pin', ROOT_FILE, '--fingerprint', digest, '--data', data])).code).toBe(0);
      const filler = join(data, 'filler');
      spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k'], { stdio: 'ignore' });
      expect(statSync(filler).size).toBeGreaterThan(0);
      expectError(await daemoneye(['bundle', 'apply', TAR, '--yes', '--data', data]), 'NO_SPACE', 1);
      writeFileSync(filler, '');
      expect((await daemoneye(['bundle', 'list', '--data', data])).stdout).toContain('no bundle has been applied yet');
      const again = await daemoneye(['bundle', 'apply', TAR, '--yes', '--data', data]);
      expect(again.code, again.stderr).toBe(0);
    } finally {
      spawnSync('umount', [data]);
    }
  });
});

function canMount(): boolean {
  if (!isRoot || !hasTool('mount')) return false;
  const folder = tempDirectoryNow();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0;
  if (mounted) spawnSync('umount', [folder]);
  return mounted;
}

function tempDirectoryNow(): string {
  return spawnSync('mktemp', ['-d'], { encoding: 'utf8' }).stdout.trim();
}

if (!canDrop) console.warn('SKIPPED: what happens without permission needs root and setpriv');
if (!canMount()) console.warn('SKIPPED: the full disk needs root, for a small file system');
