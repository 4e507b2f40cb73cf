import { equalBytes } from '../../core/bytes.ts';
import type { Signer } from '../../core/checks.ts';
import { type Envelope, parseEnvelope, signingKeys } from '../../core/dsse.ts';
import { DaemonEyeError, messageOf } from '../../core/errors.ts';
import type { KeyId, PublicKey } from '../../core/keys.ts';
import { laterTime, type Time } from '../../core/time.ts';
import { type Admissions, operatorOf } from '../../verify/enrolment-admission.ts';
import { countHolders } from '../../verify/holders.ts';
import type { TrustRoot } from '../../verify/root-document.ts';
import { untrusted } from '../errors.ts';
import { SEAL_PAYLOAD_TYPE } from './format.ts';

/** What a seal is judged by. */
export type SealTrust = {
  readonly root: TrustRoot;
  readonly floor: Time;
  readonly admissions: Admissions;
  /** The keys that the enrolled logs in the package have. */
  readonly logs: readonly PublicKey[];
  /** Keys that are found in the package itself; only to say so. */
  readonly inside: () => readonly PublicKey[];
};

/** The sentence for a package that brings its own authority along. */
export const ONLY_INSIDE =
  'a key that is found only inside the package proves nothing: an enrolment under the trust root of this side has to name it';

/**
 * Who sealed the package, and whether that counts. One of these must have signed the tagmanifest, with keys that are
 * neither revoked nor past their end:
 *
 * 1. holders of the role `evidence` of the trust root, as many as its threshold says;
 * 2. an operator to whom an enrolment gives `evidence`;
 * 3. the key of a log in the package, enrolled or led to from the enrolled one: it vouches for the selection, and for its
 *    own lines by its checkpoints anyway.
 *
 * The seal says who put the package together. That the lines are genuine rests on checkpoints and proofs alone.
 * @throws ForensicsError SEAL_MISSING, SEAL_MALFORMED, SEAL_MISMATCH, SEAL_SIGNATURE, ROLE_NOT_HELD, THRESHOLD_NOT_MET,
 *   KEY_REVOKED, KEY_EXPIRED, KEY_ONLY_INSIDE or SIGNER_UNKNOWN; or the reason why the enrolment that should have
 *   admitted the signer does not count
 */
export function checkSeal(seal: Uint8Array | undefined, tagmanifest: Uint8Array, trust: SealTrust): Signer[] {
  const envelope = parseSeal(seal, tagmanifest);
  const { root, admissions } = trust;
  const usable = (keys: readonly PublicKey[]) =>
    signingKeys(envelope, keys).filter(({ keyid }) => isUsable(keyid, trust));

  const grant = root.roles.get('evidence');
  const holders = usable(keysNamed(root, grant?.keyids ?? []));
  if (grant !== undefined && countHolders(root, holders) >= grant.threshold) {
    return holders.map(({ keyid }) => signer(keyid, 'evidence', root.keys.get(keyid)?.operator));
  }
  const operators = usable(admissions.operators.flatMap(({ keys }) => keys)).flatMap(({ keyid }) => {
    const operator = operatorOf(admissions, 'evidence', keyid);
    return operator === undefined ? [] : [signer(keyid, 'evidence', operator.operator)];
  });
  if (operators.length > 0) return operators;
  const logs = usable(trust.logs);
  if (logs.length > 0) return logs.map(({ keyid }) => signer(keyid, 'log'));
  throw whyNot(envelope, trust);
}

/** An envelope with signatures over exactly this tagmanifest; whose they are is not looked at. */
function parseSeal(seal: Uint8Array | undefined, tagmanifest: Uint8Array): Envelope {
  if (seal === undefined)
    throw untrusted('SEAL_MISSING', 'the package is not signed: there is no signatures/seal.dsse.json');
  let envelope: Envelope;
  try {
    envelope = parseEnvelope(seal, SEAL_PAYLOAD_TYPE);
  } catch (cause) {
    throw untrusted('SEAL_MALFORMED', `the seal can't be read: ${messageOf(cause)}`, { cause });
  }
  if (envelope.signatures.length === 0) throw untrusted('SEAL_MISSING', 'the seal has no signature');
  if (!equalBytes(envelope.payload, tagmanifest)) {
    throw untrusted(
      'SEAL_MISMATCH',
      'the seal is over another tagmanifest: the package was changed after it was sealed',
    );
  }
  return envelope;
}

function whyNot(envelope: Envelope, { root, floor, admissions, logs, inside }: SealTrust): DaemonEyeError {
  const known = [...[...root.keys.values()].map(({ key }) => key), ...admissions.logs.map(({ key }) => key)];
  known.push(...logs, ...admissions.operators.flatMap(({ keys }) => keys));
  const signers = signingKeys(envelope, known);
  const revoked = signers.find(({ keyid }) => root.revokedKeys.has(keyid));
  if (revoked !== undefined) return untrusted('KEY_REVOKED', `the key ${revoked.keyid}, which sealed it, is revoked`);
  const ended = signers.find(({ keyid }) => isEnded(keyid, root, floor));
  if (ended !== undefined) return untrusted('KEY_EXPIRED', `the key ${ended.keyid}, which sealed it, has ended`);
  const grant = root.roles.get('evidence');
  if (grant !== undefined && signers.some(({ keyid }) => grant.keyids.includes(keyid))) {
    const message = `sealed by fewer than the ${grant.threshold} holders that the role evidence needs`;
    return untrusted('THRESHOLD_NOT_MET', message);
  }
  const [other] = signers;
  if (other !== undefined) {
    return untrusted('ROLE_NOT_HELD', `the key ${other.keyid}, which sealed it, may not seal a package of these logs`);
  }
  if (envelope.signatures.some(({ keyid }) => known.some((key) => key.keyid === keyid))) {
    return untrusted('SEAL_SIGNATURE', 'the signature of the seal is not valid');
  }
  return unknownKey(admissions, signingKeys(envelope, inside())[0]?.keyid);
}

/**
 * Why a key that no enrolment admits is not accepted: it is found only inside the package, or an enrolment that holders
 * of `enrol` did sign names it and no longer counts, which is told with that refusal's own code.
 * @param keyid of a key inside the package that fits; undefined when not even there is one
 */
export function unknownKey({ rejected }: Admissions, keyid: KeyId | undefined, what = 'the seal'): DaemonEyeError {
  if (keyid === undefined) return untrusted('SIGNER_UNKNOWN', `${what} is by a key that nobody here knows`);
  const claim = rejected.find(({ claimed }) => claimed.includes(keyid));
  if (claim !== undefined && !NOBODYS.includes(claim.error.code)) return new RejectedEnrolmentError(claim.error, what);
  const also = claim === undefined ? '' : ` (the one that came along does not count: ${claim.error.message})`;
  return untrusted('KEY_ONLY_INSIDE', `${what} is by the key ${keyid}; ${ONLY_INSIDE}${also}`);
}

/** Refusals of enrolments that nobody entitled to it ever signed: they are only inside, like the key. */
const NOBODYS: readonly string[] = ['ENROLMENT_MALFORMED', 'UNSIGNED', 'NO_TRUSTED_SIGNATURE', 'ROLE_NOT_HELD'];

/** An enrolment names the key and does not count: told with its own code. */
class RejectedEnrolmentError extends DaemonEyeError {
  constructor({ code, message }: DaemonEyeError, what: string) {
    super(code, `${what} is by a key whose enrolment does not count: ${message}`, { fault: 'untrusted' });
  }
}

function keysNamed(root: TrustRoot, keyids: readonly KeyId[]): PublicKey[] {
  return keyids.flatMap((keyid) => root.keys.get(keyid)?.key ?? []);
}

function isUsable(keyid: KeyId, { root, floor }: SealTrust): boolean {
  return !root.revokedKeys.has(keyid) && !isEnded(keyid, root, floor);
}

/** Held against the floor, the only time that can't be wound back. */
function isEnded(keyid: KeyId, root: TrustRoot, floor: Time): boolean {
  const notAfter = root.keys.get(keyid)?.notAfter;
  return notAfter !== undefined && notAfter < laterTime(floor, root.document.issuedAt);
}

function signer(keyid: KeyId, role: string, operator?: string): Signer {
  return { keyid, role, ...(operator === undefined ? {} : { operator }) };
}
