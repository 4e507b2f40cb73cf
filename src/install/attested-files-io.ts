import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { readChunks } from '../archive/file-chunks-io.ts';
import { BundleError, untrusted } from '../bundle/errors.ts';
import type { IndexEntry } from '../bundle/index-lines.ts';
import { encodeHex } from '../core/bytes.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import type { PinnedRoot, PreparedFile } from '../verify/attested-file.ts';
import type { AttestationFinding, BundleVerification } from '../verify/bundle-verification.ts';
import { ReleaseError } from '../verify/release/errors.ts';
import type { Message } from '../verify/release/message.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { InstallError } from './errors.ts';
import type { ReadPin } from './pinned-files-io.ts';

/** The bytes of a file of the bundle, whose digest was checked: a file, or its blobs in order. */
export type PathsOf = (entry: IndexEntry) => readonly string[];

/** Told of every piece; may throw to end the work. */
export type OnBytes = (bytes: number) => void;

/** Where the files of a bundle lie unpacked. */
export function unpackedIn(directory: string): PathsOf {
  return ({ path }) => [join(directory, ...path.split('/'))];
}

/**
 * Makes the check `attestations` where it is due, from files that lie there as signed.
 * @throws DurableError; what ended it
 */
export async function judgeAttestations(
  verification: BundleVerification,
  pathsOf: PathsOf,
  readPin: ReadPin,
  onBytes: OnBytes,
): Promise<void> {
  const { attested, entries, floor, chain } = verification;
  if (attested.length === 0) return;
  verification.attestations(
    await findAttestations(attested, entries, pathsOf, { root: chain.at(-1), readPin }, floor, onBytes),
  );
}

/**
 * Judges the third-party signatures over files, one file at a time: at most the materials of one are in memory, and the
 * file itself only where a signature is over all of it and it has at most 256 MiB.
 * @param attested of `entries`
 * @throws DurableError when something can't be read; what ended it
 */
export async function findAttestations(
  attested: readonly IndexEntry[],
  entries: readonly IndexEntry[],
  pathsOf: PathsOf,
  pins: Pins,
  floor: Time,
  onBytes: OnBytes,
): Promise<AttestationFinding[]> {
  if (attested.length === 0) return [];
  // Loaded only here: nearly every bundle has none of these, and sigstore's library is a third of the program.
  const { namedFiles, namedPins, prepareAttested } = await import('../verify/attested-file.ts');
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const entryOf = (path: string) => byPath.get(path);
  const findings: AttestationFinding[] = [];
  for (const entry of attested) {
    try {
      const materials = new Map<string, Uint8Array>();
      for (const path of namedFiles(entry, entryOf)) materials.set(path, await readMaterial(entryOf(path), pathsOf));
      const bytesOf = (path: string) => materials.get(path) ?? NOTHING;
      const pinnedRoot = rootsPinned(namedPins(entry, entryOf), pins);
      const prepared = prepareAttested(entry, { entryOf, bytesOf, pinnedRoot, floor });
      findings.push(...prepared.judge(await readMessage(entry, prepared, pathsOf, onBytes)));
    } catch (thrown) {
      if (!(thrown instanceof BundleError)) throw thrown;
      findings.push(...unjudged([entry], thrown));
    }
  }
  return findings;
}

const NOTHING = new Uint8Array();

/** What the newest trust root pins, and how to read it. */
export type Pins = { readonly root: TrustRoot | undefined; readonly readPin: ReadPin };

/**
 * Reads what is pinned by these names. That one is not there is told by whatever rests on it; that one was changed is no
 * fault of the bundle's.
 * @throws InstallError STATE_TAMPERED; DurableError
 */
function rootsPinned(names: ReadonlySet<string>, pins: Pins): (name: string) => PinnedRoot {
  const roots = new Map([...names].map((name) => [name, readPinned(name, pins)]));
  return (name) => {
    const root = roots.get(name);
    if (root !== undefined && !(root instanceof DaemonEyeError)) return root;
    throw root ?? unpinned(name);
  };
}

function readPinned(name: string, { root, readPin }: Pins): PinnedRoot | DaemonEyeError {
  const pin = root?.releases.get(name);
  if (root === undefined || pin?.kind !== 'sigstore') return unpinned(name);
  try {
    return { bytes: readPin(name, pin), source: `${name}, pinned in trust root ${root.version}` };
  } catch (thrown) {
    if (thrown instanceof InstallError && thrown.code === 'PIN_MISSING') return thrown;
    throw thrown;
  }
}

function unpinned(name: string): ReleaseError {
  const message = `the trust root pins no sigstore root as "${escapeForTerminal(name.slice(0, 80))}"`;
  return new ReleaseError('TRUSTED_ROOT_UNPINNED', message);
}

/** Files that can't be laid out as signed: nothing that vouches for them was looked at. */
export function unjudged(attested: readonly IndexEntry[], cause: DaemonEyeError): AttestationFinding[] {
  return attested.flatMap(({ path, attestations = [] }) =>
    attestations.map(({ material }) => ({ path, material, ok: false, cause })),
  );
}

/** One that is no file of the bundle is empty: no signature is. Its size is bounded by the index (`assertAttestations`). */
async function readMaterial(entry: IndexEntry | undefined, pathsOf: PathsOf): Promise<Uint8Array> {
  if (entry === undefined) return NOTHING;
  const { bytes = NOTHING } = await readMessage(entry, { hashes: [], isKept: true }, pathsOf, () => undefined);
  return bytes;
}

/** @throws BundleError BLOB_MISMATCH (fault `untrusted`): what is judged is what was signed, or it isn't judged */
async function readMessage(
  entry: IndexEntry,
  { hashes, isKept }: Pick<PreparedFile, 'hashes' | 'isKept'>,
  pathsOf: PathsOf,
  onBytes: OnBytes,
): Promise<Message> {
  const { path: name, size, sha256: signed } = entry;
  if (hashes.length === 0 && !isKept) {
    onBytes(size);
    return { name, size, digests: { sha256: signed } };
  }
  const own = createHash('sha256');
  const others = hashes.map((algorithm) => ({ algorithm, hash: createHash(algorithm) }));
  const bytes = isKept ? new Uint8Array(size) : undefined;
  let done = 0;
  for await (const piece of piecesOf(pathsOf(entry))) {
    if (done + piece.length > size) break;
    own.update(piece);
    for (const { hash } of others) hash.update(piece);
    bytes?.set(piece, done);
    done += piece.length;
    onBytes(piece.length);
  }
  if (encodeHex(own.digest()) !== signed) {
    throw untrusted(
      'BLOB_MISMATCH',
      `${escapeForTerminal(name)} is not as signed any more: changed while it was judged`,
    );
  }
  const digests = Object.fromEntries(others.map(({ algorithm, hash }) => [algorithm, encodeHex(hash.digest())]));
  return { name, size, digests: { sha256: signed, ...digests }, ...(bytes === undefined ? {} : { bytes }) };
}

async function* piecesOf(paths: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* piecesOfFile(path);
}

async function* piecesOfFile(path: string): AsyncGenerator<Uint8Array> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (cause) {
    throw durableErrorFrom(cause, 'read', path);
  }
  try {
    yield* readChunks(handle);
  } finally {
    await handle.close();
  }
}
