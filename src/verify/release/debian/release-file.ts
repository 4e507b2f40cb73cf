import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { formatTime, type Time } from '../../../core/time.ts';
import { cleanPath, MAX_SUMS_BYTES, type SumsEntry, type SumsHash, sumsDuplicate } from '../checksums.ts';
import { ReleaseError } from '../errors.ts';
import { malformedAs, readText } from '../text.ts';
import { type Field, parseParagraph } from './control.ts';

/** A Release file of a Debian archive (https://wiki.debian.org/DebianRepository/Format, "Release files"). */
export type ReleaseFile = {
  readonly date: Time;
  readonly validUntil?: Time;
  /** What it says of itself, as it says it. */
  readonly told: Readonly<Record<string, string>>;
  readonly entries: readonly SumsEntry[];
};

const TOLD = ['Origin', 'Label', 'Suite', 'Codename', 'Version'] as const;
const LISTS: Readonly<Record<string, SumsHash>> = { sha256: 'sha256', sha512: 'sha512' };
const HEX_DIGITS: Readonly<Record<SumsHash, number>> = { sha256: 64, sha512: 128 };
const LINE = /^ *([0-9a-f]+) +(0|[1-9]\d{0,14}) (\S+)$/;
/** RFC 5322, in UTC alone, as archives write it. */
const DATE = /^(?:[A-Z][a-z]{2}, +)?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:UTC|GMT|Z|\+0000)$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const bad = malformedAs('RELEASE_MALFORMED', 'not a Release file');

/**
 * Whether this is meant to be one: nothing but fields before a list of hashes under a field, as neither a list of
 * checksums has, nor an announcement with hashes in it.
 */
export function isReleaseFile(bytes: Uint8Array): boolean {
  const [first = 0] = bytes;
  // Most files are none by their first byte, and need not become text.
  if (first <= 0x20 || first >= 0x7f) return false;
  const text = Buffer.from(bytes).toString('latin1');
  const list = /^(?:MD5Sum|SHA1|SHA256|SHA512):[ \t]*$/im.exec(text);
  const before = text.slice(0, list?.index ?? 0).split('\n');
  return list !== null && before.every((line) => line === '' || /^(?:[ \t]|[A-Za-z][A-Za-z0-9-]*:)/.test(line));
}

/**
 * Parses a Release file. Its signature must have been checked before.
 * @throws ReleaseError RELEASE_MALFORMED, SUMS_NAME, SUMS_DUPLICATE, MATERIAL_TOO_LARGE
 */
export function parseReleaseFile(bytes: Uint8Array): ReleaseFile {
  const text = readText(bytes, MAX_SUMS_BYTES, bad);
  const fields = parseParagraph(text.replace(/\n$/, '').split('\n'), 1, bad);
  const date = readDate(fields.get('date'));
  if (date === undefined) throw bad('it does not say its Date');
  const validUntil = readDate(fields.get('valid-until'));
  if (validUntil !== undefined && validUntil < date) throw bad('its Valid-Until is before its Date');
  const told = TOLD.flatMap((name) => {
    const value = fields.get(name.toLowerCase())?.value;
    return value === undefined ? [] : [[name, shown(value)] as const];
  });
  const entries = Object.entries(LISTS).flatMap(([name, hash]) => readList(fields.get(name), hash));
  if (entries.length === 0) throw bad('it lists no file by SHA-256 or SHA-512');
  return { date, ...(validUntil === undefined ? {} : { validUntil }), told: Object.fromEntries(told), entries };
}

/** @param floor it is at least this moment @throws ReleaseError RELEASE_EXPIRED */
export function assertCurrent({ validUntil }: ReleaseFile, floor: Time): void {
  if (validUntil === undefined || floor < validUntil) return;
  // Old lists are how an attacker keeps known holes open (a freeze).
  throw new ReleaseError('RELEASE_EXPIRED', `the Release file was valid until ${validUntil}; it is at least ${floor}`);
}

/** In one sentence, without its end. */
export function sayRelease({ told, date, validUntil, entries }: ReleaseFile): string {
  const { Origin, Suite, Codename, Version } = told;
  const name = [Origin, Codename, Suite === undefined ? undefined : `(${Suite})`, Version];
  const end = validUntil === undefined ? 'with no end to its validity' : `valid until ${validUntil}`;
  const who = name.filter((word) => word !== undefined).join(' ');
  return `${who === '' ? 'a Release file' : who} of ${date}, ${end}; ${new Set(entries.map(({ path }) => path)).size} files`;
}

function readDate(field: Field | undefined): Time | undefined {
  if (field === undefined) return undefined;
  const [, day = '', month = '', year = '', hour, minute, second] = DATE.exec(field.value) ?? [];
  const iso = `${year}-${two(MONTHS.indexOf(month) + 1)}-${day.padStart(2, '0')}T${hour}:${minute}:${second}.000Z`;
  const at = Date.parse(iso);
  // The round trip refuses what Date.parse would roll over, such as 31 April.
  if (field.more.length === 0 && !Number.isNaN(at) && formatTime(at) === iso) return iso;
  throw bad(`its ${field.name} is no time in UTC as archives write it`);
}

function readList(field: Field | undefined, hash: SumsHash): SumsEntry[] {
  if (field === undefined) return [];
  if (field.value !== '') throw bad(`its ${field.name} does not start on a line of its own`);
  const known = new Map<string, SumsEntry>();
  for (const [i, text] of field.more.entries()) {
    const line = field.line + 1 + i;
    const [, hex = '', size = '', name = ''] = LINE.exec(text) ?? [];
    if (hex.length !== HEX_DIGITS[hash]) throw bad(`line ${line} is no "<${hash}> <size> <name>"`);
    const entry: SumsEntry = { line, path: cleanPath(name, line), hash, hex, size: Number(size) };
    const other = known.get(entry.path);
    if (other !== undefined && (other.hex !== entry.hex || other.size !== entry.size)) throw sumsDuplicate(entry);
    known.set(entry.path, other ?? entry);
  }
  return [...known.values()];
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function shown(value: string): string {
  return escapeForTerminal(value.slice(0, 200));
}
