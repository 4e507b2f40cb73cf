import { escapeForTerminal } from '../../core/terminal-text.ts';
import { ReleaseError } from './errors.ts';
import { digestOf, type Message } from './message.ts';
import { malformedAs, readText } from './text.ts';

export type SumsHash = 'sha256' | 'sha512';

/** A line of `sha256sum` or `sha512sum` (GNU's form, or BSD's), or of a Release file, which has sizes too. */
export type SumsEntry = {
  readonly line: number;
  readonly path: string;
  readonly hash: SumsHash;
  readonly hex: string;
  readonly size?: number;
};

export const MAX_SUMS_BYTES = 16 * 1024 * 1024;

const bad = malformedAs('SUMS_MALFORMED', 'not a list of checksums');
/** `<hex> <space or *><name>`, after a backslash where the name is escaped (coreutils, "md5sum invocation"). */
const GNU = /^(\\?)([0-9A-Fa-f]+) [ *](.+)$/;
/** `SHA256 (name) = <hex>` (`sha256sum --tag`, BSD's sha256(1)); the name may hold `) = `, so the last one counts. */
const BSD = /^(\\?)([A-Z0-9/-]+) \((.+)\) = ([0-9A-Fa-f]+)$/;
const HEX_DIGITS: Readonly<Record<SumsHash, number>> = { sha256: 64, sha512: 128 };
const BSD_NAMES: Readonly<Record<string, SumsHash>> = { SHA256: 'sha256', SHA512: 'sha512' };

/**
 * Parses a list of SHA-256 or SHA-512 checksums. Its signature must have been checked before.
 * @throws ReleaseError SUMS_MALFORMED, SUMS_NAME (absolute, or with `..`), SUMS_DUPLICATE or MATERIAL_TOO_LARGE
 */
export function parseChecksums(bytes: Uint8Array): SumsEntry[] {
  const entries: SumsEntry[] = [];
  const seen = new Set<string>();
  for (const [i, line] of readText(bytes, MAX_SUMS_BYTES, bad).split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const entry = parseLine(line, i + 1);
    const key = `${entry.hash} ${entry.path}`;
    if (seen.has(key)) throw sumsDuplicate(entry);
    seen.add(key);
    entries.push(entry);
  }
  if (entries.length === 0) throw bad('there is no line in it');
  return entries;
}

export function sumsDuplicate(entry: SumsEntry): ReleaseError {
  return new ReleaseError('SUMS_DUPLICATE', `${lineName(entry)}: "${shown(entry.path)}" is listed twice`);
}

function parseLine(text: string, line: number): SumsEntry {
  const gnu = GNU.exec(text);
  const bsd = gnu === null ? BSD.exec(text) : null;
  const [, escaped, hex = '', name = ''] = gnu ?? [bsd?.[0], bsd?.[1], bsd?.[4], bsd?.[3]];
  const tag = bsd?.[2];
  if (escaped === undefined) throw bad(`line ${line} is neither "<hash>  <name>" nor "SHA256 (<name>) = <hash>"`);
  const hash = tag === undefined ? hashOfLength(hex.length) : BSD_NAMES[tag];
  if (hash === undefined || hex.length !== HEX_DIGITS[hash]) {
    throw bad(
      `line ${line}: a hash of ${hex.length} digits; SHA-256 has 64, SHA-512 has 128, and no other is accepted`,
    );
  }
  const path = cleanPath(escaped === '' ? name : unescapeName(name, line), line);
  return { line, path, hash, hex: hex.toLowerCase() };
}

function hashOfLength(length: number): SumsHash | undefined {
  return (['sha256', 'sha512'] as const).find((hash) => HEX_DIGITS[hash] === length);
}

/** coreutils escapes backslash, newline and carriage return, and nothing else. */
function unescapeName(name: string, line: number): string {
  return name.replace(/\\(.?)/gs, (_, character: string) => {
    const plain = { '\\': '\\', n: '\n', r: '\r' }[character];
    if (plain === undefined) throw bad(`line ${line}: its name has a backslash that escapes nothing`);
    return plain;
  });
}

/** Without `./`, as `sha256sum ./*` writes it. @throws ReleaseError SUMS_NAME */
export function cleanPath(name: string, line: number): string {
  const path = name.replace(/^(?:\.\/+)+/, '');
  const components = path.split(/[/\\]/);
  const isOutside = path === '' || /^(?:[/\\]|[A-Za-z]:)/.test(path) || components.includes('..');
  if (isOutside) throw new ReleaseError('SUMS_NAME', `line ${line}: "${shown(name)}" leads out of its directory`);
  return path;
}

/** The lines about this path and no other. @throws ReleaseError SUMS_NOT_LISTED */
export function checksumsAt(entries: readonly SumsEntry[], path: string): SumsEntry[] {
  const found = entries.filter((entry) => entry.path === path);
  if (found.length > 0) return found;
  throw new ReleaseError('SUMS_NOT_LISTED', `there is no line for "${shown(path)}" among ${entries.length}`);
}

/**
 * The lines about one file: those of exactly its name, or else of one path that ends in it.
 * @param name the file's own name, without directories
 * @throws ReleaseError SUMS_NOT_LISTED or SUMS_AMBIGUOUS
 */
export function checksumsOf(entries: readonly SumsEntry[], name: string): SumsEntry[] {
  const exact = entries.filter(({ path }) => path === name);
  if (exact.length > 0) return exact;
  const nested = entries.filter(({ path }) => path.endsWith(`/${name}`));
  if (nested.length === 0) {
    throw new ReleaseError('SUMS_NOT_LISTED', `there is no line for "${shown(name)}" among ${entries.length}`);
  }
  const [first, other] = new Set(nested.map(({ path }) => path));
  if (first !== undefined && other !== undefined) {
    throw new ReleaseError(
      'SUMS_AMBIGUOUS',
      `"${shown(first)}" and "${shown(other)}" are both listed; say which of them the file is with --listed-as`,
    );
  }
  return nested;
}

/** @throws ReleaseError SUMS_MISMATCH */
export function assertChecksums(message: Message, entries: readonly SumsEntry[]): void {
  for (const entry of entries) {
    if (entry.size !== undefined && entry.size !== message.size) {
      const [is, says] = [
        `"${shown(message.name)}" has ${message.size} bytes`,
        `${lineName(entry)} says ${entry.size}`,
      ];
      throw new ReleaseError('SUMS_MISMATCH', `${is}; ${says}`);
    }
    const actual = Buffer.from(digestOf(message, entry.hash)).toString('hex');
    if (actual === entry.hex) continue;
    throw new ReleaseError(
      'SUMS_MISMATCH',
      `the ${entry.hash} of "${shown(message.name)}" is ${actual}; ${lineName(entry)} says ${entry.hex}`,
    );
  }
}

function lineName({ line }: SumsEntry): string {
  return `line ${line} of the list`;
}

function shown(name: string): string {
  return escapeForTerminal(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}
