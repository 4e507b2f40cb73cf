import { verify as nodeVerify } from 'node:crypto';
import { concatBytes, decodeUtf8, encodeBase64, parseBase64, utf8 } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/digest.ts';
import { verifyWithKey } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { digestOf, type Message } from '../message.ts';
import { MAX_SIGNATURE_BYTES, malformedAs, readText } from '../text.ts';
import { WireReader, wireString } from '../wire.ts';
import { ARMOR_BEGIN, ARMOR_END, ARMOR_LINE, MAGIC, SK_USER_PRESENT, SK_USER_VERIFIED, VERSION } from './format.ts';
import { type Curve, parseSshPublicKey, type SshKeyMaterial, type SshPublicKey } from './public-key.ts';

export type SshSignature = {
  readonly key: SshPublicKey;
  readonly namespace: string;
  readonly hash: 'sha256' | 'sha512';
  readonly algorithm: string;
  readonly blob: Uint8Array;
  /** Of a security key. */
  readonly presence?: { readonly flags: number; readonly counter: Uint8Array };
};

const bad = malformedAs('SSH_MALFORMED', 'not an SSH signature');
const RSA_HASHES: Readonly<Record<string, 'sha256' | 'sha512'>> = {
  'rsa-sha2-256': 'sha256',
  'rsa-sha2-512': 'sha512',
};

/**
 * Parses an armoured signature (PROTOCOL.sshsig section 1 and 2) and the key in it. The key means nothing until an
 * allowed signer has it.
 * @throws ReleaseError SSH_MALFORMED, SSH_KEY_MALFORMED, SSH_KEY_WEAK, SSH_CERTIFICATE, SSH_ALGORITHM or
 *   MATERIAL_TOO_LARGE
 */
export function parseSshSignature(bytes: Uint8Array): SshSignature {
  const reader = new WireReader(unarmor(readText(bytes, MAX_SIGNATURE_BYTES, bad)), bad);
  reader.expect(MAGIC, 'it lacks the mark SSHSIG');
  if (reader.uint32() !== VERSION) throw bad('its version is not 1');
  const publicKey = reader.string();
  const namespace = decodeNamespace(reader.string());
  // To be ignored by who reads it, but signed; OpenSSH puts nothing in, and so does who verifies.
  if (reader.string().length > 0) throw bad('its reserved field is not empty');
  const hash = reader.name();
  const signature = reader.string();
  reader.end();
  if (hash !== 'sha256' && hash !== 'sha512') {
    throw new ReleaseError(
      'SSH_ALGORITHM',
      `the SSH signature is over a ${escapeForTerminal(hash)} hash, not sha256 or sha512`,
    );
  }
  const key = parseSshPublicKey(publicKey);
  return { key, namespace, hash, ...readSignature(key, signature) };
}

function unarmor(text: string): Uint8Array {
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  if (lines.length < 3 || lines[0] !== ARMOR_BEGIN || lines.at(-1) !== ARMOR_END) {
    throw bad(`it is not one block between "${ARMOR_BEGIN}" and "${ARMOR_END}"`);
  }
  try {
    return parseBase64(lines.slice(1, -1).join(''));
  } catch (cause) {
    throw bad('its base64 is not canonical', cause);
  }
}

function decodeNamespace(bytes: Uint8Array): string {
  let namespace: string;
  try {
    namespace = decodeUtf8(bytes);
  } catch (cause) {
    throw bad('its namespace is not UTF-8', cause);
  }
  if (namespace === '') throw bad('its namespace is empty');
  return namespace;
}

function readSignature(key: SshPublicKey, bytes: Uint8Array): Pick<SshSignature, 'algorithm' | 'blob' | 'presence'> {
  const reader = new WireReader(bytes, bad);
  const algorithm = reader.name();
  const blob = reader.string();
  const isSecurityKey = key.application !== undefined;
  const presence = isSecurityKey ? { flags: reader.byte(), counter: reader.take(4) } : undefined;
  reader.end();
  // ssh-rsa as an algorithm is SHA-1 (RFC 8332 section 1).
  const isRight = key.material.algorithm === 'rsa' ? Object.hasOwn(RSA_HASHES, algorithm) : algorithm === key.type;
  if (!isRight) {
    const shown = escapeForTerminal(algorithm.slice(0, 80));
    throw new ReleaseError(
      'SSH_ALGORITHM',
      `an SSH signature of type ${shown} is not accepted of a key of type ${key.type}`,
    );
  }
  return { algorithm, blob, ...(presence === undefined ? {} : { presence }) };
}

/** What a key signs: PROTOCOL.sshsig section 2: magic, namespace, reserved, hash algorithm, H(message). */
export function sshSigned(namespace: string, hash: SshSignature['hash'], digest: Uint8Array): Uint8Array {
  return concatBytes(MAGIC, ...[utf8(namespace), new Uint8Array(), utf8(hash), digest].map(wireString));
}

/** What {@link parseSshSignature} reads (PROTOCOL.sshsig section 1). @param publicKey in wire form */
export function encodeSshSignature(
  publicKey: Uint8Array,
  { namespace, hash, algorithm, blob }: Omit<SshSignature, 'key' | 'presence'>,
): string {
  const signature = concatBytes(wireString(utf8(algorithm)), wireString(blob));
  const parts = [publicKey, utf8(namespace), new Uint8Array(), utf8(hash), signature].map(wireString);
  const body = encodeBase64(concatBytes(MAGIC, Uint8Array.of(0, 0, 0, VERSION), ...parts));
  return `${[ARMOR_BEGIN, ...(body.match(ARMOR_LINE) ?? []), ARMOR_END].join('\n')}\n`;
}

/**
 * Whether the key in the signature made it over the message. Who that key belongs to is for the allowed signers.
 * @throws ReleaseError SSH_SIGNATURE, SSH_PRESENCE or SSH_MALFORMED
 */
export function verifySshSignature(message: Message, signature: SshSignature): void {
  const { key, namespace, hash, presence } = signature;
  const signed = sshSigned(namespace, hash, digestOf(message, hash));
  const covered =
    presence === undefined || key.application === undefined
      ? signed
      : // PROTOCOL.u2f: SHA256(application) ‖ flags ‖ counter ‖ SHA256(message)
        concatBytes(sha256(key.application), Uint8Array.of(presence.flags), presence.counter, sha256(signed));
  if (!isSignature(key.material, covered, signature)) {
    const name = escapeForTerminal(message.name);
    throw new ReleaseError('SSH_SIGNATURE', `the SSH signature is not one of the key it names over ${name}`);
  }
  // A key that signs while nobody is there signs for whoever holds the computer.
  if (presence !== undefined && (presence.flags & SK_USER_PRESENT) === 0) {
    throw new ReleaseError('SSH_PRESENCE', 'the security key signed without being touched');
  }
}

/** What a security key says of the person, for the report. */
export function presenceWords({ presence }: SshSignature): string | undefined {
  if (presence === undefined) return undefined;
  return (presence.flags & SK_USER_VERIFIED) === 0 ? 'touched' : 'touched, and unlocked by its user';
}

function isSignature(material: SshKeyMaterial, covered: Uint8Array, { algorithm, blob }: SshSignature): boolean {
  switch (material.algorithm) {
    case 'ed25519':
      return verifyWithKey(material.key, covered, blob);
    case 'rsa':
      return nodeVerify(RSA_HASHES[algorithm], covered, material.key, blob);
    case 'ecdsa': {
      const key = { key: material.key, dsaEncoding: 'ieee-p1363' } as const;
      return nodeVerify(material.curve.hash, covered, key, fixedWidth(blob, material.curve));
    }
  }
}

/** RFC 5656 section 3.1.2: two mpints; to r ‖ s of the curve's width. */
function fixedWidth(blob: Uint8Array, { bytes }: Curve): Uint8Array {
  const reader = new WireReader(blob, bad);
  const halves = [reader.unsigned(), reader.unsigned()];
  reader.end();
  const out = new Uint8Array(2 * bytes);
  halves.forEach((half, i) => {
    if (half.length > bytes) throw bad('a half of its signature is longer than its curve');
    out.set(half, (i + 1) * bytes - half.length);
  });
  return out;
}
