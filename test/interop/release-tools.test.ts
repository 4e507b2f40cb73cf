import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertChecksums, checksumsOf, parseChecksums } from '../../src/verify/release/checksums.ts';
import { messageOfBytes } from '../../src/verify/release/message.ts';
import { parseMinisignKey, parseMinisignSignature, verifyMinisign } from '../../src/verify/release/minisign.ts';
import { verifyRaw } from '../../src/verify/release/raw-key.ts';
import { parseReleaseKey } from '../../src/verify/release/release-key.ts';
import { parseSignifyKey, parseSignifySignature, verifySignify } from '../../src/verify/release/signify.ts';
import { parseAllowedSigners } from '../../src/verify/release/ssh/allowed-signers.ts';
import { parseRevokedKeys } from '../../src/verify/release/ssh/revoked-keys.ts';
import { parseSshSignature } from '../../src/verify/release/ssh/signature.ts';
import { verifySsh } from '../../src/verify/release/ssh/verify.ts';
import { hasTool } from '../support/cli.ts';
import { expectCode } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

/** A directory with a release in it, and the tools' own way of signing. */
function place() {
  const directory = tempDirectory();
  const at = (name: string) => join(directory, name);
  writeFileSync(at('tool.tar'), Buffer.alloc(200_000, 'release'));
  return {
    at,
    read: (name: string) => new Uint8Array(readFileSync(at(name))),
    run: (command: string, ...args: string[]) =>
      execFileSync(command, args, { cwd: directory, stdio: ['ignore', 'pipe', 'ignore'] }),
  };
}

const flipped = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 1000 ? byte ^ 1 : byte));

describe.skipIf(!hasTool('minisign'))('minisign itself (skipped without it)', () => {
  it.each([
    ['prehashed', []],
    ['legacy', ['-l']],
  ] as const)('signs, %s, and we agree', (_, flags) => {
    const { read, run } = place();
    run('minisign', '-G', '-W', '-p', 'key.pub', '-s', 'key.sec');
    run('minisign', '-S', ...flags, '-s', 'key.sec', '-m', 'tool.tar', '-t', 'made for a test');
    const signature = parseMinisignSignature(read('tool.tar.minisig'));
    expect(signature.algorithm).toBe(_);
    const key = parseMinisignKey(read('key.pub'));
    const verdict = verifyMinisign(messageOfBytes('tool.tar', read('tool.tar')), signature, key);
    expect(verdict.trustedComment).toBe('made for a test');
    // It leaves out leading zeros.
    expect(Buffer.from(read('key.pub')).toString()).toContain(verdict.keyId.replace(/^0+/, ''));
    const other = messageOfBytes('tool.tar', flipped(read('tool.tar')));
    expectCode(() => verifyMinisign(other, signature, key), 'MINISIGN_SIGNATURE');
  });
});

describe.skipIf(!hasTool('signify-openbsd'))('signify itself (skipped without it)', () => {
  it('signs, and we agree; also a list with the text in it', () => {
    const { read, run, at } = place();
    run('signify-openbsd', '-G', '-n', '-p', 'key.pub', '-s', 'key.sec');
    run('signify-openbsd', '-S', '-s', 'key.sec', '-m', 'tool.tar');
    const key = parseSignifyKey(read('key.pub'));
    const message = messageOfBytes('tool.tar', read('tool.tar'));
    expect(verifySignify(message, parseSignifySignature(read('tool.tar.sig')), key).role).toBe('signify');
    writeFileSync(at('SHA256'), `SHA256 (tool.tar) = ${message.digests.sha256}\n`);
    run('signify-openbsd', '-S', '-e', '-s', 'key.sec', '-m', 'SHA256', '-x', 'SHA256.sig');
    const list = parseSignifySignature(read('SHA256.sig'));
    const text = list.embedded ?? new Uint8Array();
    expect(verifySignify(messageOfBytes('SHA256.sig', text), list, key).role).toBe('signify');
    assertChecksums(message, checksumsOf(parseChecksums(text), 'tool.tar'));
  });
});

describe.skipIf(!hasTool('ssh-keygen'))('ssh-keygen itself (skipped without it)', () => {
  it.each([
    ['ed25519', ['-t', 'ed25519']],
    ['P-256', ['-t', 'ecdsa', '-b', '256']],
    ['P-384', ['-t', 'ecdsa', '-b', '384']],
    ['P-521', ['-t', 'ecdsa', '-b', '521']],
    ['RSA', ['-t', 'rsa', '-b', '2048']],
  ])('signs with %s, and we agree', (_, kind) => {
    const { read, run } = place();
    run('ssh-keygen', '-q', ...kind, '-N', '', '-C', 'who made it', '-f', 'key');
    run('ssh-keygen', '-q', '-Y', 'sign', '-n', 'file', '-f', 'key', 'tool.tar');
    const signature = parseSshSignature(read('tool.tar.sig'));
    const signers = parseAllowedSigners(Buffer.concat([Buffer.from('me@x namespaces="file" '), read('key.pub')]));
    const trust = { signers, revoked: { has: () => false }, namespace: 'file', floor: '2026-11-22T00:00:00.000Z' };
    const message = messageOfBytes('tool.tar', read('tool.tar'));
    expect(verifySsh(message, signature, trust).identity).toBe('me@x');
    const revoked = parseRevokedKeys(read('key.pub'));
    expectCode(() => verifySsh(message, signature, { ...trust, revoked }), 'SSH_REVOKED');
    const other = messageOfBytes('tool.tar', flipped(read('tool.tar')));
    expectCode(() => verifySsh(other, signature, trust), 'SSH_SIGNATURE');
  });
});

describe.skipIf(!hasTool('openssl'))('openssl itself (skipped without it)', () => {
  it.each([
    [
      'Ed25519',
      ['-algorithm', 'ed25519'],
      ['pkeyutl', '-sign', '-rawin', '-inkey', 'key', '-in', 'tool.tar', '-out', 'sig'],
    ],
    [
      'P-256',
      ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      ['dgst', '-sha256', '-sign', 'key', '-out', 'sig', 'tool.tar'],
    ],
    [
      'P-384',
      ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
      ['dgst', '-sha256', '-sign', 'key', '-out', 'sig', 'tool.tar'],
    ],
  ])('signs with %s, and we agree', (_, kind, sign) => {
    const { read, run } = place();
    run('openssl', 'genpkey', ...kind, '-out', 'key');
    run('openssl', 'pkey', '-in', 'key', '-pubout', '-out', 'pub');
    run('openssl', ...sign);
    const key = parseReleaseKey(read('pub'));
    expect(verifyRaw(messageOfBytes('tool.tar', read('tool.tar')), read('sig'), key).role).toBe('key');
    const other = messageOfBytes('tool.tar', flipped(read('tool.tar')));
    expectCode(() => verifyRaw(other, read('sig'), key), 'RAW_SIGNATURE');
  });
});

describe.skipIf(!hasTool('sha256sum'))('sha256sum itself (skipped without it)', () => {
  it.each([['sha256sum'], ['sha512sum'], ['sha256sum', '--tag'], ['sha512sum', '-b']])(
    '%s %s makes lists that we read',
    (command, ...flags) => {
      const { read, run, at } = place();
      const odd = 'a\\b\nc';
      writeFileSync(at(odd), 'odd');
      const list = new Uint8Array(run(command, ...flags.filter((flag) => flag !== undefined), 'tool.tar', odd));
      for (const name of ['tool.tar', odd]) {
        assertChecksums(messageOfBytes(name, read(name)), checksumsOf(parseChecksums(list), name));
      }
    },
  );
});
