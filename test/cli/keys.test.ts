import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parsePrivateKey, parsePublicKey } from '../../src/core/keys.ts';
import { daemoneye, ensureBuilt, expectError, hasTool, inside, jsonOf, LAUNCHER } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

beforeAll(ensureBuilt);

type Generated = { keyid: string; encrypted: boolean; privateFile: string; publicFile: string };
type Shown = { keyid: string; half: string; publicKey: string };

/** A directory with a passphrase file in it. */
function folder(): { cwd: string; passphrase: string } {
  const cwd = tempDirectory();
  const passphrase = join(cwd, 'passphrase');
  writeFileSync(passphrase, 'correct horse\n', { mode: 0o600 });
  return { cwd, passphrase };
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('keys generate', () => {
  it('writes a pair that belongs together, the private half for its owner only', async () => {
    const { cwd } = folder();
    // A umask that would let everyone read and write.
    const ran = await daemoneye(['-c', 'umask 0; exec "$0" keys generate alice --json', LAUNCHER], {
      cwd,
      command: 'sh',
    });
    const { keyid, privateFile, publicFile, encrypted } = jsonOf<Generated>(ran, 'keys-generate');
    expect([privateFile, publicFile, encrypted]).toEqual(['alice.key.pem', 'alice.pub.pem', false]);
    expect([modeOf(join(cwd, privateFile)), modeOf(join(cwd, publicFile))]).toEqual(['600', '644']);
    const key = parsePrivateKey(readFileSync(join(cwd, privateFile), 'utf8'));
    expect([key.publicKey.keyid, key.publicKey.pem]).toEqual([keyid, readFileSync(join(cwd, publicFile), 'utf8')]);
    expect(ran.stderr).toContain('not encrypted');
    expect(readdirSync(cwd).sort()).toEqual(['alice.key.pem', 'alice.pub.pem', 'passphrase']);
  });

  it('never makes the same key twice', async () => {
    const { cwd } = folder();
    const made = await Promise.all(['a', 'b'].map((name) => daemoneye(['keys', 'generate', name, '--json'], { cwd })));
    expect(new Set(made.map((ran) => jsonOf<Generated>(ran, 'keys-generate').keyid)).size).toBe(2);
  });

  it.skipIf(!hasTool('openssl'))('writes what openssl opens, with the passphrase and not without', async () => {
    const { cwd, passphrase } = folder();
    const made = await daemoneye(['keys', 'generate', 'bob', '--encrypt', '--passphrase-file', passphrase], { cwd });
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const openssl = (pass: string): string =>
      execFileSync('openssl', ['pkey', '-in', 'bob.key.pem', '-passin', pass, '-pubout'], {
        cwd,
        stdio: 'pipe',
      }).toString();
    expect(openssl(`file:${passphrase}`)).toBe(readFileSync(join(cwd, 'bob.pub.pem'), 'utf8'));
    expect(() => openssl('pass:wrong')).toThrow();
    expect(readFileSync(join(cwd, 'bob.key.pem'), 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  });

  it.each(['alice.key.pem', 'alice.pub.pem'])('overwrites nothing: not a single %s', async (existing) => {
    const { cwd } = folder();
    writeFileSync(join(cwd, existing), 'precious');
    expectError(await daemoneye(['keys', 'generate', 'alice'], { cwd }), 'FILE_EXISTS', 1);
    expect(readdirSync(cwd).sort()).toEqual([existing, 'passphrase']);
    expect(readFileSync(join(cwd, existing), 'utf8')).toBe('precious');
  });

  it('does not write through a link that someone put there', async () => {
    const { cwd } = folder();
    symlinkSync(join(cwd, 'elsewhere'), join(cwd, 'alice.key.pem'));
    expectError(await daemoneye(['keys', 'generate', 'alice'], { cwd }), 'FILE_EXISTS', 1);
    expect(existsSync(join(cwd, 'elsewhere'))).toBe(false);
    expect(existsSync(join(cwd, 'alice.pub.pem'))).toBe(false);
  });

  it('leaves nothing behind when it fails', async () => {
    const { cwd } = folder();
    expectError(await daemoneye(['keys', 'generate', 'a', '--out', 'missing'], { cwd }), 'FILE_UNWRITABLE', 1);
    writeFileSync(join(cwd, 'empty'), '\n');
    const empty = ['keys', 'generate', 'a', '--encrypt', '--passphrase-file', 'empty'];
    expectError(await daemoneye(empty, { cwd }), 'PASSPHRASE_EMPTY', 1);
    expectError(await daemoneye(['keys', 'generate', 'a', '--encrypt'], { cwd }), 'PASSPHRASE_NEEDED', 2);
    expect(readdirSync(cwd).sort()).toEqual(['empty', 'passphrase']);
  });

  it.each(['..', '.hidden', 'a/b', '-x', 'a b', 'a\nb', 'ä', '', 'x'.repeat(101)])(
    'refuses the name %j',
    async (name) => {
      const { cwd } = folder();
      expectError(await inside(['keys', 'generate', '--out', cwd, '--', name]), 'USAGE_VALUE', 2);
      expect(readdirSync(cwd)).toEqual(['passphrase']);
    },
  );
});

describe('keys show', () => {
  it('tells the same of both halves, encrypted or not, and never the private one', async () => {
    const { cwd, passphrase } = folder();
    const env = { DAEMONEYE_PASSPHRASE_FILE: passphrase };
    await daemoneye(['keys', 'generate', 'a', '--encrypt'], { cwd, env });
    const show = async (file: string): Promise<Shown> =>
      jsonOf<Shown>(await daemoneye(['keys', 'show', file, '--json'], { cwd, env }), 'keys-show');
    const [open, hidden] = [await show('a.pub.pem'), await show('a.key.pem')];
    expect([open.half, hidden.half]).toEqual(['public', 'private']);
    expect({ ...hidden, half: '' }).toEqual({ ...open, half: '' });
    expect(parsePublicKey(open.publicKey).keyid).toBe(open.keyid);
    const { stdout } = await daemoneye(['keys', 'show', 'a.key.pem'], { cwd, env });
    expect(stdout).toContain(open.keyid);
    expect(stdout).not.toContain('PRIVATE');
  });

  it('needs the passphrase, and the right one', async () => {
    const { cwd, passphrase } = folder();
    await daemoneye(['keys', 'generate', 'a', '--encrypt', '--passphrase-file', passphrase], { cwd });
    writeFileSync(join(cwd, 'wrong'), 'wrong');
    expectError(await daemoneye(['keys', 'show', 'a.key.pem'], { cwd }), 'PASSPHRASE_NEEDED', 2);
    const wrong = ['keys', 'show', 'a.key.pem', '--passphrase-file', 'wrong'];
    expectError(await daemoneye(wrong, { cwd }), 'KEY_PASSPHRASE', 1);
    expectError(await daemoneye([...wrong.slice(0, -1), 'none'], { cwd }), 'FILE_NOT_FOUND', 1);
  });

  it('names the file and says what is wrong with it', async () => {
    const { cwd } = folder();
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const x25519 = generateKeyPairSync('x25519');
    const files: [string, string | Buffer, string][] = [
      ['rsa.pub.pem', rsa.publicKey.export({ type: 'spki', format: 'pem' }), 'KEY_ALGORITHM'],
      ['rsa.key.pem', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }), 'KEY_ALGORITHM'],
      ['x25519.pub.pem', x25519.publicKey.export({ type: 'spki', format: 'pem' }), 'KEY_ALGORITHM'],
      ['pkcs1.key.pem', rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }), 'KEY_MALFORMED'],
      [
        'openssh',
        '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n',
        'KEY_MALFORMED',
      ],
      ['empty', '', 'KEY_MALFORMED'],
      ['binary', Buffer.from([0xff, 0xfe, 0]), 'KEY_MALFORMED'],
      ['huge', 'x'.repeat(70_000), 'FILE_TOO_LARGE'],
    ];
    for (const [name, content, code] of files) {
      writeFileSync(join(cwd, name), content);
      const ran = await inside(['keys', 'show', join(cwd, name)]);
      expectError(ran, code, 1);
      expect(ran.stderr).toContain(name);
    }
    mkdirSync(join(cwd, 'folder'));
    expectError(await inside(['keys', 'show', join(cwd, 'folder')]), 'FILE_IS_DIRECTORY', 1);
  });
});
