import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../../core/digest.ts';
import { sha256Digest } from '../../core/digest.ts';
import { messageOf } from '../../core/errors.ts';
import { parseTime } from '../../core/time.ts';
import { parseGenesis } from '../../ledger/genesis.ts';
import { parseRangeDocument, type RangeDocument } from '../../ledger/range-document.ts';
import { checkBag, type FileFact } from '../evidence/bag.ts';
import { LOG_FILES, PACKAGE_NAME, TAGMANIFEST_NAME } from '../evidence/format.ts';
import { logPath } from '../evidence/layout.ts';
import { type PackageDocument, parsePackage } from '../evidence/package-document.ts';
import { CaseError } from './errors.ts';
import type { LogSource } from './stage-sql.ts';

/** A verified package as it lies in a case. */
export type HeldPackage = {
  readonly digest: Digest;
  readonly document: PackageDocument;
  readonly logs: readonly LogSource[];
};

/** The digest that names a package: of its tagmanifest, which covers everything but the signatures over it. */
export function readPackageDigest(directory: string): Digest {
  return sha256Digest(new Uint8Array(readFileSync(join(directory, TAGMANIFEST_NAME))));
}

/**
 * Opens the copy of a package that was verified when it was added, and makes sure it is still that: its digest, and
 * through it the hash of every file, line by line of the manifests.
 * @throws CaseError CASE_DAMAGED (fault `tampered`) when the copy was changed since
 */
export function openHeldPackage(directory: string, digest: Digest): HeldPackage {
  try {
    const files = hashFiles(directory);
    const documents = new Map(
      [...files.keys()].filter((path) => !isLines(path)).map((path) => [path, readBytes(directory, path)]),
    );
    if (readPackageDigest(directory) !== digest) throw new Error(`${TAGMANIFEST_NAME} is another one`);
    const { changed } = checkBag(files, documents);
    if (changed !== undefined) throw new Error(`${changed} was changed`);
    const document = parsePackage(readBytes(directory, PACKAGE_NAME));
    return { digest, document, logs: logSources(directory, digest, document) };
  } catch (cause) {
    const message = `the copy of package ${digest} in the case is not what was verified (${messageOf(cause)}); make a new case from the packages`;
    throw new CaseError('CASE_DAMAGED', message, { cause, fault: 'tampered' });
  }
}

function logSources(directory: string, digest: Digest, document: PackageDocument): LogSource[] {
  const createdAt = parseTime(document.createdAt);
  return document.hosts.flatMap(({ host, logs }) =>
    logs.map(({ log }) => {
      const place = { host, log };
      const { origin } = parseGenesis(readBytes(directory, logPath(place, 'genesis')));
      const range = parseRangeDocument(readBytes(directory, logPath(place, 'range')));
      const lines = join(directory, ...logPath(place, 'lines').split('/'));
      const heads = range.runs.map(({ to, head }) => ({ seq: to - 1, leaf: head }));
      return { package: digest, host, origin, lines, heads, withheld: withheldIn(range), createdAt };
    }),
  );
}

/** The stretches of the range that are between what is shown. */
function withheldIn({ from, to, runs }: RangeDocument): { from: number; to: number }[] {
  const ends = [from, ...runs.map((run) => run.to)];
  const starts = [...runs.map((run) => run.from), to];
  return ends.flatMap((end, i) => {
    const start = starts[i] ?? to;
    return start > end ? [{ from: end, to: start }] : [];
  });
}

function hashFiles(directory: string): Map<string, FileFact> {
  const facts = new Map<string, FileFact>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) throw new Error(`${entry.name} is no file`);
    const path = join(entry.parentPath, entry.name);
    const name = path
      .slice(directory.length + 1)
      .split('\\')
      .join('/');
    facts.set(name, { size: statSync(path).size, sha256: hashFile(path) });
  }
  return facts;
}

const CHUNK_BYTES = 1024 * 1024;

function hashFile(path: string): string {
  const hash = createHash('sha256');
  const chunk = new Uint8Array(CHUNK_BYTES);
  const fd = openSync(path, 'r');
  try {
    for (let bytes = readSync(fd, chunk); bytes > 0; bytes = readSync(fd, chunk)) hash.update(chunk.subarray(0, bytes));
    // What was just copied must survive a power cut before the case says that it has it.
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

function isLines(path: string): boolean {
  return path.endsWith(`/${LOG_FILES.lines}`);
}

function readBytes(directory: string, path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(directory, ...path.split('/'))));
}
