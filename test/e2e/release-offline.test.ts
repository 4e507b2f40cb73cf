import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, encodeHex, utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { signWithKey } from '../../src/core/keys.ts';
import { SLSA_V1 } from '../../src/verify/release/provenance/slsa.ts';
import { imageLayout } from '../cli/release/image-layout.ts';
import { registryKeys, registryMetadata } from '../cli/release/npm-material.ts';
import { ensureBuilt, environment, ROOT } from '../support/cli.ts';
import { testKey } from '../support/keys.ts';
import {
  attestationBundle,
  bundleBytes,
  leaf,
  messageBundle,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  statementAbout,
} from '../support/sigstore-authority.ts';
import { tempDirectory } from '../support/temp.ts';
import { vectors } from '../support/vectors.ts';
import { certificate, clearsigned, ed25519, packet, signature } from '../verify/release/openpgp/making.ts';
import {
  minisign,
  minisignKey,
  signify,
  signifyKey,
  sshCertificate,
  sshKeyLine,
  sshSignature,
} from '../verify/release/signing.ts';

const MAIN = join(ROOT, 'dist/src/cli/main.js');
const OURS = testKey('release');
const PGP = ed25519('release');
const DATA = Buffer.from('a release\n');
const HEX = encodeHex(sha256(DATA));
const OTHER = testKey('authority');
const SUBJECT = [{ name: 'a', digest: { sha256: HEX } }];
const PROVENANCE = { buildDefinition: {}, runDetails: { builder: { id: 'https://example.com/builder' } } };
const signer = leaf();
const SIGSTORE = vectors('sigstore');
const BEACON =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main';

beforeAll(ensureBuilt);

/** No socket, no child process, no native addon, no writing: the runtime refuses each. */
const FENCE = ['--permission', '--allow-fs-read=*'];
const PROBE = "require('net').connect(9, '127.0.0.1').on('error', (e) => console.log(e.code))";

/** One release signed in every way, and the command line that trusts each. */
function releases(): { cwd: string; lines: string[][] } {
  const cwd = tempDirectory();
  const sums = `SHA256 (a) = ${'0'.repeat(64)}\n`;
  const files: Record<string, string | Uint8Array> = {
    a: DATA,
    'a.minisig': minisign(OURS, DATA),
    'a.signify': signify(OURS, DATA),
    'a.ssh': sshSignature(OURS, DATA),
    'a.raw': signWithKey(OURS, DATA),
    'mini.pub': minisignKey(OURS),
    'signify.pub': signifyKey(OURS),
    signers: `dev@x ${sshKeyLine(OURS)}\n`,
    'key.pem': OURS.publicKey.pem,
    'a.pgp': packet(2, signature(PGP, DATA)),
    'ring.gpg': certificate(PGP),
    InRelease: clearsigned(PGP, `Date: Fri, 01 Jan 2027 00:00:00 UTC\nSHA256:\n ${HEX} ${DATA.length} a\n`),
    'a.cert.ssh': sshSignature(OURS, DATA, { publicKey: sshCertificate(OURS, OTHER) }),
    authorities: `release@example.org cert-authority ${sshKeyLine(OTHER)}\n`,
    krl: concatBytes(utf8('SSHKRL\n\0'), Uint8Array.of(0, 0, 0, 1), new Uint8Array(32)),
    'a.own.json': bundleBytes(messageBundle(signer, DATA)),
    'a.slsa.json': bundleBytes(attestationBundle(signer, statementAbout(SUBJECT, SLSA_V1, PROVENANCE))),
    'policy.json': '{"builder":"https://example.com/builder"}',
    'root.json': ownRoot(),
    'npm.json': registryMetadata(undefined, undefined, DATA),
    'npm.keys': registryKeys,
    ...imageLayout(signer).files,
    SUMS: sums,
    'SUMS.minisig': minisign(OURS, utf8(sums)),
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, name)), { recursive: true });
    writeFileSync(join(cwd, name), content);
  }
  const root = ['--trusted-root', 'root.json'];
  const certified = [...root, '--identity', OWN_IDENTITY, '--issuer', OWN_ISSUER];
  const npm = ['--npm', '@org/tool@1.2.3', '--npm-keys', 'npm.keys', '--npm-signatures', 'npm.json'];
  const asSuite = [...root, '--certificate-identity', OWN_IDENTITY, '--certificate-oidc-issuer', OWN_ISSUER];
  const lines = [
    ['verify', 'a', '--minisign', 'mini.pub'],
    ['verify', 'a', '--signify', 'signify.pub', '--signature', 'a.signify'],
    ['verify', 'a', '--ssh-signers', 'signers', '--signature', 'a.ssh'],
    ['verify', 'a', '--ssh-signers', 'authorities', '--signature', 'a.cert.ssh', '--ssh-revoked', 'krl'],
    ['verify', 'a', '--key', 'key.pem', '--signature', 'a.raw'],
    ['verify', 'a', '--openpgp', 'ring.gpg', '--signature', 'a.pgp'],
    ['verify', 'a', '--openpgp', 'ring.gpg', '--sums', 'InRelease'],
    ['verify', 'a', ...npm],
    ['verify', 'a', '--provenance', 'a.slsa.json', '--policy', 'policy.json', ...certified],
    ['verify', 'image', ...certified],
    ['conformance', 'verify-bundle', '--bundle', 'a.own.json', ...asSuite, 'a'],
    ['conformance', 'verify-bundle', '--bundle', 'a.own.json', ...asSuite, `sha256:${HEX}`],
  ];
  if (SIGSTORE !== undefined) {
    copyFileSync(join(SIGSTORE, 'a.txt'), join(cwd, 'a.txt'));
    copyFileSync(join(SIGSTORE, 'happy-path-v0.3/bundle.sigstore.json'), join(cwd, 'b.json'));
    const who = ['--identity', BEACON, '--issuer', 'https://token.actions.githubusercontent.com'];
    lines.push(['verify', 'a.txt', '--bundle', 'b.json', '--trusted-root', 'public-good', ...who]);
  }
  return { cwd, lines };
}

function run(command: string, args: readonly string[], cwd: string) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env: environment({ HOME: cwd }),
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

function expectVerdicts(prefix: readonly string[]): void {
  const { cwd, lines } = releases();
  const [command = '', ...rest] = [...prefix, MAIN, 'release'];
  for (const line of lines) {
    const { status, stdout, stderr } = run(command, [...rest, ...line], cwd);
    expect([status, stderr], `${line.join(' ')}\n${stdout}`).toEqual([0, '']);
  }
  const refused = run(command, [...rest, 'verify', 'a', '--sums', 'SUMS', '--minisign', 'mini.pub'], cwd);
  expect([refused.status, refused.stdout.includes('SUMS_MISMATCH')]).toEqual([3, true]);
}

describe('release needs no network', () => {
  it('and runs where the runtime grants nothing but reading', () => {
    const { stdout, stderr } = run(process.execPath, [...FENCE, '-e', PROBE], ROOT);
    expect(stdout + stderr).toContain('ERR_ACCESS_DENIED');
    expectVerdicts([process.execPath, ...FENCE]);
  });

  const hasNamespaces = spawnSync('unshare', ['-n', 'true']).status === 0;
  if (!hasNamespaces) console.warn('SKIPPED: what needs an empty network namespace (unshare -n)');
  it.skipIf(!hasNamespaces)('and runs in an empty network namespace (skipped without unshare -n)', () => {
    expect(run('unshare', ['-n', process.execPath, '-e', PROBE], ROOT).stdout).toMatch(/ENETUNREACH|ENETDOWN/);
    expectVerdicts(['unshare', '-n', process.execPath]);
  });
});
