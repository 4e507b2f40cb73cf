import { concatBytes } from '../../../core/bytes.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { formatTime, type Time } from '../../../core/time.ts';
import { ReleaseError } from '../errors.ts';
import { ALGORITHM, MAY_SIGN, SIGNATURE, SUBPACKET } from './format.ts';
import type { Candidate, Certificate, KeySignature, Subkey } from './keyring.ts';
import { type KeyPacket, type PgpKey, readPgpKey } from './public-key.ts';
import { assertUnderstood, type PgpSignature, parsePgpSignature, strongHash } from './signature.ts';

/** Critical or not, these are either judged here or say nothing about whether a signature counts (preferences). */
const UNDERSTOOD: readonly number[] = [
  ...[SUBPACKET.created, SUBPACKET.expires, SUBPACKET.keyExpires, SUBPACKET.keyFlags],
  ...[SUBPACKET.issuer, SUBPACKET.issuerFingerprint, SUBPACKET.embeddedSignature],
  // revocable, preferred algorithms, features, key server, primary user id, policy URI.
  ...[7, 11, 21, 22, 23, 24, 25, 26, 30, 34, 39],
];

/** A key that may sign, by what its certificate says; the signatures in that are still to be verified. */
export type SigningKey = {
  readonly key: PgpKey;
  readonly primary: PgpKey;
  readonly user: string;
  /** The key counts until then, in seconds since 1970. */
  readonly until?: number;
  /** Exactly the packets that were judged here, so that nothing else is what gets verified. */
  readonly certificate: Uint8Array;
  /** The newest moment that the owner's own signatures prove, in seconds since 1970. */
  readonly newest: number;
};

/**
 * Judges the key of a signature by the newest of what its owner says of it, as of the floor and of the signature's own
 * time: it must have counted when it signed, and count still. An expired key that signs in the past is what a thief has.
 * @param floor seconds since 1970
 * @throws ReleaseError PGP_KEY_WEAK, PGP_ALGORITHM, PGP_KEY_REVOKED, PGP_KEY_BINDING, PGP_KEY_USE, PGP_KEY_EXPIRED,
 *   PGP_TIME, PGP_HASH, PGP_CRITICAL, PGP_MALFORMED, PGP_VERSION
 */
export function judgeCertificate({ certificate, key }: Candidate, made: number, floor: number): SigningKey {
  const primary = usable(certificate.key);
  const signing = usable(key);
  if (certificate.signatures.some(({ type }) => type === SIGNATURE.keyRevocation)) {
    throw new ReleaseError('PGP_KEY_REVOKED', `${shownKey(primary)} is revoked`);
  }
  const named = selfSignature(certificate, primary);
  // An end that is said of the key as such only narrows it.
  const direct = own(certificate.signatures, primary, [SIGNATURE.directKey]);
  const ends = [named, ...direct].flatMap(({ signature }) => endOf(primary, signature));
  const parts = [certificate.packet.whole, named.user.packet.whole, named.packet.whole];
  assertWhen(primary, ends, made, floor);
  if (signing.fingerprint === primary.fingerprint) {
    assertUse(primary, named.signature);
    const until = Math.min(...ends);
    return finish(signing, primary, named, parts, until, [named.signature.created]);
  }
  const bound = binding(certificate, primary, signing);
  const subkeyEnds = endOf(signing, bound.signature);
  assertWhen(signing, subkeyEnds, made, floor);
  assertUse(signing, bound.signature);
  const back = backSignature(bound.signature, signing);
  const until = Math.min(...ends, ...subkeyEnds);
  const all = [...parts, bound.subkey.packet.whole, bound.packet.whole];
  return finish(signing, primary, named, all, until, [named.signature.created, bound.signature.created, back.created]);
}

type Own = { readonly packet: KeySignature; readonly signature: PgpSignature };

function finish(
  key: PgpKey,
  primary: PgpKey,
  { user }: { readonly user: { readonly text: string } },
  packets: readonly Uint8Array[],
  until: number,
  times: readonly number[],
): SigningKey {
  const end = Number.isFinite(until) ? { until } : {};
  return { key, primary, user: user.text, ...end, certificate: concatBytes(...packets), newest: Math.max(...times) };
}

function usable(key: KeyPacket): PgpKey {
  try {
    return readPgpKey(key);
  } catch (cause) {
    if (!(cause instanceof ReleaseError)) throw cause;
    throw new ReleaseError(cause.code, `${shownKey(key)} is ${cause.message}`, { cause });
  }
}

/** The newest signature of the owner over one of his names; a name that he took back is none. */
function selfSignature(certificate: Certificate, primary: PgpKey) {
  const named = certificate.users.flatMap((user) => {
    if (user.signatures.some((one) => takesBack(one, primary))) return [];
    const newest = newestOf(own(user.signatures, primary, SIGNATURE.certifications));
    return newest === undefined ? [] : [{ ...newest, user }];
  });
  const found = newestOf(named);
  if (found === undefined) {
    throw new ReleaseError('PGP_KEY_BINDING', `${shownKey(primary)} has no name that it signed and didn't take back`);
  }
  assertSound(found.signature, primary);
  return found;
}

/** Others take back what they said of a name too, which says nothing here. */
function takesBack(packet: KeySignature, primary: PgpKey): boolean {
  if (packet.type !== SIGNATURE.certificationRevocation) return false;
  const signature = parsed(packet);
  return signature === undefined || signature.issuer.keyId === undefined || isBy(signature, primary);
}

function binding(certificate: Certificate, primary: PgpKey, subkey: PgpKey): Own & { readonly subkey: Subkey } {
  const those = certificate.subkeys.filter(({ key }) => key.fingerprint === subkey.fingerprint);
  if (those.some(({ signatures }) => signatures.some(({ type }) => type === SIGNATURE.subkeyRevocation))) {
    throw new ReleaseError('PGP_KEY_REVOKED', `the subkey ${shownKey(subkey)} is revoked`);
  }
  const bound = those.flatMap((one) =>
    own(one.signatures, primary, [SIGNATURE.subkeyBinding]).map((found) => ({ ...found, subkey: one })),
  );
  const newest = newestOf(bound);
  if (newest === undefined) {
    throw new ReleaseError('PGP_KEY_BINDING', `${shownKey(primary)} did not sign for its subkey ${shownKey(subkey)}`);
  }
  assertSound(newest.signature, primary);
  return newest;
}

/** Without it anybody could claim somebody else's signing key as his own subkey (section 5.2.1.9). */
function backSignature({ embedded }: PgpSignature, subkey: PgpKey): PgpSignature {
  if (embedded === undefined) {
    throw new ReleaseError('PGP_KEY_BINDING', `the subkey ${shownKey(subkey)} did not sign for its primary key`);
  }
  const back = parsePgpSignature(embedded);
  if (back.type !== SIGNATURE.primaryKeyBinding || back.algorithm !== subkey.algorithm) {
    throw new ReleaseError('PGP_KEY_BINDING', `what the subkey ${shownKey(subkey)} signed is not for its primary key`);
  }
  assertSound(back, subkey);
  return back;
}

/** What the primary key itself signed, by what the packet says; others' words about a key count for nothing here. */
function own(signatures: readonly KeySignature[], primary: PgpKey, types: readonly number[]): Own[] {
  return signatures.flatMap((packet) => {
    if (!types.includes(packet.type)) return [];
    const signature = parsed(packet);
    if (signature === undefined || !isBy(signature, primary)) return [];
    return [{ packet, signature }];
  });
}

function parsed({ body }: KeySignature): PgpSignature | undefined {
  try {
    return parsePgpSignature(body);
  } catch (error) {
    if (error instanceof ReleaseError) return undefined;
    throw error;
  }
}

function isBy({ issuer }: PgpSignature, { fingerprint }: PgpKey): boolean {
  return issuer.fingerprint === undefined
    ? issuer.keyId !== undefined && fingerprint.endsWith(issuer.keyId)
    : issuer.fingerprint === fingerprint;
}

function newestOf<T extends { readonly signature: PgpSignature }>(all: readonly T[]): T | undefined {
  return all.toSorted((a, b) => b.signature.created - a.signature.created)[0];
}

/** A signature over a key that is to count: strong, understood, and by the algorithm of its key. */
function assertSound(signature: PgpSignature, by: PgpKey): void {
  try {
    strongHash(signature);
    assertUnderstood(signature, UNDERSTOOD);
  } catch (cause) {
    if (!(cause instanceof ReleaseError)) throw cause;
    throw new ReleaseError(cause.code, `the newest signature of ${shownKey(by)} over itself is ${cause.message}`);
  }
  if (signature.algorithm === by.algorithm && signature.expires === undefined) return;
  const problem = signature.expires === undefined ? 'is of another algorithm' : 'ends before the key does';
  throw new ReleaseError('PGP_KEY_BINDING', `the newest signature of ${shownKey(by)} over itself ${problem}`);
}

function endOf({ created }: PgpKey, { keyLifetime }: PgpSignature): number[] {
  return keyLifetime === undefined ? [] : [created + keyLifetime];
}

function assertWhen(key: PgpKey, ends: readonly number[], made: number, floor: number): void {
  if (made < key.created) {
    const when = `made at ${timeOf(made)}, before its key ${shownKey(key)} was (${timeOf(key.created)})`;
    throw new ReleaseError('PGP_TIME', when);
  }
  const end = Math.min(...ends);
  if (made >= end) {
    throw new ReleaseError('PGP_TIME', `made at ${timeOf(made)}, after ${shownKey(key)} expired (${timeOf(end)})`);
  }
  if (floor >= end) {
    throw new ReleaseError(
      'PGP_KEY_EXPIRED',
      `${shownKey(key)} expired at ${timeOf(end)}; it is at least ${timeOf(floor)}`,
    );
  }
}

function assertUse(key: PgpKey, { keyFlags }: PgpSignature): void {
  if (keyFlags !== undefined && (keyFlags & MAY_SIGN) !== 0) return;
  throw new ReleaseError('PGP_KEY_USE', `${shownKey(key)} is not one that its owner made for signing data`);
}

/** As `gpg --fingerprint` groups nothing: what is compared is what is printed. */
export function shownKey({ fingerprint, algorithm }: Pick<PgpKey, 'fingerprint' | 'algorithm'>): string {
  const kind = algorithm === ALGORITHM.rsa ? 'RSA key' : 'key';
  return `${kind} ${fingerprint.toUpperCase()}`;
}

export function timeOf(seconds: number): Time {
  return formatTime(seconds * 1000);
}

export function shownUser(text: string): string {
  return escapeForTerminal(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
