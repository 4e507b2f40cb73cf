import { encodeTarHeader, TAR_BLOCK, tarPadding } from '../../src/archive/tar-header.ts';
import { type TarLimits, TarReader } from '../../src/archive/tar-reader.ts';
import { writeTar } from '../../src/archive/tar-writer.ts';
import { concatBytes, utf8 } from '../../src/core/bytes.ts';

/** Tar archives in memory, ours and hostile ones made byte by byte. */

export type Content = { readonly [name: string]: Uint8Array | string };

export const LIMITS: TarLimits = { maxEntries: 1000, maxEntryBytes: 1024 * 1024 };

export async function pack(content: Content): Promise<Uint8Array> {
  const files = Object.entries(content).map(([name, body]) => {
    const bytes = typeof body === 'string' ? utf8(body) : body;
    return { name, size: bytes.length, body: [bytes] };
  });
  return collect(writeTar(files));
}

export async function unpack(
  archive: Uint8Array,
  limits = LIMITS,
  pieceSize = archive.length,
): Promise<[string, Uint8Array][]> {
  const reader = new TarReader(pieces(archive, pieceSize), limits);
  const files: [string, Uint8Array][] = [];
  for (let header = await reader.next(); header !== undefined; header = await reader.next()) {
    const body: Uint8Array[] = [];
    for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
      body.push(new Uint8Array(piece));
    }
    files.push([header.name, concatBytes(...body)]);
  }
  return files;
}

/** The archive in pieces of this size, each in the same buffer, as a reader of files hands them out. */
export async function* pieces(archive: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(1, size));
  for (let at = 0; at < archive.length; at += buffer.length) {
    const piece = archive.subarray(at, at + buffer.length);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    buffer.fill(0xee);
  }
}

export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of bytes) all.push(new Uint8Array(piece));
  return concatBytes(...all);
}

/** Offsets in a header (IEEE Std 1003.1, "ustar Interchange Format"). */
export const AT = {
  name: 0,
  mode: 100,
  uid: 108,
  size: 124,
  mtime: 136,
  chksum: 148,
  type: 156,
  link: 157,
  magic: 257,
  uname: 265,
  dev: 329,
  prefix: 345,
  spare: 500,
};

export type Patch = readonly [at: number, text: string | Uint8Array];

/** A header of ours with bytes changed and the checksum put right again. */
export function forgeHeader(name: string, size: number, ...patches: readonly Patch[]): Uint8Array {
  const header = new Uint8Array(encodeTarHeader(name, size));
  for (const [at, text] of patches) header.set(typeof text === 'string' ? Buffer.from(text, 'latin1') : text, at);
  header.set(utf8('        '), AT.chksum);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(utf8(`${sum.toString(8).padStart(6, '0')} \0`), AT.chksum);
  return header;
}

/** A file with a forged header. */
export function forgeEntry(name: string, body: string, ...patches: readonly Patch[]): Uint8Array {
  const bytes = utf8(body);
  return concatBytes(forgeHeader(name, bytes.length, ...patches), bytes, new Uint8Array(tarPadding(bytes.length)));
}

export function end(blocks = 2): Uint8Array {
  return new Uint8Array(blocks * TAR_BLOCK);
}
