import { symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { signWithKey } from '../../../src/core/keys.ts';
import { expectError } from '../../support/cli.ts';
import { minisign, minisignKey, signify, sshKeyLine, sshSignature } from '../../verify/release/signing.ts';
import { DATA, HEX, OTHER, OURS, place, verify } from './place.ts';

const LIST = `${HEX}  tool.tar\n`;
const passing = (...names: string[]) => names.map((name) => [name, 'pass']);

describe('release verify', () => {
  it.each<[string, Record<string, string | Uint8Array>, string[], string[]]>([
    ['minisign', { 'tool.tar.minisig': minisign(OURS, DATA) }, ['--minisign', '@trust/mini.pub'], ['minisign']],
    [
      'minisign with the key itself',
      { 'tool.tar.minisig': minisign(OURS, DATA, true) },
      ['--minisign', minisignKey(OURS).split('\n')[1] ?? ''],
      ['minisign'],
    ],
    ['minisign called .sig', { 'tool.tar.sig': minisign(OURS, DATA) }, ['--minisign', '@trust/mini.pub'], ['minisign']],
    ['signify', { 'tool.tar.sig': signify(OURS, DATA) }, ['--signify', '@trust/signify.pub'], ['signify']],
    [
      'SSH',
      { 'tool.tar.sig': sshSignature(OURS, DATA) },
      ['--ssh-signers', '@trust/signers', '--identity', 'dev@x'],
      ['ssh'],
    ],
    ['openssl', { 'tool.tar.sig': signWithKey(OURS, DATA) }, ['--key', '@trust/key.pem'], ['key']],
    [
      'two at once',
      { 'tool.tar.sig': sshSignature(OURS, DATA), 'tool.tar.minisig': minisign(OURS, DATA) },
      ['--minisign', '@trust/mini.pub', '--ssh-signers', '@trust/signers'],
      ['minisign', 'ssh'],
    ],
    [
      'a named signature',
      { other: minisign(OURS, DATA), 'tool.tar.minisig': minisign(OTHER, DATA) },
      ['--minisign', '@trust/mini.pub', '--signature', '@other'],
      ['minisign'],
    ],
    [
      'a list',
      { SHA256SUMS: LIST, 'SHA256SUMS.minisig': minisign(OURS, utf8(LIST)) },
      ['--minisign', '@trust/mini.pub', '--sums', '@SHA256SUMS'],
      ['minisign', 'checksums'],
    ],
    [
      'a list signed with SSH',
      { SHA256SUMS: LIST, 'SHA256SUMS.sig': sshSignature(OURS, utf8(LIST)) },
      ['--ssh-signers', '@trust/signers', '--sums', '@SHA256SUMS'],
      ['ssh', 'checksums'],
    ],
    [
      "a list inside signify's file",
      { 'SHA256.sig': signify(OURS, utf8(LIST)) + LIST },
      ['--signify', '@trust/signify.pub', '--sums', '@SHA256.sig'],
      ['signify', 'checksums'],
    ],
    [
      "a list inside signify's file, named as a signature",
      { 'SHA256.sig': signify(OURS, utf8(LIST)) + LIST },
      ['--signify', '@trust/signify.pub', '--signature', '@SHA256.sig'],
      ['signify', 'checksums'],
    ],
  ])('trusts %s', async (_, files, args, checks) => {
    const { report, codes } = await verify(place(files), '@tool.tar', ...args);
    expect(codes).toEqual(passing('file', ...checks));
    expect(report.subject.digest).toBe(`sha256:${HEX}`);
    expect(report.signers.map(({ keyid }) => keyid)).toContain(OURS.publicKey.keyid);
  });

  it.each<[string, Record<string, string | Uint8Array>, string[], string[][]]>([
    [
      'another key',
      { 'tool.tar.minisig': minisign(OTHER, DATA) },
      ['--minisign', '@trust/mini.pub'],
      [['minisign', 'MINISIGN_KEY_MISMATCH']],
    ],
    [
      'another file',
      { 'tool.tar.minisig': minisign(OURS, utf8('x')) },
      ['--minisign', '@trust/mini.pub'],
      [['minisign', 'MINISIGN_SIGNATURE']],
    ],
    ['no signature', {}, ['--minisign', '@trust/mini.pub'], [['minisign', 'SIGNATURE_MISSING']]],
    [
      'one signature of two',
      { 'tool.tar.minisig': minisign(OURS, DATA) },
      ['--minisign', '@trust/mini.pub', '--ssh-signers', '@trust/signers'],
      [
        ['minisign', 'pass'],
        ['ssh', 'SIGNATURE_MISSING'],
      ],
    ],
    [
      'one bad signature of two',
      { 'tool.tar.minisig': minisign(OURS, DATA), 'tool.tar.sig': sshSignature(OTHER, DATA) },
      ['--minisign', '@trust/mini.pub', '--ssh-signers', '@trust/signers'],
      [
        ['minisign', 'pass'],
        ['ssh', 'SSH_SIGNER_UNKNOWN'],
      ],
    ],
    [
      'another identity',
      { 'tool.tar.sig': sshSignature(OURS, DATA) },
      ['--ssh-signers', '@trust/signers', '--identity', 'de'],
      [['ssh', 'SSH_PRINCIPAL']],
    ],
    [
      'another namespace',
      { 'tool.tar.sig': sshSignature(OURS, DATA) },
      ['--ssh-signers', '@trust/signers', '--ssh-namespace', 'git'],
      [['ssh', 'SSH_NAMESPACE']],
    ],
    [
      'a revoked key',
      { 'tool.tar.sig': sshSignature(OURS, DATA), 'trust/revoked': sshKeyLine(OURS) },
      ['--ssh-signers', '@trust/signers', '--ssh-revoked', '@trust/revoked'],
      [['ssh', 'SSH_REVOKED']],
    ],
    [
      'a list without this file',
      { L: `${HEX}  other\n`, 'L.minisig': minisign(OURS, utf8(`${HEX}  other\n`)) },
      ['--minisign', '@trust/mini.pub', '--sums', '@L'],
      [
        ['minisign', 'pass'],
        ['checksums', 'SUMS_NOT_LISTED'],
      ],
    ],
    [
      'a list with another hash',
      { L: `${'0'.repeat(64)}  tool.tar\n`, 'L.minisig': minisign(OURS, utf8(`${'0'.repeat(64)}  tool.tar\n`)) },
      ['--minisign', '@trust/mini.pub', '--sums', '@L'],
      [
        ['minisign', 'pass'],
        ['checksums', 'SUMS_MISMATCH'],
      ],
    ],
    [
      'a changed list',
      { L: LIST, 'L.minisig': minisign(OURS, utf8('x')) },
      ['--minisign', '@trust/mini.pub', '--sums', '@L'],
      [
        ['minisign', 'MINISIGN_SIGNATURE'],
        ['checksums', 'skipped'],
      ],
    ],
    [
      'a list that nobody signed',
      { L: LIST, 'tool.tar.minisig': minisign(OURS, DATA) },
      ['--minisign', '@trust/mini.pub', '--sums', '@L'],
      [
        ['minisign', 'SIGNATURE_MISSING'],
        ['checksums', 'skipped'],
      ],
    ],
    [
      "a changed list inside signify's file",
      { 'SHA256.sig': `${signify(OURS, utf8(LIST))}${LIST}#\n` },
      ['--signify', '@trust/signify.pub', '--sums', '@SHA256.sig'],
      [
        ['signify', 'SIGNIFY_SIGNATURE'],
        ['checksums', 'skipped'],
      ],
    ],
    [
      'a signature that is damaged',
      { 'tool.tar.sig': '-----BEGIN SSH SIGNATURE-----\n\u001b]0;owned\u0007' },
      ['--ssh-signers', '@trust/signers'],
      [['ssh', 'SSH_MALFORMED']],
    ],
  ])('refuses %s', async (_, files, args, checks) => {
    const { report, codes } = await verify(place(files), '@tool.tar', ...args);
    expect(codes).toEqual([['file', 'pass'], ...checks]);
    expect(report.signers).toEqual([]);
  });

  it.each<[string, Record<string, string | Uint8Array>, string[], string]>([
    ['no trust', { 'tool.tar.minisig': minisign(OURS, DATA) }, [], '--minisign KEY'],
    ['neither trust nor signature', {}, [], '--signature'],
    [
      'two signatures for one key',
      { 'tool.tar.minisig': minisign(OURS, DATA), 'tool.tar.sig': minisign(OTHER, DATA) },
      ['--minisign', '@trust/mini.pub'],
      'tool.tar.sig (a minisign signature)',
    ],
    [
      'a signature given and nothing to check it with',
      { s: sshSignature(OURS, DATA), m: minisign(OURS, DATA) },
      ['--minisign', '@trust/mini.pub', '--signature', '@m', '--signature', '@s'],
      '--ssh-signers',
    ],
    ['an option that judges nothing', {}, ['--minisign', '@trust/mini.pub', '--identity', 'x'], '--identity'],
    [
      'an OpenPGP signature given',
      { s: '-----BEGIN PGP SIGNATURE-----\n' },
      ['--signature', '@s'],
      '--openpgp KEYRING',
    ],
    ['something else given', { s: 'hello' }, ['--minisign', '@trust/mini.pub', '--signature', '@s'], 'no signature'],
  ])('asks instead of guessing: %s', async (_, files, args, hint) => {
    const ran = await place(files).run('@tool.tar', ...args);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain(hint);
    expect(ran.stdout).toBe('');
  });

  it('tells of a signature beside the file that it was not asked to check', async () => {
    const where = place({
      'tool.tar.minisig': minisign(OURS, DATA),
      'tool.tar.asc': '-----BEGIN PGP SIGNATURE-----\n',
    });
    const { report } = await verify(where, '@tool.tar', '--minisign', '@trust/mini.pub');
    expect(report.verdict).toBe('trusted');
    expect(report.checks[0]?.detail).toEqual({ notChecked: [where.at('tool.tar.asc')] });
  });

  it('never trusts a key because it lies beside the file', async () => {
    const where = place({
      'tool.tar.minisig': minisign(OTHER, DATA),
      'minisign.pub': minisignKey(OTHER),
      'tool.tar.pub': minisignKey(OTHER),
    });
    expect((await where.run('@tool.tar')).code).toBe(2);
    expect((await verify(where, '@tool.tar', '--minisign', '@trust/mini.pub')).report.verdict).toBe('refused');
  });

  it('ends with one sentence when what is trusted is malformed, too large, or not there', async () => {
    const where = place({ 'tool.tar.minisig': minisign(OURS, DATA), large: new Uint8Array(17_000_000), bad: 'x\n' });
    expectError(await where.run('@tool.tar', '--minisign', '@bad'), 'MINISIGN_KEY_MALFORMED', 3);
    expectError(await where.run('@tool.tar', '--minisign', '@large'), 'FILE_TOO_LARGE', 3);
    expectError(await where.run('@tool.tar', '--minisign', '@none'), 'FILE_NOT_FOUND', 1);
    expectError(await where.run('@nothing.tar', '--minisign', '@trust/mini.pub'), 'FILE_NOT_FOUND', 1);
    expectError(await where.run('@trust', '--minisign', '@trust/mini.pub'), 'USAGE_OPTION', 2);
  });

  it('judges an allowed signer by the floor it is told, never by a clock', async () => {
    const signers = `dev@x valid-before="20280101Z" ${sshKeyLine(OURS)}\n`;
    const where = place({ 'tool.tar.sig': sshSignature(OURS, DATA), 'trust/timed': signers });
    expect((await verify(where, '@tool.tar', '--ssh-signers', '@trust/timed')).report.verdict).toBe('trusted');
    const late = await verify(where, '@tool.tar', '--ssh-signers', '@trust/timed', '--floor', '2028-01-01');
    expect(late.codes[1]).toEqual(['ssh', 'SSH_VALIDITY']);
  });

  it('follows a link that somebody names himself, and looks beside the link', async () => {
    const where = place({ 'latest.minisig': minisign(OURS, DATA) });
    symlinkSync('tool.tar', where.at('latest'));
    const ran = await where.run('@latest', '--minisign', '@trust/mini.pub');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
  });

  it('shows hostile names harmlessly', async () => {
    const comment = 'x\u001b]0;owned\u0007\u202e';
    const where = place({ 'tool.tar.minisig': minisign(OURS, DATA, false, comment) });
    const { stdout } = await where.run('@tool.tar', '--minisign', '@trust/mini.pub');
    expect(stdout).toContain('\\x1b]0;owned\\x07\\u{202e}');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the point
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });
});
