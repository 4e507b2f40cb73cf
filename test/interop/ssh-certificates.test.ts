import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { messageOfBytes } from '../../src/verify/release/message.ts';
import { parseSshSigner } from '../../src/verify/release/ssh/certificate.ts';
import { parseRevokedKeys } from '../../src/verify/release/ssh/revoked-keys.ts';
import { prepareSsh } from '../../src/verify/release/ssh-method.ts';
import { hasTool } from '../support/cli.ts';

const FLOOR = '2026-11-22T00:00:00.000Z';
const has = hasTool('ssh-keygen');
let directory = '';
const at = (name: string) => join(directory, name);
const read = (name: string) => new Uint8Array(readFileSync(at(name)));
const text = (name: string) => readFileSync(at(name), 'utf8').trim();
const run = (...args: string[]) =>
  execFileSync('ssh-keygen', args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] }).toString();

/** A key's files, a certificate by `ca` beside it, and a signature under that over `data`. */
function certify(
  name: string,
  ca: string,
  flags: readonly string[],
  kind: readonly string[] = ['-t', 'ed25519'],
): void {
  run('-q', ...kind, '-N', '', '-C', name, '-f', name);
  run('-q', '-s', ca, '-I', `${name} of ${ca}`, ...flags, `${name}.pub`);
  sign(`${name}-cert.pub`, `${name}.sig`);
}

function sign(key: string, signature: string): void {
  run('-q', '-Y', 'sign', '-n', 'file', '-f', key, 'data');
  renameSync(at('data.sig'), at(signature));
}

const CURRENT = ['-V', '20260101000000Z:20270101000000Z'];

beforeAll(() => {
  if (!has) return;
  directory = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  writeFileSync(at('data'), 'a release\n');
  for (const [name, ...kind] of [
    ['ca', '-t', 'ed25519'],
    ['ca-ec', '-t', 'ecdsa'],
    ['ca-rsa', '-t', 'rsa'],
    ['ca-other', '-t', 'ed25519'],
  ] as const)
    run('-q', ...kind, '-N', '', '-C', name, '-f', name);
  certify('alice', 'ca', ['-n', 'alice@x,root', '-z', '7', ...CURRENT]);
  certify('ec', 'ca-ec', ['-n', 'alice@x', '-z', '9', ...CURRENT], ['-t', 'ecdsa', '-b', '384']);
  certify('rsa', 'ca-rsa', ['-n', 'alice@x', ...CURRENT], ['-t', 'rsa', '-b', '2048']);
  certify('anybody', 'ca', CURRENT);
  certify('host', 'ca', ['-h', '-n', 'alice@x', ...CURRENT]);
  certify('forever', 'ca', ['-n', 'alice@x', '-z', '1000']);
  certify('ended', 'ca', ['-n', 'alice@x', '-V', '20250101000000Z:20261122000000Z']);
  certify('begins', 'ca', ['-n', 'alice@x', '-V', '20261122000001Z:20270101000000Z']);
  certify('pattern', 'ca', ['-n', '*@x,alice*', ...CURRENT]);
  certify('forced', 'ca', ['-n', 'alice@x', '-O', 'force-command=true', ...CURRENT]);
  sign('ca', 'by-ca.sig');
  sign('alice', 'by-alice.sig');
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Case = { readonly signature: string; readonly signers: string; readonly who?: string; readonly revoked?: string };

/** What ssh-keygen says, and what we say. */
function both({ signature, signers, who = 'alice@x', revoked }: Case): { tool: boolean; ours: boolean; code: string } {
  writeFileSync(at('signers'), signers);
  const args = [
    '-Y',
    'verify',
    '-f',
    'signers',
    '-I',
    who,
    '-n',
    'file',
    '-s',
    signature,
    '-O',
    'verify-time=20261122000000Z',
  ];
  const told = spawnSync('ssh-keygen', [...args, ...(revoked === undefined ? [] : ['-r', revoked])], {
    cwd: directory,
    input: readFileSync(at('data')),
  });
  const material = { signers: read('signers'), identity: who, namespace: 'file', floor: FLOOR };
  const method = prepareSsh(read(signature), {
    ...material,
    revoked: revoked === undefined ? undefined : read(revoked),
  });
  const { checks, signers: found } = method.verify(messageOfBytes('data', read('data')));
  const [check] = checks;
  return {
    tool: told.status === 0,
    ours: found.length === 1,
    code: check?.status === 'pass' ? 'good' : (check?.code ?? ''),
  };
}

const authority = (ca: string, principals = '*', options = 'cert-authority') =>
  `${principals} ${options} ${text(`${ca}.pub`)}\n`;

describe.skipIf(!has)('SSH certificates under allowed signers, as ssh-keygen has them (skipped without it)', () => {
  it.each<[string, () => Case, string]>([
    ['of Ed25519', () => ({ signature: 'alice.sig', signers: authority('ca') }), 'good'],
    ['of ECDSA', () => ({ signature: 'ec.sig', signers: authority('ca-ec') }), 'good'],
    ['of RSA', () => ({ signature: 'rsa.sig', signers: authority('ca-rsa') }), 'good'],
    ['without an end', () => ({ signature: 'forever.sig', signers: authority('ca') }), 'good'],
    ['by another of its names', () => ({ signature: 'alice.sig', signers: authority('ca'), who: 'root' }), 'good'],
    [
      'on the second line',
      () => ({ signature: 'alice.sig', signers: authority('ca', 'bob@x') + authority('ca', '*@x') }),
      'good',
    ],
    [
      'for a namespace',
      () => ({ signature: 'alice.sig', signers: authority('ca', '*', 'cert-authority,namespaces="file"') }),
      'good',
    ],
    [
      'whose name the line leaves out',
      () => ({ signature: 'alice.sig', signers: authority('ca', 'bob@x') }),
      'SSH_PRINCIPAL',
    ],
    [
      'whose name the line shuts out',
      () => ({ signature: 'alice.sig', signers: authority('ca', '*,!alice@x') }),
      'SSH_PRINCIPAL',
    ],
    [
      'that has not the name',
      () => ({ signature: 'alice.sig', signers: authority('ca'), who: 'bob@x' }),
      'SSH_PRINCIPAL',
    ],
    [
      'that has a pattern for the name',
      () => ({ signature: 'pattern.sig', signers: authority('ca') }),
      'SSH_PRINCIPAL',
    ],
    ['that has no names', () => ({ signature: 'anybody.sig', signers: authority('ca') }), 'SSH_CERTIFICATE'],
    ['for a host', () => ({ signature: 'host.sig', signers: authority('ca') }), 'SSH_CERTIFICATE'],
    ['that has ended', () => ({ signature: 'ended.sig', signers: authority('ca') }), 'SSH_VALIDITY'],
    ['that has not begun', () => ({ signature: 'begins.sig', signers: authority('ca') }), 'SSH_VALIDITY'],
    [
      'for another namespace',
      () => ({ signature: 'alice.sig', signers: authority('ca', '*', 'cert-authority,namespaces="git"') }),
      'SSH_NAMESPACE',
    ],
    [
      'of an authority over',
      () => ({ signature: 'alice.sig', signers: authority('ca', '*', 'cert-authority,valid-before="20261121Z"') }),
      'SSH_VALIDITY',
    ],
    ['of another authority', () => ({ signature: 'alice.sig', signers: authority('ca-other') }), 'SSH_SIGNER_UNKNOWN'],
    [
      'of an authority that is listed as a key',
      () => ({ signature: 'alice.sig', signers: `* ${text('ca.pub')}\n` }),
      'SSH_SIGNER_UNKNOWN',
    ],
    [
      'of a key that is listed without',
      () => ({ signature: 'alice.sig', signers: `* ${text('alice.pub')}\n` }),
      'SSH_SIGNER_UNKNOWN',
    ],
    [
      'left away, of a key under an authority',
      () => ({ signature: 'by-alice.sig', signers: authority('ca') }),
      'SSH_SIGNER_UNKNOWN',
    ],
    [
      'left away, of the authority itself',
      () => ({ signature: 'by-ca.sig', signers: authority('ca') }),
      'SSH_SIGNER_UNKNOWN',
    ],
  ])('one %s', (_, make, code) => {
    const { tool, ours, code: found } = both(make());
    expect(found).toBe(code);
    expect(ours).toBe(tool);
  });

  it('are refused here when limited to what a file is not, which ssh-keygen passes over', () => {
    const { tool, ours, code } = both({ signature: 'forced.sig', signers: authority('ca') });
    expect([tool, ours, code]).toEqual([true, false, 'SSH_CERTIFICATE']);
  });
});

describe.skipIf(!has)('lists of revoked keys, as ssh-keygen has them (skipped without it)', () => {
  const KEYS = ['alice', 'ec', 'rsa', 'forever'] as const;
  const krl = (lines: string, ...flags: readonly string[]): string => {
    writeFileSync(at('spec'), lines);
    run('-q', '-k', '-f', 'krl', ...flags, 'spec');
    return 'krl';
  };
  const fingerprint = (name: string, hash: string) =>
    /(?:SHA256|SHA1):\S+/.exec(run('-l', '-E', hash, '-f', at(`${name}.pub`)))?.[0] ?? '';

  it.each<[string, () => string]>([
    ['of nobody', () => krl('')],
    ['of a key', () => krl(`key: ${text('alice.pub')}\n`)],
    ['of a key by its certificate', () => krl(`key: ${text('alice-cert.pub')}\n`)],
    ['of a key by SHA-1', () => krl(`sha1: ${text('ec.pub')}\n`)],
    ['of a key by SHA-256', () => krl(`sha256: ${text('rsa.pub')}\n`)],
    ['of a key by its fingerprint', () => krl(`hash: ${fingerprint('rsa', 'sha256')}\n`)],
    ['of an authority', () => krl(`key: ${text('ca.pub')}\n`)],
    ['of a certificate by its number', () => krl('serial: 7\n', '-s', 'ca.pub')],
    ['of numbers in a row', () => krl('serial: 5-9\n', '-s', 'ca.pub')],
    [
      'of numbers that make a bitmap',
      () => krl(`${[3, 5, 7, 8, 11, 13, 14].map((n) => `serial: ${n}`).join('\n')}\n`, '-s', 'ca.pub'),
    ],
    ['of numbers far apart', () => krl('serial: 7\nserial: 1000\nserial: 18446744073709551615\n', '-s', 'ca.pub')],
    ['of numbers of another authority', () => krl('serial: 1-2000\n', '-s', 'ca-other.pub')],
    ['of a certificate by its name', () => krl('id: alice of ca\n', '-s', 'ca.pub')],
    ['of a name that only starts alike', () => krl('id: alice of c\n', '-s', 'ca.pub')],
    ['of numbers and names of any authority', () => krl('serial: 9\nid: rsa of ca-rsa\n', '-s', 'none')],
    [
      'of all sorts',
      () =>
        krl(
          `serial: 7\nid: ec of ca\nkey: ${text('rsa.pub')}\nsha256: ${text('forever.pub')}\n`,
          '-s',
          'ca.pub',
          '-z',
          '3',
        ),
    ],
  ])('%s', (_, make) => {
    const list = make();
    const revoked = parseRevokedKeys(read(list));
    const files = KEYS.flatMap((name) => [`${name}.pub`, `${name}-cert.pub`]);
    const told = spawnSync('ssh-keygen', ['-Q', '-f', list, ...files], { cwd: directory, encoding: 'utf8' }).stdout;
    const ours = files.map((file) => {
      const [, base64 = ''] = text(file).split(' ');
      return `${file} ${revoked.has(parseSshSigner(new Uint8Array(Buffer.from(base64, 'base64')))) ? 'REVOKED' : 'ok'}`;
    });
    expect(ours).toEqual(
      told
        .trim()
        .split('\n')
        .map((line) => line.replace(/ \(.*\):/, '')),
    );
    const signed = both({ signature: 'alice.sig', signers: authority('ca'), revoked: list });
    expect(signed.ours).toBe(signed.tool);
  });

  it.each([
    ['a key', 'alice.pub', ['SSH_REVOKED', 'good']],
    ['an authority', 'ca-ec.pub', ['good', 'SSH_REVOKED']],
    ['a certificate', 'ec-cert.pub', ['good', 'SSH_REVOKED']],
  ])('in text, of %s', (_, file, expected) => {
    writeFileSync(at('list'), `# gone\n${text(file)}\n`);
    const found = ['alice', 'ec'].map((name) => {
      const signers = authority('ca') + authority('ca-ec');
      return both({ signature: `${name}.sig`, signers, revoked: 'list' });
    });
    expect(found.map(({ code }) => code)).toEqual(expected);
    for (const { ours, tool } of found) expect(ours).toBe(tool);
  });
});
