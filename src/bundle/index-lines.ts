import indexLineSchema from '../../schemas/index-line.schema.json' with { type: 'json' };
import { PathSet } from '../archive/path-set.ts';
import { compareUtf8, utf8 } from '../core/bytes.ts';
import { messageOf } from '../core/errors.ts';
import { canonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { validateSchema } from '../core/schema.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { type Attestation, assertAttestations, parseAttestation } from './attestations.ts';
import { type BundleError, untrusted } from './errors.ts';
import { CHUNK, MAX_INDEX_LINE_BYTES } from './format.ts';

/** One file of a bundle. Digests are hex, sizes in bytes. */
export type IndexEntry = {
  /** Where it is installed, relative; obeys the path rules. */
  readonly path: string;
  readonly mode: '0644' | '0755';
  readonly size: number;
  /** Of the whole file, also when it is stored as chunks. */
  readonly sha256: string;
  /** Exactly when the file is over 64 MiB: the blobs it is put together from, in order. */
  readonly chunks?: readonly IndexChunk[];
  /** Signatures of others over this file that must verify; only in a bundle of kind update. */
  readonly attestations?: readonly Attestation[];
};

export type IndexChunk = { readonly sha256: string; readonly size: number };

/** What the statement says the index must add up to. */
export type IndexTotals = { readonly lines: number; readonly bytes: number };

const NEWLINE = 0x0a;

/**
 * One RFC 8785 line a file, each ended by a newline, sorted by path bytes; checked as {@link parseIndex} will.
 * @throws BundleError or ArchiveError as there
 */
export function encodeIndex(entries: readonly IndexEntry[]): Uint8Array {
  const sorted = entries.toSorted((a, b) => compareUtf8(a.path, b.path));
  const bytes = utf8(sorted.map((entry) => `${canonicalJson(entry)}\n`).join(''));
  parseIndex(bytes, { lines: entries.length, bytes: totalSize(entries) });
  return bytes;
}

/**
 * Parses an index whose digest was checked against the statement. There is one spelling of an index: every line is
 * canonical, lines ascend strictly by path bytes, and counts and sizes are the statement's.
 *
 * @throws BundleError (fault `untrusted`) INDEX_MALFORMED, INDEX_ORDER, INDEX_CHUNKS, INDEX_ATTESTATION, INDEX_COUNT or
 *   INDEX_SIZE; ArchiveError PATH_… for a path against the rules, PATH_TWIN for two that are one file where case or Unicode form
 *   is ignored, PATH_FILE_AND_DIRECTORY
 */
export function parseIndex(bytes: Uint8Array, totals: IndexTotals): IndexEntry[] {
  const entries: IndexEntry[] = [];
  const paths = new PathSet();
  let previous = '';
  for (const line of splitLines(bytes)) {
    const number = entries.length + 1;
    // Before parsing on: a longer index than the signers counted is not worth more work.
    if (number > totals.lines)
      throw untrusted('INDEX_COUNT', `the index has more lines than the ${totals.lines} signed`);
    const entry = parseLine(line, number);
    if (number > 1 && compareUtf8(previous, entry.path) >= 0) {
      throw untrusted('INDEX_ORDER', `${lineName(number)} is not after the one before it, by path bytes`);
    }
    paths.addFile(entry.path);
    assertChunks(entry, number);
    entries.push(entry);
    previous = entry.path;
  }
  if (entries.length !== totals.lines) {
    throw untrusted('INDEX_COUNT', `the index has ${entries.length} lines, the statement says ${totals.lines}`);
  }
  assertAttestations(entries);
  const size = totalSize(entries);
  if (size !== totals.bytes) {
    throw untrusted('INDEX_SIZE', `the files of the index have ${size} bytes, the statement says ${totals.bytes}`);
  }
  return entries;
}

/**
 * The blobs a complete bundle holds: hex digest to size. A chunked file counts by its chunks.
 * @throws BundleError INDEX_BLOB_SIZES when one digest is listed with two sizes
 */
export function expectedBlobs(entries: readonly IndexEntry[]): ReadonlyMap<string, number> {
  const blobs = new Map<string, number>();
  for (const entry of entries) {
    for (const { sha256, size } of entry.chunks ?? [entry]) {
      if ((blobs.get(sha256) ?? size) !== size) {
        throw untrusted(
          'INDEX_BLOB_SIZES',
          `the index lists ${sha256} with two sizes (${size} and ${blobs.get(sha256)})`,
        );
      }
      blobs.set(sha256, size);
    }
  }
  return blobs;
}

/**
 * Blobs in a sentence, by the first file that needs the first of them: `a/b.yaml and 2 more are`, to go on from.
 * @param blobs hex digests, at least one
 */
export function blobsText(entries: readonly IndexEntry[], blobs: readonly string[]): string {
  const [first = ''] = blobs;
  const file = entries.find((entry) => (entry.chunks ?? [entry]).some(({ sha256 }) => sha256 === first));
  const name = file === undefined ? `blob ${first.slice(0, 12)}…` : escapeForTerminal(file.path);
  return blobs.length === 1 ? `${name} is` : `${name} and ${blobs.length - 1} more are`;
}

function* splitLines(bytes: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, from);
    if (end === -1)
      throw untrusted('INDEX_MALFORMED', 'the last line of the index has no newline: it may be cut short');
    yield bytes.subarray(from, end);
    from = end + 1;
  }
}

function parseLine(line: Uint8Array, number: number): IndexEntry {
  try {
    const json = parseCanonicalJson(line, { maxBytes: MAX_INDEX_LINE_BYTES });
    const entry = validateSchema<IndexEntry>(indexLineSchema, json);
    // A schema of their own: nearly every index has none, and need not wait for it to be compiled.
    entry.attestations?.forEach(parseAttestation);
    return entry;
  } catch (cause) {
    throw untrusted('INDEX_MALFORMED', `${lineName(number)}: ${escapeForTerminal(messageOf(cause))}`, cause);
  }
}

/** One way to cut a file, or the same bundle could be spelled in many ways. */
function assertChunks({ chunks, size }: IndexEntry, number: number): void {
  if (chunks === undefined) {
    if (size > CHUNK) throw chunksError(number, `a file over ${CHUNK} bytes must be stored as chunks`);
    return;
  }
  // With two chunks at least (schema) this leaves none for a file that fits one blob.
  if (chunks.slice(0, -1).some((chunk) => chunk.size !== CHUNK)) {
    throw chunksError(number, `every chunk but the last has ${CHUNK} bytes`);
  }
  const sum = chunks.reduce((total, chunk) => total + chunk.size, 0);
  if (sum !== size) throw chunksError(number, `the chunks have ${sum} bytes, the file ${size}`);
}

function chunksError(number: number, problem: string): BundleError {
  return untrusted('INDEX_CHUNKS', `${lineName(number)}: ${problem}`);
}

function lineName(number: number): string {
  return `line ${number} of the index`;
}

function totalSize(entries: readonly IndexEntry[]): number {
  return entries.reduce((total, { size }) => total + size, 0);
}
