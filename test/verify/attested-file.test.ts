import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Attestation } from '../../src/bundle/attestations.ts';
import type { IndexEntry } from '../../src/bundle/index-lines.ts';
import { encodeHex, utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { signWithKey } from '../../src/core/keys.ts';
import { namedFiles, namedPins, prepareAttested } from '../../src/verify/attested-file.ts';
import { ReleaseError } from '../../src/verify/release/errors.ts';
import type { Message } from '../../src/verify/release/message.ts';
import { testKey } from '../support/keys.ts';
import {
  attestationBundle,
  bundleBytes,
  leaf,
  messageBundle,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  pemOf,
  statementAbout,
} from '../support/sigstore-authority.ts';
import { day } from '../support/trust.ts';
import { minisign, minisignKey, signify, signifyKey, sshKeyLine, sshSignature } from './release/signing.ts';

const OURS = testKey('vendor');
const OTHER = testKey('somebody else');
const DATA = utf8('the tool, as its vendor made it');
const HEX = encodeHex(sha256(DATA));
const lineOf = (file: string) => file.split('\n')[1] ?? '';

const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SPKI = P256.publicKey.export({ format: 'der', type: 'spki' });
const signer = leaf();
const keyed = leaf({ key: P256 });
const statement = (hex: string, predicateType?: string, predicate?: object) =>
  statementAbout([{ name: 'x', digest: { sha256: hex } }], predicateType, predicate);
const slsa = {
  buildDefinition: {
    buildType: 'https://example.com/t',
    externalParameters: { workflow: { repository: 'https://example.com/a/b' } },
  },
  runDetails: { builder: { id: 'https://example.com/builder' } },
};

/** What each method signs, rightly, over DATA. */
const FILES: Readonly<Record<string, string | Uint8Array>> = {
  'v/tool': DATA,
  'v/other': 'another tool of the same vendor',
  'v/mini': minisign(OURS, DATA),
  'v/mini.legacy': minisign(OURS, DATA, true),
  'v/mini.of-other': minisign(OURS, utf8('another tool of the same vendor')),
  'v/mini.by-other': minisign(OTHER, DATA),
  'v/mini.altered': minisign(OURS, DATA).replace('timestamp:1', 'timestamp:2'),
  'v/mini.empty': '',
  'v/signify': signify(OURS, DATA),
  'v/signify.embedded': `${signify(OURS, DATA)}and a list that nobody asked about\n`,
  'v/ssh': sshSignature(OURS, DATA),
  'v/ssh.git': sshSignature(OURS, DATA, { namespace: 'git' }),
  'v/raw': signWithKey(OURS, DATA),
  'v/raw.p256': sign('sha256', DATA, P256.privateKey),
  'v/SUMS': `${HEX}  tool\n${'0'.repeat(64)}  other\n`,
  'v/SUMS.mini': minisign(OURS, utf8(`${HEX}  tool\n${'0'.repeat(64)}  other\n`)),
  'v/SUMS.by-other': minisign(OTHER, utf8(`${HEX}  tool\n${'0'.repeat(64)}  other\n`)),
  'v/SUMS.json': bundleBytes(messageBundle(signer, utf8(`${HEX}  tool\n${'0'.repeat(64)}  other\n`))),
  'v/sig.json': bundleBytes(messageBundle(signer, DATA)),
  'v/sig.of-other.json': bundleBytes(messageBundle(signer, utf8('another tool'))),
  'v/keyed.json': bundleBytes(messageBundle(keyed, DATA, { plainKey: true })),
  'v/keyed.unlogged.json': bundleBytes(messageBundle(keyed, DATA, { plainKey: true, withoutLog: true })),
  'v/att.json': bundleBytes(attestationBundle(signer, statement(HEX))),
  'v/att.of-other.json': bundleBytes(attestationBundle(signer, statement('0'.repeat(64)))),
  'v/slsa.json': bundleBytes(attestationBundle(signer, statement(HEX, 'https://slsa.dev/provenance/v1', slsa))),
  'root.json': ownRoot(),
};

const bytesOf = (path: string) => {
  const content = FILES[path] ?? '';
  return typeof content === 'string' ? utf8(content) : content;
};

/** Judged as the bundle would be: only what was said to be needed is known. @returns a code each, undefined for good */
function judge(attestation: object, more: { readonly path?: string; readonly list?: object } = {}) {
  const entries = Object.keys(FILES).map((path): IndexEntry => {
    const bytes = bytesOf(path);
    return { path, mode: '0644', size: bytes.length, sha256: encodeHex(sha256(bytes)) };
  });
  const attested = (path: string, one: object) => {
    const plain = entries.find((entry) => entry.path === path);
    if (plain === undefined) throw new Error(`no ${path}`);
    return { ...plain, attestations: [one as Attestation] };
  };
  const list = more.list === undefined ? undefined : attested('v/SUMS', more.list);
  const entry = attested(more.path ?? 'v/tool', attestation);
  const entryOf = (path: string) => (path === list?.path ? list : entries.find((one) => one.path === path));
  const named = namedFiles(entry, entryOf);
  const pins = namedPins(entry, entryOf);
  const prepared = prepareAttested(entry, {
    entryOf,
    bytesOf: (path) => {
      if (!named.has(path)) throw new Error(`${path} was not said to be needed`);
      return bytesOf(path);
    },
    pinnedRoot: (name) => {
      if (!pins.has(name)) throw new Error(`${name} was not said to be needed`);
      if (name !== 'own') throw new ReleaseError('TRUSTED_ROOT_UNPINNED', name);
      return { bytes: ownRoot(), source: 'own, pinned in trust root 7' };
    },
    floor: day(0),
  });
  const bytes = bytesOf(entry.path);
  const digests = Object.fromEntries(
    prepared.hashes.map((hash) => [hash, createHash(hash).update(bytes).digest('hex')]),
  );
  const message: Message = {
    name: entry.path,
    size: entry.size,
    digests: { sha256: entry.sha256, ...digests },
    ...(prepared.isKept ? { bytes } : {}),
  };
  const [finding, ...others] = prepared.judge(message);
  expect(others).toEqual([]);
  if (finding === undefined || finding.ok) return { code: 'good', root: finding?.root ?? '', reason: '' };
  return { code: finding.cause.code, root: '', reason: finding.cause.message };
}

const mini = { type: 'minisign', material: 'v/mini', key: lineOf(minisignKey(OURS)) };
const signified = { type: 'signify', material: 'v/signify', key: lineOf(signifyKey(OURS)) };
const ssh = { type: 'ssh', material: 'v/ssh', key: sshKeyLine(OURS), namespace: 'file' };
const raw = { type: 'key', material: 'v/raw', key: OURS.publicKey.pem };
const certified = {
  type: 'sigstore',
  material: 'v/sig.json',
  identity: OWN_IDENTITY,
  issuer: OWN_ISSUER,
  trustedRoot: 'root.json',
};
const byKey = {
  type: 'sigstore-key',
  material: 'v/keyed.json',
  key: pemOf('PUBLIC KEY', SPKI),
  trustedRoot: 'root.json',
};
const sums = { type: 'sums', material: 'v/SUMS' };
const listed = { ...mini, material: 'v/SUMS.mini' };
const policy = { source: 'https://example.com/a/b' };

describe('a third-party signature in a bundle', () => {
  it.each<[string, object]>([
    ['minisign', mini],
    ['minisign over the file itself', { ...mini, material: 'v/mini.legacy' }],
    ['signify', signified],
    ['SSH', ssh],
    ['an Ed25519 key', raw],
    ['a P-256 key', { ...raw, material: 'v/raw.p256', key: pemOf('PUBLIC KEY', SPKI) }],
    ['a sigstore bundle', certified],
    ['an attestation', { ...certified, material: 'v/att.json' }],
    ['provenance under a policy', { ...certified, material: 'v/slsa.json', policy }],
    ['a sigstore bundle by a key', byKey],
  ])('by %s: is good', (_, attestation) => {
    expect(judge(attestation)).toMatchObject({ code: 'good' });
  });

  it('by a line of a signed list: is good', () => {
    expect(judge(sums, { list: listed })).toMatchObject({ code: 'good' });
    expect(judge(sums, { list: { ...certified, material: 'v/att.json' } })).toMatchObject({ code: 'SUBJECT_MISMATCH' });
  });

  it('by a certificate under a root that the trust root pins: is good, and no other name is', () => {
    const pinned = { ...certified, trustedRoot: 'pin:own' };
    expect(judge(pinned)).toMatchObject({ code: 'good', root: expect.stringMatching(/^own, pinned in trust root 7/) });
    expect(judge({ ...byKey, trustedRoot: 'pin:own' })).toMatchObject({ code: 'good' });
    // Also where it is the list that is signed.
    const list = { ...pinned, material: 'v/SUMS.json' };
    expect(judge(sums, { list })).toMatchObject({ code: 'good' });
    for (const trustedRoot of ['pin:', 'pin:other', 'pin:root.json', 'pin:pin:own'])
      expect(judge({ ...certified, trustedRoot })).toMatchObject({ code: 'TRUSTED_ROOT_UNPINNED' });
  });

  it('says by which root certificates were judged', () => {
    expect(judge(certified).root).toMatch(/^root\.json, sha256:[0-9a-f]{64};/);
  });

  it.each<[string, object, string]>([
    ['over another file', { ...mini, material: 'v/mini.of-other' }, 'MINISIGN_SIGNATURE'],
    ['by another key', { ...mini, material: 'v/mini.by-other' }, 'MINISIGN_KEY_MISMATCH'],
    ['under the key of another', { ...mini, key: lineOf(minisignKey(OTHER)) }, 'MINISIGN_KEY_MISMATCH'],
    ['that was altered', { ...mini, material: 'v/mini.altered' }, 'MINISIGN_COMMENT'],
    ['that is empty', { ...mini, material: 'v/mini.empty' }, 'MINISIGN_MALFORMED'],
    ['that is the list, not a signature', { ...mini, material: 'v/SUMS' }, 'MINISIGN_MALFORMED'],
    ['with text of its own behind it', { ...signified, material: 'v/signify.embedded' }, 'SIGNIFY_MALFORMED'],
    ['made for git', { ...ssh, material: 'v/ssh.git' }, 'SSH_NAMESPACE'],
    ['by another SSH key', { ...ssh, key: sshKeyLine(OTHER) }, 'SSH_SIGNER_UNKNOWN'],
    [
      'by an authority of SSH',
      { ...ssh, key: sshKeyLine(OURS).replace(/^\S+/, 'cert-authority') },
      'SSH_SIGNERS_MALFORMED',
    ],
    ['under a key that is none', { ...raw, key: 'x' }, 'KEY_REFUSED'],
    ['under two keys', { ...raw, key: OURS.publicKey.pem + OTHER.publicKey.pem }, 'KEY_REFUSED'],
    ['by another key of openssl', { ...raw, key: OTHER.publicKey.pem }, 'RAW_SIGNATURE'],
    ['by another identity', { ...certified, identity: `${OWN_IDENTITY}x` }, 'IDENTITY_MISMATCH'],
    ['by an identity that only starts so', { ...certified, identity: OWN_IDENTITY.slice(0, -1) }, 'IDENTITY_MISMATCH'],
    ['by another issuer', { ...certified, issuer: `${OWN_ISSUER}.evil.example` }, 'ISSUER_MISMATCH'],
    ['whose bundle is of another file', { ...certified, material: 'v/sig.of-other.json' }, 'ARTIFACT_MISMATCH'],
    ['whose attestation is of another file', { ...certified, material: 'v/att.of-other.json' }, 'SUBJECT_MISMATCH'],
    ['by a plain key where a certificate is asked for', { ...certified, material: 'v/keyed.json' }, 'KEY_MISSING'],
    ['by a certificate where a key is asked for', { ...byKey, material: 'v/sig.json' }, 'IDENTITY_UNSAID'],
    ['by a key, in no log', { ...byKey, material: 'v/keyed.unlogged.json' }, 'LOG_ENTRY_REFUSED'],
    ['under a root that is none', { ...certified, trustedRoot: 'v/sig.json' }, 'TRUSTED_ROOT_MALFORMED'],
    ['without provenance for its policy', { ...certified, policy }, 'PROVENANCE_MISSING'],
    [
      'whose provenance is of another source',
      { ...certified, material: 'v/slsa.json', policy: { source: 'https://evil.example' } },
      'POLICY_NOT_MET',
    ],
    [
      'under a policy nobody knows',
      { ...certified, material: 'v/slsa.json', policy: { sauce: 'x' } },
      'POLICY_MALFORMED',
    ],
    ['under a policy that asks nothing', { ...certified, material: 'v/slsa.json', policy: {} }, 'POLICY_MALFORMED'],
  ])('%s: is refused, by the name of the file', (_, attestation, code) => {
    const { code: found, reason } = judge(attestation);
    expect([found, reason.startsWith('v/tool is not vouched for by ')]).toEqual([code, true]);
  });

  it('is not taken for one by a root of others: the shipped one knows nobody of ours', () => {
    const { trustedRoot: _, ...shipped } = certified;
    expect(judge(shipped).code).not.toBe('good');
  });

  it.each<[string, object, string]>([
    ['signed by another', { ...listed, material: 'v/SUMS.by-other' }, 'MINISIGN_KEY_MISMATCH'],
    ['whose signature is over the file', mini, 'MINISIGN_SIGNATURE'],
    ['that only another list vouches for', { type: 'sums', material: 'v/SUMS' }, 'SIGNATURE_MISSING'],
  ])('by a list %s: is refused', (_, list, code) => {
    expect(judge(sums, { list }).code).toBe(code);
  });

  it('by a signed list with another digest, or without a line: is refused', () => {
    expect(judge(sums, { list: listed, path: 'v/other' }).code).toBe('SUMS_MISMATCH');
    expect(judge(sums, { list: listed, path: 'root.json' }).code).toBe('SUMS_NOT_LISTED');
    expect(judge(sums).code).toBe('SIGNATURE_MISSING');
  });

  it.each([
    ['v/mini', [signified, ssh, raw, certified, byKey]],
    ['v/signify', [mini, ssh, raw, certified, byKey]],
    ['v/ssh', [mini, signified, raw, certified, byKey]],
    ['v/raw', [mini, signified, ssh, certified, byKey]],
    ['v/sig.json', [mini, signified, ssh, raw, byKey]],
  ])('%s, judged by every other method: is refused', (material, attestations) => {
    for (const attestation of attestations) expect(judge({ ...attestation, material }).code).not.toBe('good');
  });

  it('over a file that is too large to hold is refused where the signature is over all of it', () => {
    const size = 256 * 1024 * 1024 + 1;
    const large: IndexEntry = { path: 'v/tool', mode: '0644', size, sha256: HEX, attestations: [raw as Attestation] };
    const prepared = prepareAttested(large, {
      entryOf: () => undefined,
      bytesOf,
      pinnedRoot: () => ({ bytes: new Uint8Array(), source: '' }),
      floor: day(0),
    });
    expect(prepared.isKept).toBe(false);
    const [finding] = prepared.judge({ name: 'v/tool', size, digests: { sha256: HEX } });
    expect(finding).toMatchObject({ ok: false, cause: { code: 'MESSAGE_TOO_LARGE' } });
  });
});
