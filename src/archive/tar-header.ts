import { Header } from 'tar/header';
import { equalBytes } from '../core/bytes.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { ArchiveError, hostile } from './errors.ts';
import { assertInstallPath } from './path-rules.ts';

/** POSIX ustar (IEEE Std 1003.1-2017, pax, "ustar Interchange Format"). */
export const TAR_BLOCK = 512;
/** Two zero blocks end an archive. */
export const TAR_END_BYTES = 2 * TAR_BLOCK;
/** The largest size in eleven octal digits: 8 GiB − 1. */
export const MAX_TAR_ENTRY = 0o77777777777;

/** Offsets and lengths of the fields that are looked at. */
const NAME = [0, 100] as const;
const MODE = [100, 8] as const;
const SIZE = [124, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE_AT = 156;
const MAGIC = [257, 8] as const;
const PREFIX = [345, 155] as const;
/** What of the prefix is still prefix for tars that keep times behind it (node-tar, star). */
const SHORT_PREFIX = [345, 131] as const;

const EPOCH = new Date(0);
const ZEROS = new Uint8Array(TAR_BLOCK);
const REGULAR = '0';

export type TarHeader = { readonly name: string; readonly size: number };

/**
 * The one header a file of this name and size has here: ustar, regular file, mode 0644, uid and gid 0, mtime 0, no
 * user or group name. Encoded by node-tar.
 * @param name obeys the path rules and is ASCII @param size bytes, at most {@link MAX_TAR_ENTRY}
 * @throws ArchiveError PATH_…, TAR_NAME when ustar can't hold the name, TAR_ENTRY_TOO_LARGE
 */
export function encodeTarHeader(name: string, size: number): Uint8Array {
  assertInstallPath(name);
  if (!Number.isSafeInteger(size) || size < 0 || size > MAX_TAR_ENTRY) {
    throw new ArchiveError('TAR_ENTRY_TOO_LARGE', `"${escapeForTerminal(name)}" has ${size} bytes, too many for ustar`);
  }
  const block = Buffer.alloc(TAR_BLOCK);
  const header = new Header({ path: name, size, mode: 0o644, uid: 0, gid: 0, mtime: EPOCH, uname: '', gname: '' });
  header.type = 'File';
  // True when a PAX header would have to say the rest: a name that doesn't fit, or isn't ASCII.
  if (header.encode(block)) {
    throw new ArchiveError('TAR_NAME', `the name "${escapeForTerminal(name)}" does not fit a ustar header`);
  }
  return block;
}

/** Zero bytes between the end of a body and the next block. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** @param bytes at most one block */
export function isZero(bytes: Uint8Array): boolean {
  return equalBytes(bytes, ZEROS.subarray(0, bytes.length));
}

/** Whether a block is a tar header at all, of any kind: its checksum is right. Compare pax, "chksum". */
export function hasTarChecksum(block: Uint8Array): boolean {
  // The checksum itself counts as eight spaces.
  const sum = sumOf(block) - sumOf(field(block, CHECKSUM)) + CHECKSUM[1] * 0x20;
  const digits = /^[ 0]*([0-7]+)[ \0]*$/.exec(latin1(field(block, CHECKSUM)))?.[1];
  return digits !== undefined && Number.parseInt(digits, 8) === sum;
}

/**
 * Reads a header from outside. It is accepted only if it is byte for byte what {@link encodeTarHeader} makes of the
 * name and size read from it, so no second reading of it exists; before that, known attacks get a code of their own.
 *
 * @throws ArchiveError (fault `untrusted`) TAR_CHECKSUM, TAR_LINK, TAR_DEVICE, TAR_DIRECTORY, TAR_PAX, TAR_GNU,
 *   TAR_TYPE, TAR_NOT_USTAR, TAR_NAME_NUL, TAR_NAME, TAR_SIZE, TAR_MODE, PATH_…, TAR_PREFIX or TAR_NOT_CANONICAL
 */
export function parseTarHeader(block: Uint8Array): TarHeader {
  if (!hasTarChecksum(block))
    throw hostile('TAR_CHECKSUM', 'a tar header has a wrong checksum: the archive is damaged');
  const name = readName(block);
  assertRegular(block, name.shown);
  if (latin1(field(block, MAGIC)) !== 'ustar\x0000') {
    throw hostile('TAR_NOT_USTAR', `the header of ${name.shown} is not POSIX ustar; pack the bundle with this tool`);
  }
  if (name.afterNul) throw hostile('TAR_NAME_NUL', `the name ${name.shown} goes on after a NUL`);
  if (name.text.endsWith('/')) throw hostile('TAR_DIRECTORY', `${name.shown} is a directory; only files are allowed`);
  const size = readSize(block, name.shown);
  const mode = latin1(field(block, MODE));
  if (mode !== '000644 \0') throw hostile('TAR_MODE', `${name.shown} has mode "${escapeForTerminal(mode)}", not 0644`);
  const expected = canonicalHeader(name.text, size);
  if (equalBytes(expected, block)) return { name: name.text, size };
  if (cutAtNul(field(expected, PREFIX)).text !== name.prefix) {
    throw hostile('TAR_PREFIX', `the name ${name.shown} is split at an unusual place: two readers may disagree on it`);
  }
  throw hostile('TAR_NOT_CANONICAL', `the header of ${name.shown} has owner, time or spare fields set`);
}

/** Everything that is not a plain file, by typeflag: what tar extensions smuggle in, or extraction would create. */
function assertRegular(block: Uint8Array, shown: string): void {
  const type = String.fromCharCode(block[TYPE_AT] ?? 0);
  if (type === REGULAR) return;
  if ('12'.includes(type)) throw hostile('TAR_LINK', `${shown} is a link; only regular files are allowed`);
  if ('346'.includes(type))
    throw hostile('TAR_DEVICE', `${shown} is a device or a pipe; only regular files are allowed`);
  if (type === '5') throw hostile('TAR_DIRECTORY', `${shown} is a directory; only files are allowed`);
  // A PAX header can rename or resize what follows it, a global one everything that follows.
  if ('xgX'.includes(type)) throw hostile('TAR_PAX', 'the archive has a PAX header, which may rename what follows');
  if ('LKSDMNV'.includes(type)) throw hostile('TAR_GNU', `the archive has a GNU extension header (type ${type})`);
  throw hostile(
    'TAR_TYPE',
    `${shown} has the unusual type "${escapeForTerminal(type)}"; only regular files are allowed`,
  );
}

type RawName = { readonly text: string; readonly prefix: string; readonly shown: string; readonly afterNul: boolean };

function readName(block: Uint8Array): RawName {
  const name = cutAtNul(field(block, NAME));
  const prefix = cutAtNul(field(block, PREFIX));
  const text = prefix.text === '' ? name.text : `${prefix.text}/${name.text}`;
  const afterNul = name.afterNul || cutAtNul(field(block, SHORT_PREFIX)).afterNul;
  return { text, prefix: prefix.text, shown: `"${escapeForTerminal(text)}"`, afterNul };
}

/** Latin-1, so that nothing is lost: whatever is not ASCII is refused when the header is compared. */
function cutAtNul(bytes: Uint8Array): { readonly text: string; readonly afterNul: boolean } {
  const nul = bytes.indexOf(0);
  const end = nul === -1 ? bytes.length : nul;
  return { text: latin1(bytes.subarray(0, end)), afterNul: !isZero(bytes.subarray(end)) };
}

/** Base-256 sizes (GNU), signs, spaces and missing digits desynchronise readers: eleven octal digits or nothing. */
function readSize(block: Uint8Array, shown: string): number {
  const digits = /^([0-7]{10} |[0-7]{11})\0$/.exec(latin1(field(block, SIZE)))?.[1];
  if (digits === undefined) throw hostile('TAR_SIZE', `the size of ${shown} is not plain octal`);
  return Number.parseInt(digits, 8);
}

function canonicalHeader(name: string, size: number): Uint8Array {
  try {
    return encodeTarHeader(name, size);
  } catch (cause) {
    if (cause instanceof ArchiveError && cause.code === 'TAR_NAME') throw hostile('TAR_NAME', cause.message, cause);
    throw cause;
  }
}

function field(block: Uint8Array, [at, length]: readonly [number, number]): Uint8Array {
  return block.subarray(at, at + length);
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 1) sum += bytes[i] ?? 0;
  return sum;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
