import { CoreError } from './errors.ts';

const encoder = new TextEncoder();
// fatal: malformed UTF-8 is an error, not U+FFFD. ignoreBOM: a BOM stays visible so that callers can refuse it.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 bytes of `text`. Lone surrogates become U+FFFD, so check with `isWellFormed()` where that matters. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Strict UTF-8 decoding. @throws CoreError UTF8_MALFORMED */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new CoreError('UTF8_MALFORMED', 'the text is not valid UTF-8', { cause });
  }
}

/** Lower-case hexadecimal. */
export function encodeHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** Parses lower-case hexadecimal of even length. @throws CoreError HEX_MALFORMED */
export function parseHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new CoreError('HEX_MALFORMED', 'expected lower-case hexadecimal');
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** Standard base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/**
 * Parses canonical standard base64: padded, no white space, unused bits zero (RFC 4648 section 3.5).
 * A second spelling of the same bytes would let an attacker vary a signed file without breaking it.
 * @throws CoreError BASE64_NOT_CANONICAL
 */
export function parseBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) {
    throw new CoreError('BASE64_NOT_CANONICAL', 'expected canonical base64 (padded, no spaces, no spare bits)');
  }
  return new Uint8Array(bytes);
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Equality of public bytes; not constant-time, and not for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Order by unsigned byte value, as `LC_ALL=C sort` does on UTF-8 text. */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
