import { concatBytes, utf8 } from '../../../core/bytes.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { malformedAs } from '../text.ts';
import { WireReader, wireString } from '../wire.ts';
import { CERTIFICATE_TYPE, CERTIFIED_USER, MAX_CERTIFIED_NAMES } from './format.ts';
import { isKeySignature, readKeySignature, wasTouched } from './key-signature.ts';
import { parseSshPublicKey, readKeyFields, type SshPublicKey } from './public-key.ts';

/** What an authority says of a key (OpenSSH, PROTOCOL.certkeys). */
export type SshCertificate = {
  readonly serial: bigint;
  /** What the authority calls it. */
  readonly id: string;
  /** Whom it may speak for; none at all would be anybody, and is refused. */
  readonly principals: readonly string[];
  /** Unix seconds: from the first on, and before the second. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  /** Who certified it. That this one may is for the allowed signers. */
  readonly authority: SshPublicKey;
  /** The critical option `verify-required`. */
  readonly mustVerifyUser: boolean;
};

/** A key that signs, by itself or under a certificate. */
export type SshSigner = SshPublicKey & { readonly certificate?: SshCertificate };

const bad = malformedAs('SSH_KEY_MALFORMED', 'not an SSH public key');

/**
 * Parses the key in a signature: a plain one, or a certificate that its authority signed and that is for users.
 * @throws ReleaseError SSH_KEY_MALFORMED, SSH_KEY_WEAK, SSH_ALGORITHM, or SSH_CERTIFICATE for one that nobody may use
 */
export function parseSshSigner(blob: Uint8Array): SshSigner {
  const reader = new WireReader(blob, bad);
  const type = plainType(reader.name());
  return type === undefined ? parseSshPublicKey(blob) : readCertificate(blob, type, reader);
}

/** The wire form of the key in a certificate; that of a plain key is its own. @throws ReleaseError SSH_KEY_MALFORMED */
export function plainBlob(blob: Uint8Array): Uint8Array {
  const reader = new WireReader(blob, bad);
  const type = plainType(reader.name());
  return type === undefined ? blob : readCertifiedKey(blob, type, reader).blob;
}

/** `ssh-ed25519` of `ssh-ed25519-cert-v01@openssh.com`; security keys keep the end of theirs. */
function plainType(type: string): string | undefined {
  const plain = CERTIFICATE_TYPE.exec(type)?.[1];
  return plain?.startsWith('sk-') === true ? `${plain}@openssh.com` : plain;
}

/** The key at the start of a certificate, after its type. */
function readCertifiedKey(blob: Uint8Array, type: string, reader: WireReader): SshPublicKey {
  reader.string(); // A nonce, against collisions.
  const from = reader.position;
  const fields = readKeyFields(type, reader);
  return { type, blob: concatBytes(wireString(utf8(type)), blob.slice(from, reader.position)), ...fields };
}

function readCertificate(blob: Uint8Array, type: string, reader: WireReader): SshSigner {
  const key = readCertifiedKey(blob, type, reader);
  const serial = reader.uint64();
  const kind = reader.uint32();
  const id = reader.text();
  const principals = readAll(reader.string(), (list) => list.text());
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()];
  const critical = readOptions(reader.string());
  readOptions(reader.string()); // Extensions allow things at a login, and nothing here.
  reader.string(); // Reserved, and ignored by who reads it.
  const authority = readAuthority(reader.string());
  const signed = blob.slice(0, reader.position);
  const signature = readKeySignature(authority, reader.string(), bad);
  reader.end();
  if (!isKeySignature(authority, signed, signature, bad) || !wasTouched(signature)) {
    throw refused('the authority that it names did not sign it');
  }
  if (kind !== CERTIFIED_USER) throw refused('it is not for users');
  if (principals.length === 0) throw refused('it names nobody');
  const mustVerifyUser = critical.has('verify-required');
  const [unknown] = [...critical.keys()].filter((name) => name !== 'verify-required');
  // PROTOCOL.certkeys, "Critical options": who does not know one must refuse; ssh-keygen passes over all of them.
  if (unknown !== undefined) throw refused(`it is limited by ${escapeForTerminal(unknown.slice(0, 80))}`);
  const certificate = { serial, id, principals, validAfter, validBefore, authority, mustVerifyUser };
  return { ...key, certificate };
}

/** @throws ReleaseError SSH_KEY_MALFORMED also for a certificate in its place: authority is not handed on */
function readAuthority(blob: Uint8Array): SshPublicKey {
  if (plainType(new WireReader(blob, bad).name()) !== undefined) throw bad('it is certified by a certificate');
  return parseSshPublicKey(blob);
}

/** Names with values, each once and in order. */
function readOptions(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const options = new Map<string, Uint8Array>();
  let last = '';
  for (const [name, value] of readAll(bytes, (list) => [list.text(), list.string()] as const)) {
    if (options.size > 0 && name <= last) throw bad('its options are not in order, each once');
    options.set(name, value);
    last = name;
  }
  return options;
}

function readAll<T>(bytes: Uint8Array, readOne: (list: WireReader) => T): readonly T[] {
  const list = new WireReader(bytes, bad);
  const all: T[] = [];
  while (!list.isAtEnd) {
    if (all.length === MAX_CERTIFIED_NAMES) throw bad(`a list in it is over ${MAX_CERTIFIED_NAMES}`);
    all.push(readOne(list));
  }
  return all;
}

function refused(problem: string): ReleaseError {
  return new ReleaseError('SSH_CERTIFICATE', `the SSH certificate can't be used: ${problem}`);
}
