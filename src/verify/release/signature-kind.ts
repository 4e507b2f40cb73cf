import { ReleaseError } from './errors.ts';
import { parseSignatureFile } from './openpgp/signature-file.ts';
import { MAX_SIGNATURE_BYTES } from './text.ts';

/** What somebody signed with, told by content: a name such as `.sig` says nothing (minisign, signify, SSH and raw use it). */
export type SignatureKind = 'minisign' | 'signify' | 'ssh' | 'sigstore' | 'raw' | 'openpgp';

/** What each is called in sentences. */
export const KIND_WORDS: Readonly<Record<SignatureKind, string>> = {
  minisign: 'a minisign signature',
  signify: 'a signify signature',
  ssh: 'an SSH signature',
  sigstore: 'a sigstore bundle or attestation',
  raw: 'a plain signature',
  openpgp: 'an OpenPGP signature',
};

const ED25519_BYTES = 64;
/** A DER signature of P-521 is 139 bytes at most, with one more in its length. */
const MAX_DER_BYTES = 160;
/** RSA of 2048, 3072 and 4096 bits. */
const RSA_BYTES: readonly number[] = [256, 384, 512];

/** @returns undefined for what is no signature that we know. Nothing is believed by this: the method parses strictly. */
export function signatureKind(bytes: Uint8Array): SignatureKind | undefined {
  const head = Buffer.from(bytes.subarray(0, MAX_SIGNATURE_BYTES)).toString('latin1');
  if (head.startsWith('untrusted comment: ')) {
    return head.split('\n')[2]?.startsWith('trusted comment: ') ? 'minisign' : 'signify';
  }
  if (head.startsWith('-----BEGIN SSH SIGNATURE-----')) return 'ssh';
  if (/^-----BEGIN PGP (?:SIGNATURE|SIGNED MESSAGE|MESSAGE)-----/.test(head)) return 'openpgp';
  if (/^\s*\{/.test(head)) return 'sigstore';
  // Before plain ones, which may be any bytes of some length: by chance none of those is well-formed to its end.
  if (isOpenpgp(bytes)) return 'openpgp';
  return isRaw(bytes, head) ? 'raw' : undefined;
}

/** In binary. */
function isOpenpgp(bytes: Uint8Array): boolean {
  try {
    return parseSignatureFile(bytes).signatures.length > 0;
  } catch (error) {
    if (error instanceof ReleaseError) return false;
    throw error;
  }
}

function isRaw(bytes: Uint8Array, head: string): boolean {
  if (bytes.length === ED25519_BYTES || RSA_BYTES.includes(bytes.length)) return true;
  if (bytes[0] === 0x30 && bytes[1] === bytes.length - 2 && bytes.length <= MAX_DER_BYTES) return true;
  return /^[A-Za-z0-9+/]{60,700}={0,2}\s*$/.test(head.replaceAll('\n', ''));
}
