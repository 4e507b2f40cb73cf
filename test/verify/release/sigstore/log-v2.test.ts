import { createHash, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { preAuthEncoding } from '../../../../src/core/dsse.ts';
import {
  attestationBundle,
  type Leaf,
  leaf,
  logged,
  messageBundle,
  SIGNED_AT,
  type SignedBundle,
  statementAbout,
} from '../../../support/sigstore-authority.ts';
import { artifactOf } from '../../../support/sigstore-vectors.ts';
import { timestampChain, timestampOf } from '../../../support/timestamp-authority.ts';
import { ARTIFACT, edited, type Loose, material, ownTrust, refusal } from './judged.ts';

/** Entries of the second Rekor: no promise, other bodies, and time from a timestamp authority alone. */

const signer = leaf();
const trust = ownTrust({ timestampChain: timestampChain() });
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const digestOf = (bytes: Uint8Array) => base64(createHash('sha256').update(bytes).digest());
const certified = ({ der }: Leaf) => ({
  keyDetails: 'PKIX_ECDSA_P256_SHA_256',
  x509Certificate: { rawBytes: base64(der) },
});
const about = statementAbout([{ name: 'x', digest: { sha256: artifactOf(ARTIFACT).digests.sha256 } }]);

type Parts = {
  readonly kind?: string;
  readonly version?: string;
  readonly member?: string;
  readonly signature?: Uint8Array;
  readonly digest?: string;
  readonly verifier?: object;
};

const sigOf = (bundle: SignedBundle): Buffer => {
  const { messageSignature, dsseEnvelope } = bundle as never as {
    messageSignature?: { signature: string };
    dsseEnvelope?: { signatures: [{ sig: string }] };
  };
  return Buffer.from(messageSignature?.signature ?? dsseEnvelope?.signatures[0].sig ?? '', 'base64');
};

/** The bundle with its log entry replaced, and a timestamp. */
function relogged(bundle: SignedBundle, kind: string, spec: object, version = '0.0.2'): SignedBundle {
  return edited(bundle, (copy: Loose) => {
    const { logIndex, logId, kindVersion, inclusionProof, canonicalizedBody } = logged(kind, spec, {
      version,
    }) as Loose;
    const entry = { logIndex, logId, kindVersion, inclusionProof, canonicalizedBody };
    const rfc3161Timestamps = [{ signedTimestamp: timestampOf(sigOf(bundle)) }];
    Object.assign(material(copy), { tlogEntries: [entry], timestampVerificationData: { rfc3161Timestamps } });
  });
}

function message(parts: Parts = {}): SignedBundle {
  const bundle = messageBundle(signer, ARTIFACT);
  const { kind = 'hashedrekord', member = 'hashedRekordV002', version, verifier = certified(signer) } = parts;
  const data = { algorithm: 'SHA2_256', digest: parts.digest ?? digestOf(ARTIFACT) };
  const signature = { content: base64(parts.signature ?? sigOf(bundle)), verifier };
  return relogged(bundle, kind, { [member]: { data, signature } }, version);
}

function attestation(parts: Parts = {}): SignedBundle {
  const bundle = attestationBundle(signer, about);
  const payload = Buffer.from((bundle['dsseEnvelope'] as { payload: string }).payload, 'base64');
  const signature = {
    content: base64(parts.signature ?? sigOf(bundle)),
    verifier: parts.verifier ?? certified(signer),
  };
  const payloadHash = { algorithm: 'SHA2_256', digest: parts.digest ?? digestOf(payload) };
  const { kind = 'dsse', member = 'dsseV002', version } = parts;
  return relogged(bundle, kind, { [member]: { payloadHash, signatures: [signature] } }, version);
}

const MISMATCH = 'transparency-log LOG_ENTRY_MISMATCH';

describe('an entry of the second kind of log', () => {
  it('vouches for a signature, and for an attestation in either form', () => {
    expect(refusal(message(), { trust })).toBeUndefined();
    expect(refusal(attestation(), { trust })).toBeUndefined();
    const bundle = attestationBundle(signer, about);
    const { payloadType, payload } = bundle['dsseEnvelope'] as { payloadType: string; payload: string };
    const data = {
      algorithm: 'SHA2_256',
      digest: digestOf(preAuthEncoding(payloadType, Buffer.from(payload, 'base64'))),
    };
    const signature = { content: base64(sigOf(bundle)), verifier: certified(signer) };
    const hashed = relogged(bundle, 'hashedrekord', { hashedRekordV002: { data, signature } });
    expect(refusal(hashed, { trust })).toBeUndefined();
  });

  const other = sign('sha256', Buffer.from('x'), signer.key.privateKey);
  const key = {
    keyDetails: 'PKIX_ECDSA_P256_SHA_256',
    publicKey: { rawBytes: base64(signer.key.publicKey.export({ format: 'der', type: 'spki' })) },
  };
  it.each<[string, Parts]>([
    ['over another signature', { signature: other }],
    ['over another file', { digest: digestOf(Buffer.from('x')) }],
    ['by somebody else', { verifier: certified(leaf()) }],
    ['by the bare key of the certificate', { verifier: key }],
    ['by nobody', { verifier: {} }],
    ['of a version nobody knows', { version: '0.0.3' }],
    ['of a kind nobody knows', { kind: 'rpm' }],
    ['that says nothing of its kind', { member: 'nothing' }],
  ])('is refused %s', (_, parts) => {
    expect([refusal(message(parts), { trust }), refusal(attestation(parts), { trust })]).toEqual([MISMATCH, MISMATCH]);
  });

  it('of the first version in the form of the second is refused', () => {
    expect(refusal(message({ version: '0.0.1' }), { trust })).toBe('material MATERIAL_MALFORMED');
    expect(refusal(attestation({ version: '0.0.1' }), { trust })).toBe(MISMATCH);
  });

  it('of one kind does not stand for the other', () => {
    expect(refusal(message({ kind: 'dsse' }), { trust })).toBe(MISMATCH);
    expect(refusal(attestation({ kind: 'hashedrekord' }), { trust })).toBe(MISMATCH);
  });

  it('proves no time', () => {
    const undated = edited(message(), (copy: Loose) => {
      const [entry] = material(copy)['tlogEntries'] as Loose;
      Object.assign(entry as Loose, { integratedTime: String(SIGNED_AT) });
      Object.assign(material(copy), { timestampVerificationData: null });
    });
    expect(refusal(undated, { trust })).toBe('times TIMESTAMP_REFUSED');
  });
});
