/** Every magic value of sealed values (docs/formats.md, "Sealed values"). */

/** What a sealed value is of: it goes into its keys, so that one can't be passed off as the other. */
export const SECRET_KINDS = ['argv', 'env'] as const;
export type SecretKind = (typeof SECRET_KINDS)[number];

export const SEALED_VERSION = 1;

/** Bytes of record keys, batch keys, derived keys and HMAC-SHA256. */
export const KEY_BYTES = 32;
/** ChaCha20-Poly1305 (RFC 8439 section 2.8). */
export const AEAD = 'chacha20-poly1305';
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

/** HKDF `info` of the keys derived from a record key; the kind follows. */
export const VALUE_KEY_INFO = 'daemoneye seal v1 value ';
export const COMMIT_KEY_INFO = 'daemoneye seal v1 commit ';

/** A value is padded to a multiple of this before it is encrypted: a ciphertext tells little of its length. */
export const PADDING_BYTES = 64;
/** The longest value: above what a collector captures. */
export const MAX_VALUE_BYTES = 1024 * 1024;

/** A batch key encrypts the record keys of so many records, or of so much time, whichever comes first. */
export const BATCH_RECORDS = 1024;
export const BATCH_SECONDS = 3600;

/** A line of a sealed file: a value with its padding, in base64, and the fields around it. */
export const MAX_SEALED_LINE_BYTES = 1_500_000;

const SEQ_DIGITS = 12;
const FILE_NAME = /^([0-9]{12})-[0-9a-f]{8}\.ndjson$/;

/** The file for values of lines from this seq on; `unique` keeps two starts at one seq apart. */
export function sealedFileName(fromSeq: number, unique: string): string {
  return `${String(fromSeq).padStart(SEQ_DIGITS, '0')}-${unique}.ndjson`;
}

/** The seq from which on a file may hold values, or undefined for any other name. */
export function parseSealedFileName(name: string): number | undefined {
  const digits = FILE_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
