import { parseTime, type Time } from '../../../core/time.ts';
import { ReleaseError } from '../errors.ts';
import { type PreparedMethod, prepare } from '../prepared.ts';
import { judgeCertificate, shownKey, timeOf } from './certificate.ts';
import { SIGNATURE, SUBPACKET } from './format.ts';
import { findKeys, type Keyring } from './keyring.ts';
import { assertLibraryAccepts } from './library.ts';
import { assertUnderstood, type PgpSignature, strongHash } from './signature.ts';
import { type Cleartext, type PgpSignatureFile, parseSignatureFile } from './signature-file.ts';
import { type JudgedSignature, needOf, verifySignatures } from './verify.ts';

/** What OpenPGP signatures are judged by. */
export type OpenpgpTrust = {
  readonly keyring: Keyring;
  /** Distinct primary keys that must have signed. */
  readonly threshold: number;
  /** It is at least this moment. */
  readonly floor: Time;
};

/** Outside of what is signed, only hints at the key may stand. */
const HINTS: readonly number[] = [SUBPACKET.issuer, SUBPACKET.issuerFingerprint];
/** What a signature over data may say that must not be ignored. */
const UNDERSTOOD: readonly number[] = [SUBPACKET.created, SUBPACKET.expires, ...HINTS];

/**
 * OpenPGP signatures over a file, or with the signed text in theirs. All but the message is judged here, since openpgp.js
 * is asynchronous: the message is read once, hashed on the way, and its digest compared in the end.
 */
export async function prepareOpenpgp(bytes: Uint8Array, trust: OpenpgpTrust): Promise<PreparedMethod> {
  const judged = await settled(() => judgeFile(bytes, trust));
  return prepare('openpgp', bytes, judged, ({ signatures, cleartext }) => ({
    needs: signatures.flatMap((one) => (one.state === 'ready' ? [needOf(one)] : [])),
    judge: (message) => {
      const { signers, ...found } = verifySignatures(message, signatures, trust.threshold, cleartext !== undefined);
      return { ...found, signers };
    },
    ...(cleartext === undefined ? {} : { embedded: cleartext.text }),
  }));
}

type JudgedFile = { readonly signatures: readonly JudgedSignature[]; readonly cleartext?: Cleartext };

async function judgeFile(bytes: Uint8Array, trust: OpenpgpTrust): Promise<JudgedFile> {
  const { signatures, cleartext }: PgpSignatureFile = parseSignatureFile(bytes);
  const judged: JudgedSignature[] = [];
  for (const signature of signatures) judged.push(await judgeSignature(signature, cleartext, trust));
  return { signatures: judged, ...(cleartext === undefined ? {} : { cleartext }) };
}

async function judgeSignature(
  signature: PgpSignature | ReleaseError,
  cleartext: Cleartext | undefined,
  trust: OpenpgpTrust,
): Promise<JudgedSignature> {
  if (signature instanceof ReleaseError) return { state: 'refused', problem: signature };
  const { fingerprint, keyId } = signature.issuer;
  const candidates = findKeys(trust.keyring, signature.issuer);
  if (candidates.length === 0) {
    return { state: 'unknown', issuer: (fingerprint ?? keyId)?.toUpperCase() ?? 'a key that it does not name' };
  }
  try {
    const [candidate, other] = candidates;
    if (candidate === undefined || other !== undefined) {
      const message = `the keyring has ${candidates.length} keys ${(fingerprint ?? keyId)?.toUpperCase()}; which one is meant can't be told`;
      throw new ReleaseError('PGP_ISSUER', message);
    }
    const floor = Math.floor(parseTime(trust.floor) / 1000);
    const hash = assertAccepted(signature, cleartext, floor);
    const by = judgeCertificate(candidate, signature.created, floor);
    // What was signed proves that its time has passed, as far as its signer had a clock.
    const moment = Math.max(floor, signature.created, by.newest);
    await assertLibraryAccepts(by.certificate, by.key.fingerprint, moment * 1000);
    if (by.key.algorithm !== signature.algorithm) {
      throw new ReleaseError('PGP_ALGORITHM', `of another algorithm than its ${shownKey(by.key)}`);
    }
    return { state: 'ready', signature, hash, by };
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    return { state: 'refused', problem: error };
  }
}

function assertAccepted(signature: PgpSignature, cleartext: Cleartext | undefined, floor: number) {
  const { type, expires, unhashed } = signature;
  const isOfText = type === SIGNATURE.text;
  if (cleartext === undefined ? !isOfText && type !== SIGNATURE.binary : !isOfText) {
    const wanted = cleartext === undefined ? 'a file (0x00) or a text (0x01)' : 'a text (0x01)';
    throw new ReleaseError('PGP_TYPE', `an OpenPGP signature of type 0x${hex(type)}, which is not one over ${wanted}`);
  }
  const hash = strongHash(signature);
  if (cleartext !== undefined && !cleartext.hashes.has(hash)) {
    throw new ReleaseError('PGP_CLEARTEXT', `made over ${hash}, which the header of the text does not name`);
  }
  assertUnderstood(signature, UNDERSTOOD);
  if (unhashed.some((one) => !HINTS.includes(one.type) || one.isCritical)) {
    throw new ReleaseError('PGP_MALFORMED', 'it says something outside of what is signed');
  }
  if (expires !== undefined && expires <= floor) {
    throw new ReleaseError('PGP_EXPIRED', `the signature itself counted until ${timeOf(expires)} only`);
  }
  return hash;
}

function hex(type: number): string {
  return type.toString(16).padStart(2, '0');
}

/** What it gives or throws, to be told when its turn comes. */
async function settled<T>(make: () => Promise<T>): Promise<() => T> {
  try {
    const value = await make();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
