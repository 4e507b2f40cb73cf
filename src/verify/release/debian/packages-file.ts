import { decodeUtf8 } from '../../../core/bytes.ts';
import { messageOf } from '../../../core/errors.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { cleanPath, type SumsEntry } from '../checksums.ts';
import { ReleaseError } from '../errors.ts';
import { malformedAs } from '../text.ts';
import { type Field, parseParagraph } from './control.ts';

/** A package as the index has it (https://wiki.debian.org/DebianRepository/Format, "Packages" indices). */
export type ListedPackage = {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly path: string;
  /** The hashes it is listed by. */
  readonly entries: readonly SumsEntry[];
};

/** All of Debian is 60 MB. */
export const MAX_PACKAGES_BYTES = 256 * 1024 * 1024;
const HASHES = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ } as const;
const SIZE = /^(?:0|[1-9]\d{0,14})$/;

const bad = malformedAs('PACKAGES_MALFORMED', 'not an index of packages');

/** An index of packages, of which a paragraph is parsed when it is asked for. The file must be proven before. */
export class PackagesFile {
  readonly #text: string;

  /** @throws ReleaseError PACKAGES_MALFORMED */
  constructor(bytes: Uint8Array) {
    try {
      // Two newlines before: the first paragraph starts as every other does.
      this.#text = `\n\n${decodeUtf8(bytes)}`;
    } catch (cause) {
      throw bad(messageOf(cause), cause);
    }
    if (/[\0\r]/.test(this.#text)) throw bad('it has NUL bytes or carriage returns');
  }

  /**
   * The package in a file of this name: as the archive calls it, or as apt keeps it (`name_1%3a2.0_amd64.deb`).
   * @throws ReleaseError PACKAGES_NOT_LISTED, PACKAGES_MALFORMED, SUMS_NAME, SUMS_DUPLICATE (two that differ)
   */
  find(file: string): ListedPackage {
    const starts = new Set(
      [`/${file}\n`, ` ${file}\n`, `\nPackage: ${file.split('_')[0]}\n`].flatMap((part) => this.#with(part)),
    );
    let found: ListedPackage | undefined;
    for (const start of starts) {
      const listed = readPackage(this.#paragraph(start), this.#lineOf(start));
      if (!namesOf(listed).includes(file)) continue;
      if (found !== undefined && !isSame(found, listed)) {
        throw new ReleaseError('SUMS_DUPLICATE', `the index has "${shown(file)}" twice, as different files`);
      }
      found = listed;
    }
    if (found !== undefined) return found;
    throw new ReleaseError('PACKAGES_NOT_LISTED', `the index has no package in a file called "${shown(file)}"`);
  }

  /** Where the paragraphs start that have this text somewhere. */
  #with(part: string): number[] {
    const starts: number[] = [];
    for (let at = this.#text.indexOf(part); at !== -1; at = this.#text.indexOf(part, at + 1)) {
      starts.push(this.#text.lastIndexOf('\n\n', at) + 2);
    }
    return starts;
  }

  #paragraph(start: number): string {
    const end = this.#text.indexOf('\n\n', start);
    return this.#text.slice(start, end === -1 ? undefined : end).replace(/\n+$/, '');
  }

  /** Its number, from 1. */
  #lineOf(start: number): number {
    let line = 0;
    for (let at = this.#text.indexOf('\n'); at !== -1 && at < start; at = this.#text.indexOf('\n', at + 1)) line++;
    return line - 1;
  }
}

function readPackage(text: string, line: number): ListedPackage {
  const fields = parseParagraph(text.split('\n'), line, bad);
  const value = (name: string) => oneLine(fields.get(name.toLowerCase()), name, line);
  const path = cleanPath(value('Filename'), line);
  const size = value('Size');
  if (!SIZE.test(size)) throw bad(`the package of line ${line} has no Size`);
  const entries = (['sha256', 'sha512'] as const).flatMap((hash): SumsEntry[] => {
    const field = fields.get(hash);
    if (field === undefined) return [];
    if (!HASHES[hash].test(field.value)) throw bad(`line ${field.line} is no ${hash}`);
    return [{ line: field.line, path, hash, hex: field.value, size: Number(size) }];
  });
  if (entries.length === 0) throw bad(`the package of line ${line} has neither SHA256 nor SHA512`);
  const [name, version, architecture] = [value('Package'), value('Version'), value('Architecture')];
  return { name, version, architecture, path, entries };
}

function oneLine(field: Field | undefined, name: string, line: number): string {
  if (field !== undefined && field.value !== '' && field.more.length === 0) return field.value;
  throw bad(`the package of line ${line} has no ${name} on one line`);
}

function namesOf({ name, version, architecture, path }: ListedPackage): (string | undefined)[] {
  return [path.split('/').at(-1), `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`];
}

function isSame(a: ListedPackage, b: ListedPackage): boolean {
  const of = ({ entries }: ListedPackage) => entries.map(({ hash, hex, size }) => `${hash} ${hex} ${size}`).join();
  return of(a) === of(b);
}

/** `curl 7.88.1-10 for amd64`. */
export function sayPackage({ name, version, architecture }: ListedPackage): string {
  return shown(`${name} ${version} for ${architecture}`);
}

function shown(text: string): string {
  return escapeForTerminal(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
