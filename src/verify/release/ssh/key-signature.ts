import { verify as nodeVerify } from 'node:crypto';
import { concatBytes } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/digest.ts';
import { verifyWithKey } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import type { Malformed } from '../text.ts';
import { WireReader } from '../wire.ts';
import { SK_USER_PRESENT, SK_USER_VERIFIED } from './format.ts';
import type { Curve, SshPublicKey } from './public-key.ts';

/** What a key made: in a signature over a file, and in a certificate by its authority. */
export type KeySignature = {
  readonly algorithm: string;
  readonly blob: Uint8Array;
  /** Of a security key. */
  readonly presence?: { readonly flags: number; readonly counter: Uint8Array };
};

const RSA_HASHES: Readonly<Record<string, 'sha256' | 'sha512'>> = {
  'rsa-sha2-256': 'sha256',
  'rsa-sha2-512': 'sha512',
};

/** @throws ReleaseError SSH_ALGORITHM, or as `malformed` makes it */
export function readKeySignature(key: SshPublicKey, bytes: Uint8Array, malformed: Malformed): KeySignature {
  const reader = new WireReader(bytes, malformed);
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

/** Whether the key made it over these bytes. @throws as `malformed` makes it, for one that is none */
export function isKeySignature(
  { material, application }: SshPublicKey,
  signed: Uint8Array,
  { algorithm, blob, presence }: KeySignature,
  malformed: Malformed,
): boolean {
  const covered =
    presence === undefined || application === undefined
      ? signed
      : // PROTOCOL.u2f: SHA256(application) ‖ flags ‖ counter ‖ SHA256(message)
        concatBytes(sha256(application), Uint8Array.of(presence.flags), presence.counter, sha256(signed));
  switch (material.algorithm) {
    case 'ed25519':
      return verifyWithKey(material.key, covered, blob);
    case 'rsa':
      return nodeVerify(RSA_HASHES[algorithm], covered, material.key, blob);
    case 'ecdsa': {
      const key = { key: material.key, dsaEncoding: 'ieee-p1363' } as const;
      return nodeVerify(material.curve.hash, covered, key, fixedWidth(blob, material.curve, malformed));
    }
  }
}

/** A key that signs while nobody is there signs for whoever holds the computer. True of keys that need no touch. */
export function wasTouched({ presence }: KeySignature): boolean {
  return presence === undefined || (presence.flags & SK_USER_PRESENT) !== 0;
}

/** By a PIN or a finger; false of keys that can't tell. */
export function userWasVerified({ presence }: KeySignature): boolean {
  return presence !== undefined && (presence.flags & SK_USER_VERIFIED) !== 0;
}

/** RFC 5656 section 3.1.2: two mpints; to r ‖ s of the curve's width. */
function fixedWidth(blob: Uint8Array, { bytes }: Curve, malformed: Malformed): Uint8Array {
  const reader = new WireReader(blob, malformed);
  const halves = [reader.unsigned(), reader.unsigned()];
  reader.end();
  const out = new Uint8Array(2 * bytes);
  halves.forEach((half, i) => {
    if (half.length > bytes) throw malformed('a half of its signature is longer than its curve');
    out.set(half, (i + 1) * bytes - half.length);
  });
  return out;
}
