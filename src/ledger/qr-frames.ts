import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { decodeUtf8 } from '../core/bytes.ts';
import { sha256 } from '../core/digest.ts';
import { LedgerError } from './errors.ts';

/**
 * A document of a few kilobytes as one or more numbered texts, each fit for one QR code and for being pasted or typed:
 *
 *     DEYE1:<id>:<k>:<n>:<part k of n of the base32 of the deflated document>
 *
 * Every character is of QR's alphanumeric alphabet, which takes 5.5 bits, and none gets lost at the end of a pasted
 * line. The id is the beginning of the document's SHA-256: it keeps parts of two documents apart. It proves nothing;
 * what is carried is signed.
 */
const PREFIX = 'DEYE1';
const FRAME = /^DEYE1:([A-Z2-7]{20}):([1-9][0-9]?):([1-9][0-9]?):([A-Z2-7]+)$/;
const ID_CHARACTERS = 20;
/** With its header this fills a code of version 25 with correction level M: 117 modules, 59 lines of a terminal. */
const PART_CHARACTERS = 1400;
const MAX_FRAMES = 24;
/** What may be carried, before deflating. */
export const MAX_CARRIED_BYTES = 64 * 1024;
/** All frames as text, with some white space. */
const MAX_TEXT_BYTES = 64 * 1024;
const PNG_SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** @throws LedgerError QR_TOO_LONG */
export function encodeFrames(document: Uint8Array): string[] {
  const text = encodeBase32(new Uint8Array(deflateRawSync(document, { level: 9 })));
  const count = Math.ceil(text.length / PART_CHARACTERS);
  if (document.length > MAX_CARRIED_BYTES || count > MAX_FRAMES) {
    const message = `${document.length} bytes are too many for ${MAX_FRAMES} QR codes; carry the file instead`;
    throw new LedgerError('QR_TOO_LONG', message);
  }
  // Parts of one length: the last code is as easy to read as the others.
  const length = Math.ceil(text.length / count);
  const id = idOf(document);
  return Array.from({ length: count }, (_, i) => {
    const part = text.slice(i * length, (i + 1) * length);
    return `${PREFIX}:${id}:${i + 1}:${count}:${part}`;
  });
}

/**
 * Puts a document together from its frames, in any order, each at least once.
 * @param texts frames, with white space around and between them
 * @throws LedgerError QR_MALFORMED, QR_MIXED (parts of two documents) or QR_INCOMPLETE (says which parts are missing)
 */
export function joinFrames(texts: readonly string[]): Uint8Array {
  const frames = texts.flatMap(wordsOf).map(parseFrame);
  const [first] = frames;
  if (first === undefined) throw malformed('it holds no frame');
  const parts = new Map<number, string>();
  for (const { id, k, n, part } of frames) {
    if (id !== first.id || n !== first.n || (parts.get(k) ?? part) !== part) {
      throw new LedgerError('QR_MIXED', 'these QR codes are parts of two documents; read those of one', {
        fault: 'untrusted',
      });
    }
    parts.set(k, part);
  }
  const numbers = Array.from({ length: first.n }, (_, i) => i + 1);
  const missing = numbers.filter((k) => !parts.has(k));
  if (missing.length > 0) {
    const message = `of ${first.n} QR codes ${missing.join(', ')} are missing; read them too`;
    throw new LedgerError('QR_INCOMPLETE', message, { fault: 'untrusted' });
  }
  const document = inflate(decodeBase32(numbers.map((k) => parts.get(k) ?? '').join('')));
  if (idOf(document) !== first.id) throw malformed('its parts do not fit together');
  return document;
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

type Frame = { readonly id: string; readonly k: number; readonly n: number; readonly part: string };

function parseFrame(text: string): Frame {
  const [, id, k, n, part] = FRAME.exec(text) ?? [];
  if (id === undefined || part === undefined) throw malformed(`it does not read ${PREFIX}:id:number:count:part`);
  const frame = { id, k: Number(k), n: Number(n), part };
  if (frame.k > frame.n || frame.n > MAX_FRAMES) throw malformed(`it is number ${frame.k} of ${frame.n}`);
  return frame;
}

/**
 * What someone handed over, whichever way: the document itself, its frames as text, or images of its codes.
 * @param inputs the files
 * @param readImage the text in a PNG image
 * @throws LedgerError as {@link joinFrames}; whatever `readImage` throws
 */
export function readCarried(inputs: readonly Uint8Array[], readImage: (png: Uint8Array) => string): Uint8Array {
  const [first] = inputs;
  if (first !== undefined && inputs.length === 1 && !isPng(first) && !isFrameText(first)) return first;
  return joinFrames(inputs.map((bytes) => (isPng(bytes) ? readImage(bytes) : frameText(bytes))));
}

/**
 * As {@link readCarried}, of several documents at once: each a file by itself, or all codes of it among the inputs.
 * @throws LedgerError as {@link joinFrames}; whatever `readImage` throws
 */
export function readAllCarried(inputs: readonly Uint8Array[], readImage: (png: Uint8Array) => string): Uint8Array[] {
  const documents: Uint8Array[] = [];
  const framesOf = new Map<string, string[]>();
  for (const bytes of inputs) {
    if (!isPng(bytes) && !isFrameText(bytes)) {
      documents.push(bytes);
      continue;
    }
    for (const word of wordsOf(isPng(bytes) ? readImage(bytes) : frameText(bytes))) {
      const { id } = parseFrame(word);
      framesOf.set(id, [...(framesOf.get(id) ?? []), word]);
    }
  }
  return [...documents, ...[...framesOf.values()].map(joinFrames)];
}

export function isPng(bytes: Uint8Array): boolean {
  return PNG_SIGNATURE.every((byte, i) => bytes[i] === byte);
}

function isFrameText(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 256)).trimStart().startsWith(`${PREFIX}:`);
}

function frameText(bytes: Uint8Array): string {
  if (bytes.length > MAX_TEXT_BYTES) throw malformed(`it is over ${MAX_TEXT_BYTES} bytes`);
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformed('it is neither text nor a PNG image', cause);
  }
}

/** Bounded before a byte is made: a few deflated bytes can stand for gigabytes. */
function inflate(bytes: Uint8Array): Uint8Array {
  try {
    return new Uint8Array(inflateRawSync(bytes, { maxOutputLength: MAX_CARRIED_BYTES }));
  } catch (cause) {
    throw malformed('its parts do not inflate to a document', cause);
  }
}

function idOf(document: Uint8Array): string {
  return encodeBase32(sha256(document)).slice(0, ID_CHARACTERS);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const BITS = 5;

/** RFC 4648 section 6, without padding. */
function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= BITS; bits -= BITS) text += ALPHABET[(held >> (bits - BITS)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + ALPHABET[(held << (BITS - bits)) & 31];
}

function decodeBase32(text: string): Uint8Array {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const character of text) {
    held = (held << BITS) | ALPHABET.indexOf(character);
    bits += BITS;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
    held &= (1 << bits) - 1;
  }
  return Uint8Array.from(bytes);
}

function malformed(problem: string, cause?: unknown): LedgerError {
  const message = `not a document carried by QR codes: ${problem}; read the codes again, or carry the file`;
  return new LedgerError('QR_MALFORMED', message, { cause, fault: 'untrusted' });
}
