import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasTool } from '../../../support/cli.ts';
import { runs } from '../../../support/slow.ts';
import { tempDirectory } from '../../../support/temp.ts';
import { outcome } from './judging.ts';
import { armor, certificate, clearsigned, ed25519, packet, rsa, signature, subkey } from './making.ts';

const TOOLS = ['gpg', 'gpgv', 'gpg-agent', 'gpgconf'];
const missing = TOOLS.filter((name) => !hasTool(name));

/** Whoever signs, at noon of New Year's Day 2026; what is expired by now was for a day only. */
const MADE = '20260101T120000';
const SIGNED = '20260101T180000';
const FLOOR = Date.UTC(2026, 1) / 1000;
const DATA = Buffer.from('a release\nof two lines\n');

class Gpg {
  readonly home = mkdtempSync(join(tmpdir(), 'daemoneye-gpg-'));
  readonly #env = { PATH: process.env['PATH'], HOME: this.home, GNUPGHOME: this.home, LC_ALL: 'C' };

  run(args: readonly string[], at = SIGNED, input?: Uint8Array): Buffer {
    const all = ['--batch', '--quiet', '--no-tty', '--yes', '--faked-system-time', at, '--passphrase', '', ...args];
    return execFileSync('gpg', ['--pinentry-mode', 'loopback', ...all], {
      env: this.#env,
      input,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
  }

  /** @returns its fingerprint */
  key(name: string, algorithm: string, expires = '0'): string {
    const user = `${name} <${name}@example.org>`;
    this.run(['--quick-generate-key', user, algorithm, 'sign', expires], MADE);
    const listed = this.run(['--list-keys', '--with-colons', user]).toString();
    return /^fpr:+([0-9A-F]+):/m.exec(listed)?.[1] ?? '';
  }

  sign(who: readonly string[], args: readonly string[], data: Uint8Array = DATA, at = SIGNED): Buffer {
    return this.run([...who.flatMap((user) => ['-u', `${user}@example.org`]), ...args], at, data);
  }

  ring(...who: readonly string[]): Buffer {
    return this.run(['--export', ...who.map((user) => `${user}@example.org`)]);
  }

  stop(): void {
    execFileSync('gpgconf', ['--kill', 'all'], { env: this.#env, stdio: 'ignore' });
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** What gpgv says: the words of its status lines that tell of signatures. */
function gpgv(signature_: Uint8Array, ring: Uint8Array, data?: Uint8Array): string[] {
  const at = tempDirectory();
  const path = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(at, name), bytes);
    return join(at, name);
  };
  const files = [path('s', signature_), ...(data === undefined ? [] : [path('d', data)])];
  const { stdout } = spawnSync('gpgv', ['--status-fd', '1', '--keyring', path('ring', ring), ...files], {
    encoding: 'latin1',
    env: { PATH: process.env['PATH'], HOME: at, LC_ALL: 'C' },
  });
  const told = stdout
    .split('\n')
    .flatMap((line) => /^\[GNUPG:\] (GOODSIG|BADSIG|ERRSIG|EXPSIG|EXPKEYSIG|REVKEYSIG)\b/.exec(line)?.[1] ?? []);
  return told;
}

describe.skipIf(missing.length > 0)(`as GnuPG has it (skipped without ${TOOLS.join(', ')})`, () => {
  const gpg = new Gpg();
  const judged = (sig: Uint8Array, ring: Uint8Array, data: Uint8Array = DATA, threshold = 1) =>
    outcome(sig, ring, data, { floor: FLOOR, threshold });
  const fingerprints: Record<string, string> = {};

  beforeAll(() => {
    for (const algorithm of ['ed25519', 'rsa3072', 'nistp256', 'nistp384', 'nistp521']) {
      fingerprints[algorithm] = gpg.key(algorithm, algorithm);
    }
    fingerprints['sub'] = gpg.key('sub', 'nistp256');
    gpg.run(['--quick-add-key', fingerprints['sub'] ?? '', 'nistp256/ecdsa', 'sign', '0'], MADE);
    gpg.key('short', 'ed25519', '2026-01-02');
    gpg.key('gone', 'ed25519');
  }, 60_000);

  afterAll(() => gpg.stop());

  it.each(['ed25519', 'rsa3072', 'nistp256', 'nistp384', 'nistp521', 'sub'])('signatures of %s', async (name) => {
    const ring = gpg.ring(name);
    const made = {
      binary: gpg.sign([name], ['--detach-sign']),
      armoured: gpg.sign([name], ['--detach-sign', '--armor', '--emit-version', '--comment', 'https://example.org']),
      text: gpg.sign([name], ['--detach-sign', '--textmode']),
      sha512: gpg.sign([name], ['--detach-sign', '--digest-algo', 'SHA512']),
    };
    for (const sig of Object.values(made)) {
      expect([await judged(sig, ring), gpgv(sig, ring, DATA)]).toEqual(['pass', ['GOODSIG']]);
      const other = Buffer.from('a release\nof two lines.\n');
      expect([await judged(sig, ring, other), gpgv(sig, ring, other)]).toEqual(['PGP_SIGNATURE', ['BADSIG']]);
    }
    const clear = gpg.sign([name], ['--clearsign'], Buffer.from('- x\nFrom y \n\nz'));
    expect([await judged(clear, ring), gpgv(clear, ring)]).toEqual(['pass', ['GOODSIG']]);
    const armouredRing = gpg.run(['--export', '--armor', `${name}@example.org`]);
    expect(await judged(clear, armouredRing)).toBe('pass');
  });

  it('two owners in one file, and one of them', async () => {
    const ring = gpg.ring('ed25519', 'rsa3072');
    const both = gpg.sign(['ed25519', 'rsa3072'], ['--detach-sign']);
    expect([await judged(both, ring, DATA, 2), gpgv(both, ring, DATA)]).toEqual(['pass', ['GOODSIG', 'GOODSIG']]);
    expect(await judged(both, gpg.ring('ed25519'), DATA, 2)).toBe('THRESHOLD_NOT_MET');
    expect(await judged(both, gpg.ring('sub'), DATA)).toBe('PGP_KEY_UNKNOWN');
  });

  it('an expired key: both refuse to call it good', async () => {
    const sig = gpg.sign(['short'], ['--detach-sign']);
    const ring = gpg.ring('short');
    expect([await judged(sig, ring), gpgv(sig, ring, DATA)]).toEqual(['PGP_KEY_EXPIRED', ['EXPKEYSIG']]);
  });

  it('a revoked key: both refuse to call it good', async () => {
    const sig = gpg.sign(['gone'], ['--detach-sign']);
    expect(await judged(sig, gpg.ring('gone'))).toBe('pass');
    const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(
      gpg.run(['--list-keys', '--with-colons', 'gone@example.org']).toString(),
    )?.[1];
    const file = join(gpg.home, 'openpgp-revocs.d', `${fingerprint}.rev`);
    gpg.run(['--import'], SIGNED, Buffer.from(readFileSync(file, 'utf8').replace(/^:-/m, '-')));
    const ring = gpg.ring('gone');
    expect([await judged(sig, ring), gpgv(sig, ring, DATA)]).toEqual(['PGP_KEY_REVOKED', ['REVKEYSIG']]);
  });

  it('a revoked subkey', async () => {
    const fingerprint = gpg.key('subgone', 'ed25519');
    gpg.run(['--quick-add-key', fingerprint, 'ed25519', 'sign', '0'], MADE);
    const sig = gpg.sign(['subgone'], ['--detach-sign']);
    expect(await judged(sig, gpg.ring('subgone'))).toBe('pass');
    const edit = ['--command-fd', '0', '--edit-key', fingerprint];
    gpg.run(edit, SIGNED, Buffer.from('key 1\nrevkey\ny\n0\n\ny\nsave\n'));
    const ring = gpg.ring('subgone');
    expect([await judged(sig, ring), gpgv(sig, ring, DATA)]).toEqual(['PGP_KEY_REVOKED', ['REVKEYSIG']]);
  });

  it('what GnuPG takes and we do not: weak hashes, carriage returns in a text, what it cannot understand aside', async () => {
    const ring = gpg.ring('ed25519');
    const sha1 = gpg.sign(['ed25519'], ['--detach-sign', '--digest-algo', 'SHA1', '--allow-weak-digest-algos']);
    expect([await judged(sha1, ring), gpgv(sha1, ring, DATA)]).toEqual(['PGP_HASH', ['GOODSIG']]);
    const sha224 = gpg.sign(['ed25519'], ['--detach-sign', '--digest-algo', 'SHA224']);
    expect([await judged(sha224, ring), gpgv(sha224, ring, DATA)]).toEqual(['PGP_HASH', ['GOODSIG']]);
    const text = gpg.sign(['ed25519'], ['--detach-sign', '--textmode']);
    const crlf = Buffer.from(DATA.toString().replaceAll('\n', '\r\n'));
    expect([await judged(text, ring, crlf), gpgv(text, ring, crlf)]).toEqual(['PGP_TYPE', ['GOODSIG']]);
    const whole = gpg.sign(['ed25519'], ['--clearsign']).toString();
    const around = Buffer.from(`before\n${whole}after\n`);
    expect([await judged(around, ring), gpgv(around, ring)]).toEqual(['PGP_MALFORMED', ['GOODSIG']]);
    const notation = gpg.sign(['ed25519'], ['--detach-sign', '--sig-notation', '!x@example.org=y']);
    expect(await judged(notation, ring)).toBe('PGP_CRITICAL');
    expect(await judged(gpg.sign(['ed25519'], ['--detach-sign', '--sig-notation', 'x@example.org=y']), ring)).toBe(
      'pass',
    );
    const inline = gpg.sign(['ed25519'], ['--sign']);
    expect([await judged(inline, ring), gpgv(inline, ring)]).toEqual(['PGP_MALFORMED', ['GOODSIG']]);
  });

  it('a signature that ends', async () => {
    const sig = gpg.sign(['ed25519'], ['--detach-sign', '--default-sig-expire', '2']);
    const ring = gpg.ring('ed25519');
    expect([await judged(sig, ring), gpgv(sig, ring, DATA)]).toEqual(['PGP_EXPIRED', ['EXPSIG']]);
    expect(await outcome(sig, ring, DATA, { floor: Date.UTC(2026, 0, 3) / 1000 })).toBe('pass');
  });

  it('what we take to test with is OpenPGP to it', () => {
    const [ours, sub, strong] = [ed25519('ours'), ed25519('sub'), rsa(2048)];
    for (const [by, ring] of [
      [ours, certificate(ours)],
      [sub, certificate(ours, { tail: [subkey(ours, sub)] })],
      [strong, certificate(strong)],
    ] as const) {
      expect(gpgv(packet(2, signature(by, DATA)), ring, DATA)).toEqual(['GOODSIG']);
      expect(gpgv(Buffer.from(armor('PGP SIGNATURE', packet(2, signature(by, DATA)))), ring, DATA)).toEqual([
        'GOODSIG',
      ]);
      expect(gpgv(Buffer.from(clearsigned(by, '- x\ny\n')), ring)).toEqual(['GOODSIG']);
    }
  });

  it('whatever we take of a damaged signature, it takes too', async () => {
    const ring = gpg.ring('sub');
    const whole = gpg.sign(['sub'], ['--clearsign']);
    const step = Math.ceil((whole.length * 8) / runs(40, 2000));
    for (let bit = 0; bit < whole.length * 8; bit += step) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if ((await judged(damaged, ring)) === 'pass') expect([bit, gpgv(damaged, ring)]).toEqual([bit, ['GOODSIG']]);
    }
  }, 120_000);
});
