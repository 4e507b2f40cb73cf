import { createHash } from 'node:crypto';
import type { Check, Signer } from '../../../core/checks.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { ReleaseError } from '../errors.ts';
import type { SignedHash } from '../key-signature.ts';
import { continuedDigest, type Message, wholeOf } from '../message.ts';
import { type SigningKey, shownKey, shownUser, timeOf } from './certificate.ts';
import { solvesEquation } from './equation.ts';
import { SIGNATURE } from './format.ts';
import type { PgpSignature } from './signature.ts';
import { canonicalCleartext, canonicalText } from './signature-file.ts';

/** One signature of a file, after everything but the message was judged. */
export type JudgedSignature =
  | { readonly state: 'ready'; readonly signature: PgpSignature; readonly hash: SignedHash; readonly by: SigningKey }
  | { readonly state: 'refused'; readonly problem: ReleaseError }
  /** By a key that is not in the keyring: nothing is known of it. */
  | { readonly state: 'unknown'; readonly issuer: string };

export type PgpVerdict = {
  readonly signers: readonly Signer[];
  readonly reason: string;
  readonly detail: Check['detail'];
};

/**
 * Whether enough owners signed the message. One who signed with several keys counts once, and so do two owners of one key. A signature of a key in the
 * keyring that is not over the message refuses all: it was altered, or the message was. One that the policy refuses, or by
 * a key nobody here knows, counts for nothing.
 * @param isCleartext the message is the text of a cleartext signature
 * @throws ReleaseError PGP_SIGNATURE, PGP_KEY_UNKNOWN, THRESHOLD_NOT_MET, PGP_MALFORMED, PGP_TYPE, MESSAGE_TOO_LARGE, or why
 *   the only signature that could count is refused
 */
export function verifySignatures(
  message: Message,
  judged: readonly JudgedSignature[],
  threshold: number,
  isCleartext: boolean,
): PgpVerdict {
  const good = judged.flatMap((one) => (one.state === 'ready' ? [one] : []));
  for (const { signature, hash, by } of good) {
    const digest = digestFor(message, signature, hash, isCleartext);
    if (solvesEquation(by.key, signature, hash, digest)) continue;
    const name = escapeForTerminal(message.name);
    throw new ReleaseError('PGP_SIGNATURE', `the signature by ${shownKey(by.key)} is not one over ${name}`);
  }
  // By the numbers of keys: a fingerprint covers a date too, and so one key can have many.
  const owners = new Map(good.map(({ by }) => [by.primary.keyid, by.user]));
  const found = Math.min(owners.size, new Set(good.map(({ by }) => by.key.keyid)).size);
  if (found < threshold) throw tooFew(judged, found, threshold);
  const signers = [...owners].map(([keyid, user]) => ({ keyid, role: 'openpgp', identity: shownUser(user) }));
  const others = judged.length - good.length;
  const rest = others === 0 ? '' : `; ${count(others, 'other signature')} not counted`;
  return { signers, reason: `signed by ${good.map(describe).join(', and by ')}${rest}`, detail: detailOf(judged) };
}

function digestFor(message: Message, signature: PgpSignature, hash: SignedHash, isCleartext: boolean): Uint8Array {
  if (signature.type === SIGNATURE.binary) return continuedDigest(message, hash, signature.trailer);
  const bytes = wholeOf(message, 'an OpenPGP text signature');
  const text = isCleartext ? canonicalCleartext(bytes) : canonicalText(bytes);
  return new Uint8Array(createHash(hash).update(text).update(signature.trailer).digest());
}

function tooFew(judged: readonly JudgedSignature[], found: number, threshold: number): ReleaseError {
  const refused = judged.flatMap((one) => (one.state === 'refused' ? [one.problem] : []));
  const unknown = judged.flatMap((one) => (one.state === 'unknown' ? [one.issuer] : []));
  const [first] = refused;
  const because = [
    ...refused.map(({ message }) => message),
    ...unknown.map((issuer) => `${issuer} is not in the keyring`),
  ];
  if (threshold > 1) {
    const why = because.length === 0 ? '' : ` (${because.join('; ')})`;
    const message = `${count(found, 'owner')} of a key in the keyring signed it where ${threshold} are wanted${why}`;
    return new ReleaseError('THRESHOLD_NOT_MET', message);
  }
  if (first !== undefined) return new ReleaseError(first.code, because.join('; '), { cause: first });
  return new ReleaseError('PGP_KEY_UNKNOWN', because.join('; '));
}

function describe({ signature, hash, by }: Extract<JudgedSignature, { state: 'ready' }>): string {
  const { key, primary, user, until } = by;
  const owner = key.fingerprint === primary.fingerprint ? '' : ` of ${primary.fingerprint.toUpperCase()}`;
  const end = until === undefined ? 'without an end' : `until ${timeOf(until)}`;
  const made = `over ${hash} at ${timeOf(signature.created)} as it says`;
  return `"${shownUser(user)}" with ${shownKey(key)}${owner} (${key.words}, ${end}), ${made}`;
}

function detailOf(judged: readonly JudgedSignature[]): Check['detail'] {
  const good = judged.flatMap((one) => (one.state === 'ready' ? [one] : []));
  const refused = judged.flatMap((one) =>
    one.state === 'refused' ? [`${one.problem.code}: ${one.problem.message}`] : [],
  );
  const unknown = judged.flatMap((one) => (one.state === 'unknown' ? [one.issuer] : []));
  return {
    fingerprints: [...new Set(good.map(({ by }) => by.primary.fingerprint))],
    keys: good.map(({ by }) => by.key.fingerprint),
    made: good.map(({ signature }) => timeOf(signature.created)),
    ...(refused.length === 0 ? {} : { refused }),
    ...(unknown.length === 0 ? {} : { unknown }),
  };
}

/** What has to be known of the message. */
export function needOf({ signature, hash }: Extract<JudgedSignature, { state: 'ready' }>): SignedHash | 'whole' {
  return signature.type === SIGNATURE.binary ? hash : 'whole';
}
