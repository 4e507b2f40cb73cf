import { inflateSync } from 'node:zlib';
import { concatBytes } from '../core/bytes.ts';
import { LedgerError } from './errors.ts';

/** Pixels a side and in all: what a phone takes fits, what fills a memory doesn't. */
const MAX_SIDE = 8192;
const MAX_PIXELS = 24 * 1024 * 1024;

const SIGNATURE_BYTES = 8;
/** Length, type and CRC of a chunk. */
const FRAME_BYTES = 12;
const IHDR_BYTES = 13;
/** What an image needs; comments, colour profiles (deflated again) and animations stay out. */
const WANTED = ['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'];
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

type Chunk = { readonly type: string; readonly start: number; readonly end: number };

/**
 * The chunks of a PNG that make the image, after checks that keep a decoder from being fed a bomb: one header, first,
 * of sane dimensions; pixel data that inflate to no more than those dimensions take (https://www.w3.org/TR/png-3/).
 * @throws LedgerError IMAGE_MALFORMED or IMAGE_TOO_LARGE
 */
export function safePng(bytes: Uint8Array): Uint8Array {
  const chunks = chunksOf(bytes).filter(({ type }) => WANTED.includes(type));
  const [header] = chunks;
  if (header?.type !== 'IHDR' || header.end - header.start !== FRAME_BYTES + IHDR_BYTES) {
    throw malformedImage('its header is not where it should be');
  }
  if (chunks.filter(({ type }) => type === 'IHDR').length > 1) throw malformedImage('it has two headers');
  const limit = pixelBytes(new DataView(bytes.buffer, bytes.byteOffset + header.start + 8, IHDR_BYTES));
  const data = chunks.filter(({ type }) => type === 'IDAT').map(({ start, end }) => bytes.subarray(start + 8, end - 4));
  assertInflates(concatBytes(...data), limit);
  const parts = chunks.map(({ start, end }) => bytes.subarray(start, end));
  return concatBytes(bytes.subarray(0, SIGNATURE_BYTES), ...parts);
}

function chunksOf(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let start = SIGNATURE_BYTES; ; ) {
    if (start + FRAME_BYTES > bytes.length) throw malformedImage('it is cut short');
    const end = start + FRAME_BYTES + view.getUint32(start);
    if (end > bytes.length) throw malformedImage('it is cut short');
    const type = String.fromCharCode(...bytes.subarray(start + 4, start + 8));
    chunks.push({ type, start, end });
    if (type === 'IEND') return chunks;
    start = end;
  }
}

/** Upper bound of the inflated pixel data; interlacing adds a filter byte for each row of its seven passes. */
function pixelBytes(header: DataView): number {
  const [width, height] = [header.getUint32(0), header.getUint32(4)];
  if (width === 0 || height === 0) throw malformedImage('it has no pixels');
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    const message = `the image is ${width} × ${height} pixels, more than ${MAX_PIXELS} in all or ${MAX_SIDE} a side; cut or shrink it`;
    throw new LedgerError('IMAGE_TOO_LARGE', message, { fault: 'untrusted' });
  }
  const channels = CHANNELS[header.getUint8(9)];
  if (channels === undefined) throw malformedImage('its colour type is none');
  const row = Math.ceil((width * channels * header.getUint8(8)) / 8) + 1;
  return header.getUint8(12) === 0 ? row * height : row * height + 8 * (width + 2 * height);
}

function assertInflates(data: Uint8Array, limit: number): void {
  try {
    inflateSync(data, { maxOutputLength: limit });
  } catch (cause) {
    throw malformedImage('its pixels are not what its dimensions say', cause);
  }
}

export function malformedImage(problem: string, cause?: unknown): LedgerError {
  const message = `not a PNG image to be read: ${problem}; take the picture again`;
  return new LedgerError('IMAGE_MALFORMED', message, { cause, fault: 'untrusted' });
}
