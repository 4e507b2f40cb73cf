import { createPrivateKey, createPublicKey, type KeyObject, sign as nodeSign } from 'node:crypto';
import { encodeBase64, encodeHex, equalBytes, parseBase64 } from './bytes.ts';
import { sha256 } from './digest.ts';
import { assertSafePublicKey, ed25519FromSpki, verifyEd25519 } from './ed25519.ts';
import { CoreError } from './errors.ts';

/** SHA-256 of the SPKI DER, lower-case hex: always recomputed, never believed. */
export type KeyId = string;

export type PublicKey = {
  readonly algorithm: 'ed25519';
  readonly keyid: KeyId;
  /** 32 bytes (RFC 8032 section 5.1.5). */
  readonly raw: Uint8Array;
  /** Canonical SPKI PEM, as `openssl pkey -pubout` writes it. */
  readonly pem: string;
};

export type PrivateKey = { readonly publicKey: PublicKey; readonly handle: KeyObject };

const PUBLIC_PEM = /^-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n-----END PUBLIC KEY-----\s*$/;
const PRIVATE_PEM =
  /^-----BEGIN (ENCRYPTED )?PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]+?\r?\n-----END (ENCRYPTED )?PRIVATE KEY-----\s*$/;
const PEM_LINE = 64;

/**
 * Parses a public key: exactly one SPKI PEM block (RFC 7468 section 13), Ed25519, safe to verify under.
 * @throws CoreError KEY_MALFORMED, KEY_ALGORITHM, KEY_WRONG_HALF, KEY_NOT_CANONICAL, KEY_LOW_ORDER or KEY_MIXED_ORDER
 */
export function parsePublicKey(pem: string): PublicKey {
  if (PRIVATE_PEM.test(pem)) {
    throw new CoreError('KEY_WRONG_HALF', 'this is a private key; give the public one (.pub.pem)');
  }
  const body = PUBLIC_PEM.exec(pem)?.[1];
  if (body === undefined) {
    throw new CoreError('KEY_MALFORMED', 'not a public key: expected one PEM block "BEGIN PUBLIC KEY" (SPKI)');
  }
  return publicKeyFromSpki(parsePemBody(body));
}

function parsePemBody(body: string): Uint8Array {
  try {
    return parseBase64(body.replace(/[\r\n]/g, ''));
  } catch (cause) {
    throw new CoreError('KEY_MALFORMED', 'not a public key: its PEM body is not base64', { cause });
  }
}

/** As {@link parsePublicKey}, from SPKI DER. @throws CoreError as there */
export function publicKeyFromSpki(spki: Uint8Array): PublicKey {
  const raw = ed25519FromSpki(spki);
  if (raw === undefined) throw unknownSpki(spki);
  assertSafeOnce(raw);
  return { algorithm: 'ed25519', keyid: encodeHex(sha256(spki)), raw, pem: publicPem(spki) };
}

/**
 * Points that were found safe, in hex. Looking costs milliseconds, and the same few keys come with every root, enrolment
 * and bundle. What is not safe is looked at each time.
 */
const safePoints = new Set<string>();
/** So that a stranger's documents with ever new keys don't fill the memory. */
const MAX_SAFE_POINTS = 4096;

function assertSafeOnce(raw: Uint8Array): void {
  const point = encodeHex(raw);
  if (safePoints.has(point)) return;
  assertSafePublicKey(raw);
  if (safePoints.size >= MAX_SAFE_POINTS) safePoints.clear();
  safePoints.add(point);
}

function unknownSpki(spki: Uint8Array): CoreError {
  try {
    const { asymmetricKeyType } = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    // OpenSSL overlooks bytes after the key; two spellings of one key would be two keyids.
    if (asymmetricKeyType === 'ed25519') return new CoreError('KEY_MALFORMED', 'the public key is not in DER');
    return new CoreError('KEY_ALGORITHM', `the key is of type ${asymmetricKeyType}; only ed25519 is supported`);
  } catch (cause) {
    return new CoreError('KEY_MALFORMED', 'not a public key: its DER is not a SubjectPublicKeyInfo', { cause });
  }
}

function publicPem(spki: Uint8Array): string {
  const lines = encodeBase64(spki).match(new RegExp(`.{1,${PEM_LINE}}`, 'g')) ?? [];
  return `-----BEGIN PUBLIC KEY-----\n${lines.join('\n')}\n-----END PUBLIC KEY-----\n`;
}

/**
 * Parses a private key: one PKCS#8 PEM block (RFC 5958), plain or PBES2-encrypted, as openssl writes it.
 * @throws CoreError KEY_MALFORMED, KEY_ALGORITHM, KEY_WRONG_HALF, KEY_ENCRYPTED (encrypted and no passphrase given) or
 *   KEY_PASSPHRASE (the passphrase doesn't open it)
 */
export function parsePrivateKey(pem: string, passphrase?: string): PrivateKey {
  if (PUBLIC_PEM.test(pem)) {
    throw new CoreError('KEY_WRONG_HALF', 'this is a public key; signing needs the private one');
  }
  const block = PRIVATE_PEM.exec(pem);
  if (block === null) {
    throw new CoreError('KEY_MALFORMED', 'not a private key: expected one PEM block "BEGIN PRIVATE KEY" (PKCS#8)');
  }
  const handle = openPrivateKey(pem, block[1] !== undefined, passphrase);
  if (handle.asymmetricKeyType !== 'ed25519') {
    throw new CoreError('KEY_ALGORITHM', `the key is of type ${handle.asymmetricKeyType}; only ed25519 is supported`);
  }
  const spki = createPublicKey(handle).export({ format: 'der', type: 'spki' });
  return { publicKey: publicKeyFromSpki(new Uint8Array(spki)), handle };
}

function openPrivateKey(pem: string, encrypted: boolean, passphrase: string | undefined): KeyObject {
  if (encrypted && passphrase === undefined) {
    throw new CoreError('KEY_ENCRYPTED', 'the private key is encrypted and no passphrase was given');
  }
  try {
    return createPrivateKey({ key: pem, format: 'pem', ...(encrypted ? { passphrase: passphrase ?? '' } : {}) });
  } catch (cause) {
    if (encrypted) throw new CoreError('KEY_PASSPHRASE', 'the passphrase does not open the private key', { cause });
    throw new CoreError('KEY_MALFORMED', 'not a private key: its PKCS#8 content is damaged', { cause });
  }
}

/**
 * PKCS#8 PEM of a private key: plain, or with a passphrase PBES2 (AES-256-CBC), which `openssl pkey` opens.
 */
export function formatPrivateKey(handle: KeyObject, passphrase?: string): string {
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return handle.export({ format: 'pem', type: 'pkcs8', ...cipher }).toString();
}

/** 64 bytes over `message` (RFC 8032 section 5.1.6: deterministic, so the same inputs give the same bytes). */
export function signWithKey(key: PrivateKey, message: Uint8Array): Uint8Array {
  return new Uint8Array(nodeSign(null, message, key.handle));
}

/** Verifies a document's signature with both verifiers; see `verifyEd25519`. */
export function verifyWithKey(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  return verifyEd25519(key.raw, message, signature);
}

/** The same key, whatever file it came from. */
export function isSameKey(a: PublicKey, b: PublicKey): boolean {
  return equalBytes(a.raw, b.raw);
}
