import { parseBase64 } from '../../../core/bytes.ts';
import type { Malformed } from '../text.ts';

/** Section 6.2: a label, headers, an empty line, base64 in lines, a checksum. */
const LINE = 76;
/** Nothing that a header says counts, so only those that tools write are let through, in printable ASCII. */
const HEADER = /^(?:Version|Comment|Charset|MessageID): [\x20-\x7e]{0,200}$/;
const CHECKSUM = /^=([A-Za-z0-9+/]{4})$/;

/**
 * Decodes armoured blocks of one label that follow each other, and nothing else: no text before, between or after, one
 * spelling of the base64, and a right checksum where there is one. What a lenient reader skips, another one reads.
 * @param lines of the whole file; the last may be empty, after its newline
 * @returns the content of each block, at least one
 */
export function decodeArmor(lines: readonly string[], label: string, malformed: Malformed): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  const all = lines.at(-1) === '' ? lines.slice(0, -1) : lines;
  let at = 0;
  while (at < all.length) {
    const { bytes, next } = decodeBlock(all, at, label, malformed);
    blocks.push(bytes);
    at = next;
  }
  if (blocks.length === 0) throw malformed('it is empty');
  return blocks;
}

function decodeBlock(
  lines: readonly string[],
  start: number,
  label: string,
  malformed: Malformed,
): { readonly bytes: Uint8Array; readonly next: number } {
  if (lines[start] !== `-----BEGIN ${label}-----`) throw malformed(`its line ${start + 1} is no "BEGIN ${label}"`);
  const empty = lines.indexOf('', start);
  if (empty === -1) throw malformed('no empty line ends its headers');
  const odd = lines.slice(start + 1, empty).find((line) => !HEADER.test(line));
  if (odd !== undefined) throw malformed('it has a header that no tool writes');
  const end = lines.indexOf(`-----END ${label}-----`, empty);
  if (end === -1) throw malformed(`it has no "END ${label}"`);
  const body = lines.slice(empty + 1, end);
  const checksum = CHECKSUM.exec(body.at(-1) ?? '')?.[1];
  const data = checksum === undefined ? body : body.slice(0, -1);
  // GnuPG cuts longer lines, so that two readers of one file saw different bytes (2025).
  if (data.some((line) => line === '' || line.length > LINE)) {
    throw malformed(`a line of its base64 is empty or over ${LINE} characters`);
  }
  const bytes = decoded(data.join(''), malformed);
  if (checksum !== undefined && !Buffer.from(checksum, 'base64').equals(crc24(bytes))) {
    throw malformed('its checksum is wrong: it was damaged');
  }
  return { bytes, next: end + 1 };
}

function decoded(base64: string, malformed: Malformed): Uint8Array {
  try {
    return parseBase64(base64);
  } catch (cause) {
    throw malformed('its base64 is not canonical', cause);
  }
}

/** Section 6.1. */
function crc24(bytes: Uint8Array): Buffer {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb;
    }
  }
  const sum = Buffer.alloc(3);
  sum.writeUIntBE(crc & 0xffffff, 0, 3);
  return sum;
}
