import { createPublicKey, type KeyObject } from 'node:crypto';
import { encodeBase64, encodeHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/digest.ts';
import { ed25519Spki } from '../../../core/ed25519.ts';
import { messageOf } from '../../../core/errors.ts';
import { type KeyId, type PublicKey, publicKeyFromSpki } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { rsaProblem } from '../rsa-numbers.ts';
import { malformedAs } from '../text.ts';
import { WireReader } from '../wire.ts';
import { MAX_RSA_BITS, MIN_RSA_BITS, SSH_ED25519 } from './format.ts';

/** A key that may make SSH signatures. */
export type SshPublicKey = {
  readonly type: string;
  /** The wire form: what two keys are compared by. Of a certified key, that of the key alone. */
  readonly blob: Uint8Array;
  readonly keyid: KeyId;
  readonly material: SshKeyMaterial;
  /** Of a security key: what its signatures are bound to, such as `ssh:`. */
  readonly application?: Uint8Array;
};

export type SshKeyMaterial =
  | { readonly algorithm: 'ed25519'; readonly key: PublicKey }
  | { readonly algorithm: 'ecdsa'; readonly key: KeyObject; readonly curve: Curve }
  | { readonly algorithm: 'rsa'; readonly key: KeyObject };

export type Curve = {
  readonly ssh: string;
  readonly jwk: string;
  /** Bytes of a coordinate, and of each half of a signature. */
  readonly bytes: number;
  /** RFC 5656 section 6.2.1. */
  readonly hash: 'sha256' | 'sha384' | 'sha512';
};

const P256: Curve = { ssh: 'nistp256', jwk: 'P-256', bytes: 32, hash: 'sha256' };
const ECDSA: Readonly<Record<string, Curve>> = {
  'ecdsa-sha2-nistp256': P256,
  'ecdsa-sha2-nistp384': { ssh: 'nistp384', jwk: 'P-384', bytes: 48, hash: 'sha384' },
  'ecdsa-sha2-nistp521': { ssh: 'nistp521', jwk: 'P-521', bytes: 66, hash: 'sha512' },
};
export const SK_ED25519 = 'sk-ssh-ed25519@openssh.com';
export const SK_ECDSA = 'sk-ecdsa-sha2-nistp256@openssh.com';
const UNCOMPRESSED = 0x04;

const bad = malformedAs('SSH_KEY_MALFORMED', 'not an SSH public key');

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export function sshFingerprint(blob: Uint8Array): string {
  return `SHA256:${encodeBase64(sha256(blob)).replace(/=+$/, '')}`;
}

/** The type that a key's wire form names. @throws ReleaseError SSH_KEY_MALFORMED */
export function sshKeyType(blob: Uint8Array): string {
  return new WireReader(blob, bad).name();
}

/** @throws ReleaseError SSH_KEY_MALFORMED, SSH_KEY_WEAK or SSH_ALGORITHM (for a certificate too) */
export function parseSshPublicKey(blob: Uint8Array): SshPublicKey {
  const reader = new WireReader(blob, bad);
  const type = reader.name();
  const fields = readKeyFields(type, reader);
  reader.end();
  return { type, blob, ...fields };
}

/** What follows a key's type, in its wire form as in a certificate. @throws ReleaseError as {@link parseSshPublicKey} */
export function readKeyFields(
  type: string,
  reader: WireReader,
): Pick<SshPublicKey, 'keyid' | 'material' | 'application'> {
  const material = readMaterial(type, reader);
  const application = type === SK_ED25519 || type === SK_ECDSA ? reader.string() : undefined;
  return { keyid: keyidOf(material), material, ...(application === undefined ? {} : { application }) };
}

function readMaterial(type: string, reader: WireReader): SshKeyMaterial {
  const curve = type === SK_ECDSA ? P256 : ECDSA[type];
  if (curve !== undefined) return readEcdsa(curve, reader);
  if (type === SSH_ED25519 || type === SK_ED25519) return readEd25519(reader);
  if (type === 'ssh-rsa') return readRsa(reader);
  throw new ReleaseError('SSH_ALGORITHM', `SSH keys of type ${escapeForTerminal(type.slice(0, 80))} are not supported`);
}

function readEd25519(reader: WireReader): SshKeyMaterial {
  const raw = reader.string();
  try {
    return { algorithm: 'ed25519', key: publicKeyFromSpki(ed25519Spki(raw)) };
  } catch (cause) {
    throw bad(messageOf(cause), cause);
  }
}

function readEcdsa(curve: Curve, reader: WireReader): SshKeyMaterial {
  if (reader.name() !== curve.ssh) throw bad('its curve is not that of its type');
  const point = reader.string();
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== UNCOMPRESSED) throw bad('its point is not uncompressed');
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)].map(base64url);
  return { algorithm: 'ecdsa', curve, key: keyFromJwk({ kty: 'EC', crv: curve.jwk, x, y }) };
}

function readRsa(reader: WireReader): SshKeyMaterial {
  const [e, n] = [reader.unsigned(), reader.unsigned()];
  const problem = rsaProblem(n, e, { min: MIN_RSA_BITS, max: MAX_RSA_BITS });
  if (problem !== undefined) throw new ReleaseError('SSH_KEY_WEAK', problem);
  return { algorithm: 'rsa', key: keyFromJwk({ kty: 'RSA', e: base64url(e), n: base64url(n) }) };
}

function keyFromJwk(key: { readonly [name: string]: string | undefined }): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch (cause) {
    throw bad('its point is not on its curve, or its numbers are not a key', cause);
  }
}

function keyidOf(material: SshKeyMaterial): KeyId {
  if (material.algorithm === 'ed25519') return material.key.keyid;
  return encodeHex(sha256(material.key.export({ format: 'der', type: 'spki' })));
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

/** A key as a file has it: type, base64, and perhaps a comment. @throws ReleaseError SSH_KEY_MALFORMED */
export function parseKeyWords(type: string, base64: string): Uint8Array {
  const blob = new Uint8Array(Buffer.from(base64, 'base64'));
  if (blob.length === 0 || encodeBase64(blob) !== base64) throw bad('its base64 is not canonical');
  const inner = sshKeyType(blob);
  // What a person reads must be what is compared.
  if (inner !== type) throw bad(`it says ${shown(type)} and holds ${shown(inner)}`);
  return blob;
}

function shown(type: string): string {
  return escapeForTerminal(type.slice(0, 80));
}
