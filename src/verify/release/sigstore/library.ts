import type { Bundle } from '@sigstore/bundle';
import { type SignedEntity, toSignedEntity, VerificationError, Verifier } from '@sigstore/verify';
import { encodeHex } from '../../../core/bytes.ts';
import { messageOf } from '../../../core/errors.ts';
import { ReleaseError, type ReleaseErrorCode } from '../errors.ts';
import type { Artifact } from '../method.ts';
import type { ReleaseKey } from '../release-key.ts';
import { isReadInSteps } from './der-steps.ts';
import { keepEncodings } from './encodings.ts';
import { signatureContent } from './signature-content.ts';
import { isInTime, type SigstoreTrust, wantedTimes } from './trust.ts';
import type { SigstoreRoot } from './trusted-root.ts';

/** The order of the checks of a bundle. */
export const MATERIAL = 'material';
export const TIMES = 'times';
export const CERTIFICATE = 'certificate';
export const KEY = 'key';
export const LOG = 'transparency-log';
export const SIGNATURE = 'signature';
export const IDENTITY = 'identity';
export const ARTIFACT = 'artifact';

/** Which check each refusal of the library belongs to, and its code here. */
const REFUSALS: Readonly<Record<string, readonly [string, ReleaseErrorCode]>> = {
  TIMESTAMP_ERROR: [TIMES, 'TIMESTAMP_REFUSED'],
  CERTIFICATE_ERROR: [CERTIFICATE, 'CERTIFICATE_REFUSED'],
  PUBLIC_KEY_ERROR: [KEY, 'KEY_EXPIRED'],
  TLOG_INCLUSION_PROOF_ERROR: [LOG, 'LOG_ENTRY_REFUSED'],
  TLOG_INCLUSION_PROMISE_ERROR: [LOG, 'LOG_ENTRY_REFUSED'],
  TLOG_MISSING_INCLUSION_ERROR: [LOG, 'LOG_ENTRY_REFUSED'],
  TLOG_ERROR: [LOG, 'LOG_ENTRY_REFUSED'],
  TLOG_BODY_ERROR: [LOG, 'LOG_ENTRY_MISMATCH'],
  SIGNATURE_ERROR: [SIGNATURE, 'SIGNATURE_REFUSED'],
};

/** @throws ReleaseError MATERIAL_MALFORMED if the certificate or a timestamp isn't one */
export function entityOf(bundle: Bundle, artifact: Artifact): SignedEntity {
  const { rfc3161Timestamps = [] } = bundle.verificationMaterial.timestampVerificationData ?? {};
  const all = [rawCertificate(bundle), ...rfc3161Timestamps.map(({ signedTimestamp }) => signedTimestamp)];
  if (!all.every(isReadInSteps)) {
    throw new ReleaseError(
      'MATERIAL_MALFORMED',
      'the certificate or a timestamp in the bundle is no such thing: too much is in it',
    );
  }
  try {
    const entity = toSignedEntity(bundle);
    if (entity.key.$case === 'certificate') keepEncodings(entity.key.certificate, rawCertificate(bundle));
    return { ...entity, signature: signatureContent(bundle.content, artifact) };
  } catch (cause) {
    const problem = `the certificate or a timestamp in the bundle can't be read (${messageOf(cause)})`;
    throw new ReleaseError('MATERIAL_MALFORMED', problem, { cause });
  }
}

/** The bytes as they came: written again, another encoding of them could become the logged one. */
export function rawCertificate(bundle: Bundle | undefined): Uint8Array {
  const content = bundle?.verificationMaterial.content;
  if (content?.$case === 'certificate') return content.certificate.rawBytes;
  const chain = content?.$case === 'x509CertificateChain' ? content.x509CertificateChain.certificates : [];
  return chain[0]?.rawBytes ?? new Uint8Array();
}

/** A refusal of the library, and the check that tells it. */
export type Refusal = { readonly stage: string; readonly error: ReleaseError };

/** The library judges everything in one call. @throws ReleaseError MATERIAL_MALFORMED */
export function judgeByLibrary(entity: SignedEntity, trust: SigstoreTrust): Refusal | undefined {
  const { root, key, thresholds } = trust;
  const material = { ...root.material, ...(key === undefined ? {} : { publicKey: () => timedKey(key) }) };
  const verifier = new Verifier(material, {
    tlogThreshold: thresholds?.logs ?? 1,
    ctlogThreshold: thresholds?.certificateLogs ?? 1,
    timestampThreshold: wantedTimes(trust),
  });
  try {
    verifier.verify(entity);
    return undefined;
  } catch (cause) {
    return refusalOf(cause);
  }
}

/**
 * What the library refuses, by the check it belongs to. Anything else that it throws on hostile input means that something
 * in the bundle can't be read.
 * @throws ReleaseError MATERIAL_MALFORMED
 */
function refusalOf(cause: unknown): Refusal {
  const refusal = cause instanceof VerificationError ? REFUSALS[cause.code] : undefined;
  if (refusal === undefined) {
    const problem = `something in the bundle can't be read (${messageOf(cause)})`;
    throw new ReleaseError('MATERIAL_MALFORMED', problem, { cause });
  }
  const [stage, code] = refusal;
  return { stage, error: new ReleaseError(code, messageOf(cause), { cause }) };
}

function timedKey(key: ReleaseKey): ReturnType<SigstoreRoot['material']['publicKey']> {
  return { publicKey: key.handle, validFor: (date) => isInTime(key, date.getTime()) };
}

/** @param time Unix milliseconds */
export type TimeSource = { readonly source: string; readonly time: number };

/** The same that the library has verified and counted: an entry without a promise proves no time. */
export function timeSources(entity: SignedEntity | undefined): TimeSource[] {
  return (entity?.timestamps ?? []).flatMap((stamp) => {
    if (stamp.$case === 'timestamp-authority') {
      const { signingTime, signerIssuer, signerSerialNumber } = stamp.timestamp;
      const source = `authority ${encodeHex(signerIssuer)} ${encodeHex(signerSerialNumber)}`;
      return [{ source, time: signingTime.getTime() }];
    }
    const { inclusionPromise, integratedTime, logId } = stamp.tlogEntry;
    if (inclusionPromise === undefined) return [];
    return [{ source: `log ${encodeHex(logId.keyId)}`, time: Number(integratedTime) * 1000 }];
  });
}
