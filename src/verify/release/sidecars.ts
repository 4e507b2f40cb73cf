import { createHash } from 'node:crypto';
import { concatBytes, encodeBase64, parseHex, utf8 } from '../../core/bytes.ts';
import { type PrivateKey, type PublicKey, signWithKey } from '../../core/keys.ts';
import { encodeMinisignKey, encodeMinisignSignature, minisignCovered } from './minisign.ts';
import { encodeSignifyKey, encodeSignifySignature } from './signify.ts';
import { FILE_NAMESPACE, SSH_ED25519 } from './ssh/format.ts';
import { encodeSshSignature, sshSigned } from './ssh/signature.ts';
import { wireString } from './wire.ts';

/**
 * Signatures beside a file, in the forms of other people's tools, by the keys that sign our documents: a clerk checks
 * one with the one tool at hand. Such a yes covers the file and the key, and nothing else. They sign other bytes than an
 * envelope's signature does, so neither can stand in for the other.
 */
export const SIDECAR_KINDS = ['minisig', 'sshsig', 'signify', 'raw'] as const;
export type SidecarKind = (typeof SIDECAR_KINDS)[number];

/** As the tools, and `release verify`, look for them. */
export const SIDECAR_ENDINGS: Readonly<Record<SidecarKind, string>> = {
  minisig: '.minisig',
  sshsig: '.sshsig',
  signify: '.sig',
  raw: '.signature',
};

/** Bytes that number a key for minisign and signify; random there, of the keyid here. */
const KEY_NUMBER_BYTES = 8;
const SSH_HASH = 'sha512';

function keyNumber({ keyid }: PublicKey): Uint8Array {
  return parseHex(keyid).slice(0, KEY_NUMBER_BYTES);
}

/**
 * The file of a signature over `message`. The same key and bytes give the same file.
 * @param comment covered by minisign's global signature; one line
 */
export function signSidecar(kind: SidecarKind, key: PrivateKey, message: Uint8Array, comment: string): Uint8Array {
  const { publicKey } = key;
  switch (kind) {
    case 'minisig': {
      const signature = signWithKey(key, new Uint8Array(createHash('blake2b512').update(message).digest()));
      const globalSignature = signWithKey(key, minisignCovered(signature, comment));
      const id = keyNumber(publicKey);
      const made = { algorithm: 'prehashed', id, signature, trustedComment: comment, globalSignature } as const;
      return utf8(encodeMinisignSignature(made));
    }
    case 'signify':
      return utf8(encodeSignifySignature({ number: keyNumber(publicKey), signature: signWithKey(key, message) }));
    case 'sshsig': {
      const digest = new Uint8Array(createHash(SSH_HASH).update(message).digest());
      const blob = signWithKey(key, sshSigned(FILE_NAMESPACE, SSH_HASH, digest));
      const made = { namespace: FILE_NAMESPACE, hash: SSH_HASH, algorithm: SSH_ED25519, blob } as const;
      return utf8(encodeSshSignature(sshWire(publicKey), made));
    }
    case 'raw':
      return signWithKey(key, message);
  }
}

export const KEY_FORMATS = ['pem', 'minisign', 'ssh', 'signify'] as const;
export type KeyFormat = (typeof KEY_FORMATS)[number];

/** The public key file of each tool, its last newline included. */
export function exportPublicKey(format: KeyFormat, key: PublicKey): string {
  switch (format) {
    case 'pem':
      return key.pem;
    case 'minisign':
      return encodeMinisignKey({ id: keyNumber(key), key });
    case 'signify':
      return encodeSignifyKey({ number: keyNumber(key), key });
    case 'ssh':
      return `${SSH_ED25519} ${encodeBase64(sshWire(key))}\n`;
  }
}

/** RFC 8709 section 4. */
function sshWire({ raw }: PublicKey): Uint8Array {
  return concatBytes(wireString(utf8(SSH_ED25519)), wireString(raw));
}
