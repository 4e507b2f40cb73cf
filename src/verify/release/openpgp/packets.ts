import type { Malformed } from '../text.ts';

export type Packet = {
  readonly tag: number;
  readonly body: Uint8Array;
  /** With its header, as it stood. */
  readonly whole: Uint8Array;
};

/**
 * Splits bytes into packets (section 4.2), old and new form. Lengths in parts or without an end are refused: only
 * messages have them, and a signature file or a keyring holds none.
 */
export function splitPackets(bytes: Uint8Array, malformed: Malformed): Packet[] {
  const packets: Packet[] = [];
  let at = 0;
  while (at < bytes.length) {
    const { tag, start, end } = readHeader(bytes, at, malformed);
    if (end > bytes.length) throw malformed('a packet is cut short');
    packets.push({ tag, body: bytes.slice(start, end), whole: bytes.slice(at, end) });
    at = end;
  }
  return packets;
}

function readHeader(bytes: Uint8Array, at: number, malformed: Malformed) {
  const first = bytes[at] ?? 0;
  if ((first & 0x80) === 0) throw malformed('it holds something that is no OpenPGP packet');
  if ((first & 0x40) !== 0) {
    const { length, start } = readLength(bytes, at + 1, malformed);
    return { tag: first & 0x3f, start, end: start + length };
  }
  const width = [1, 2, 4][first & 0x03];
  if (width === undefined) throw malformed('a packet in it has no length');
  const length = numberAt(bytes, at + 1, width, malformed);
  const start = at + 1 + width;
  return { tag: (first >> 2) & 0x0f, start, end: start + length };
}

/** Lengths of packets in the new form (section 4.2.1) and of subpackets (section 5.2.3.7). */
export function readLength(
  bytes: Uint8Array,
  at: number,
  malformed: Malformed,
  isSubpacket = false,
): { readonly length: number; readonly start: number } {
  const first = numberAt(bytes, at, 1, malformed);
  if (first < 192) return { length: first, start: at + 1 };
  if (first === 255) return { length: numberAt(bytes, at + 1, 4, malformed), start: at + 5 };
  if (first < 224 || isSubpacket) {
    return { length: ((first - 192) << 8) + numberAt(bytes, at + 1, 1, malformed) + 192, start: at + 2 };
  }
  throw malformed('a packet in it comes in parts');
}

function numberAt(bytes: Uint8Array, at: number, width: number, malformed: Malformed): number {
  if (at + width > bytes.length) throw malformed('a packet is cut short');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUIntBE(at, width);
}
