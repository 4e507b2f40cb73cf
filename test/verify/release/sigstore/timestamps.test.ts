import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  leaf,
  messageBundle,
  type RootOptions,
  SIGNED_AT,
  type SignedBundle,
} from '../../../support/sigstore-authority.ts';
import { type TimestampParts, timestampChain, timestampOf } from '../../../support/timestamp-authority.ts';
import { ARTIFACT, edited, entryOf, type Loose, material, ownTrust, refusal } from './judged.ts';

const signer = leaf();
const chain = timestampChain();
const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
const signatureOf = (bundle: SignedBundle) =>
  Buffer.from((bundle['messageSignature'] as { signature: string }).signature, 'base64');

/** A bundle in the log by proof alone, whose time a timestamp tells. */
function stamped(parts: TimestampParts = {}, over?: Uint8Array): SignedBundle {
  const bundle = messageBundle(signer, ARTIFACT, { withoutPromise: true });
  return edited(bundle, (copy: Loose) => {
    const rfc3161Timestamps = [{ signedTimestamp: timestampOf(over ?? signatureOf(bundle), parts) }];
    Object.assign(material(copy), { timestampVerificationData: { rfc3161Timestamps } });
  });
}

const judged = (bundle: SignedBundle, options: RootOptions = {}) =>
  refusal(bundle, { trust: ownTrust({ timestampChain: chain, ...options }) });

describe('a timestamp', () => {
  it('proves when a signature was made that the log does not date', () => {
    expect(judged(messageBundle(signer, ARTIFACT, { withoutPromise: true }))).toBe('times TIMESTAMP_REFUSED');
    expect(judged(stamped())).toBeUndefined();
  });

  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const [TIMES, CERTIFICATE] = ['times TIMESTAMP_REFUSED', 'certificate CERTIFICATE_REFUSED'];
  it.each<[string, SignedBundle, string]>([
    ['over another signature', stamped({}, Buffer.from('x')), TIMES],
    ['over the artifact', stamped({}, ARTIFACT), TIMES],
    ['by a stranger', stamped({ by: stranger }), TIMES],
    ['that names another certificate', stamped({ serial: 8 }), TIMES],
    ['whose signature covers something else', stamped({ digest: Buffer.alloc(32) }), TIMES],
    ['that signs no attributes', stamped({ withoutAttributes: true }), TIMES],
    ['of another content type', stamped({ contentType: '1.2.840.113549.1.7.1' }), TIMES],
    ['of after the certificate', stamped({ time: SIGNED_AT + 61 }), CERTIFICATE],
    ['of before the certificate', stamped({ time: SIGNED_AT - 61 }), CERTIFICATE],
  ])('%s is refused', (_, bundle, expected) => {
    expect(judged(bundle)).toBe(expected);
  });

  it.each<[string, RootOptions]>([
    ['an authority that began later', { timestampValidFor: { start: iso(SIGNED_AT + 1) } }],
    ['an authority that had ended', { timestampValidFor: { start: iso(0), end: iso(SIGNED_AT - 1) } }],
    ['a certificate that began later', { timestampChain: timestampChain(undefined, SIGNED_AT + 1) }],
    ['nobody', { timestampChain: [] }],
  ])('is refused under %s', (_, options) => {
    expect(judged(stamped(), options)).toBe('times TIMESTAMP_REFUSED');
  });

  it('counts beside the log as another source, and twice as one', () => {
    const dated = edited(messageBundle(signer, ARTIFACT), (copy: Loose) => {
      const bundle = copy as never as SignedBundle;
      const signedTimestamp = timestampOf(signatureOf(bundle));
      Object.assign(material(copy), { timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp }] } });
    });
    const two = { ...ownTrust({ timestampChain: chain }), thresholds: { times: 2 } };
    expect(refusal(dated, { trust: two })).toBeUndefined();
    const twice = edited(stamped(), (copy: Loose) => {
      const signature = signatureOf(copy as never as SignedBundle);
      const again = { signedTimestamp: timestampOf(signature, { time: SIGNED_AT + 1 }) };
      ((material(copy)['timestampVerificationData'] as Loose)['rfc3161Timestamps'] as never as object[]).push(again);
    });
    expect(refusal(twice, { trust: two })).toBe('times TIMESTAMP_REFUSED');
  });
});

describe('the time that a log entry claims', () => {
  it.each(['9999999999999', '9223372036854775807', '8640000000001'])('is in a calendar: not %s', (integratedTime) => {
    const bundle = edited(messageBundle(signer, ARTIFACT), (copy: Loose) => {
      Object.assign(entryOf(copy), { integratedTime });
    });
    expect(refusal(bundle)).toBe('times TIMESTAMP_REFUSED');
  });

  it('counts only with the log’s promise', () => {
    const bundle = messageBundle(signer, ARTIFACT, { withoutPromise: true });
    const claimed = edited(bundle, (copy: Loose) => {
      Object.assign(entryOf(copy), { integratedTime: String(SIGNED_AT) });
    });
    expect(refusal(claimed)).toBe('times TIMESTAMP_REFUSED');
  });
});
