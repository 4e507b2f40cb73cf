import type { DirectoryName, UntrustedDirectory } from '../archive/directory-io.ts';
import { hostile } from '../archive/errors.ts';
import type { UntrustedFile } from '../archive/untrusted-file-io.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { type BlobFindings, BlobReceiver, type BlobSink } from './blob-receiver.ts';
import { BundleError, untrusted } from './errors.ts';
import {
  BLOBS_DIRECTORY,
  BLOBS_HASH,
  blobName,
  ENVELOPE_NAME,
  INDEX_NAME,
  MAX_INDEX_BYTES,
  MAX_ROOTS,
  parseRootName,
  ROOT_DIRECTORY,
} from './format.ts';
import { assertPartSize, type BundlePart, partOf, unknownName } from './layout.ts';
import type { BundleHead, BundleReader, RootEnvelope } from './reader.ts';

/** Names fetched from directories whose names are few and known: enough to see that there is one too many. */
const MAX_TOP_NAMES = 64;
const MAX_BLOBS = 16 * 1024 * 1024;

/** What may lie at the top, and what it is. */
const TOP = new Map<string, DirectoryName['kind']>([
  [ENVELOPE_NAME, 'file'],
  [INDEX_NAME, 'file'],
  [ROOT_DIRECTORY, 'directory'],
  [BLOBS_DIRECTORY, 'directory'],
]);

/** A bundle in its canonical form. Every file is opened once and read once. */
export class DirectoryBundle implements BundleReader {
  readonly transport = 'directory';
  readonly #directory: UntrustedDirectory;

  constructor(directory: UntrustedDirectory) {
    this.#directory = directory;
  }

  async readHead(): Promise<BundleHead> {
    const names = await this.#directory.names(MAX_TOP_NAMES);
    for (const { name, kind } of names) assertKind(name, kind, TOP.get(name));
    const has = (wanted: string) => names.some(({ name }) => name === wanted);
    if (!has(ENVELOPE_NAME)) throw untrusted('ENVELOPE_MISSING', 'the directory has no bundle.dsse.json');
    const envelope = await readPart(this.#directory, ENVELOPE_NAME, { kind: 'envelope' });
    return { envelope, rootChain: has(ROOT_DIRECTORY) ? await this.#readRoots() : [] };
  }

  async readIndex(maxBytes: number): Promise<Uint8Array> {
    const names = await this.#directory.names(MAX_TOP_NAMES);
    const index = names.find(({ name }) => name === INDEX_NAME);
    if (index === undefined) throw untrusted('INDEX_MISSING', 'the directory has no index.jsonl');
    return readPart(this.#directory, INDEX_NAME, { kind: 'index' }, maxBytes);
  }

  async readBlobs(
    expected: ReadonlyMap<string, number>,
    sink?: BlobSink,
    held?: ReadonlySet<string>,
  ): Promise<BlobFindings> {
    const receiver = new BlobReceiver(expected, sink, held);
    try {
      await using blobs = await this.openBlobs();
      // All names first: nothing is read from a container that carries something unlisted.
      for (const sha256 of blobs.names) receiver.assertListed(sha256);
      for (const sha256 of blobs.names.filter((name) => receiver.wants(name))) {
        await using file = await blobs.open(sha256);
        await receiver.receive(sha256, file.size, file.chunks());
      }
      return await receiver.finish();
    } catch (thrown) {
      await receiver.abandon();
      throw thrown;
    }
  }

  /** The blobs that are there, sorted by digest. @throws BundleError UNKNOWN_NAME; ArchiveError */
  async openBlobs(): Promise<BlobDirectory> {
    const top = await this.#directory.names(MAX_TOP_NAMES);
    if (!top.some(({ name }) => name === BLOBS_DIRECTORY)) return new BlobDirectory([]);
    await using outer = await this.#directory.directory(BLOBS_DIRECTORY);
    const hashes = await outer.names(MAX_TOP_NAMES);
    for (const { name, kind } of hashes) {
      assertKind(`${BLOBS_DIRECTORY}/${name}`, kind, name === BLOBS_HASH ? 'directory' : undefined);
    }
    if (hashes.length === 0) return new BlobDirectory([]);
    const inner = await outer.directory(BLOBS_HASH);
    try {
      const names = await inner.names(MAX_BLOBS);
      for (const { name, kind } of names) {
        partOf(blobName(name));
        assertKind(blobName(name), kind, 'file');
      }
      const digests = names.map(({ name }) => name);
      return new BlobDirectory(digests, inner);
    } catch (thrown) {
      await inner.close();
      throw thrown;
    }
  }

  async close(): Promise<void> {
    await this.#directory.close();
  }

  async #readRoots(): Promise<RootEnvelope[]> {
    await using roots = await this.#directory.directory(ROOT_DIRECTORY);
    const chain: RootEnvelope[] = [];
    const names = await roots.names(4 * MAX_ROOTS);
    if (names.length > MAX_ROOTS) throw untrusted('ROOT_TOO_MANY', `there are over ${MAX_ROOTS} trust roots`);
    for (const { name, kind } of names) {
      const version = parseRootName(`${ROOT_DIRECTORY}/${name}`);
      assertKind(`${ROOT_DIRECTORY}/${name}`, kind, version === undefined ? undefined : 'file');
      if (version === undefined) throw unknownName(name);
      chain.push({ version, bytes: await readPart(roots, name, { kind: 'root', version }) });
    }
    return chain.sort((a, b) => a.version - b.version);
  }
}

/** `blobs/sha256`, when there is one. */
export class BlobDirectory {
  readonly names: readonly string[];
  readonly #directory: UntrustedDirectory | undefined;

  constructor(names: readonly string[], directory?: UntrustedDirectory) {
    this.names = names;
    this.#directory = directory;
  }

  async open(sha256: string): Promise<UntrustedFile> {
    if (this.#directory === undefined) throw new BundleError('READ_ORDER', `there is no blob ${sha256}`);
    return this.#directory.file(sha256);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory?.close();
  }
}

async function readPart(
  directory: UntrustedDirectory,
  name: string,
  part: BundlePart,
  indexBytes = MAX_INDEX_BYTES,
): Promise<Uint8Array> {
  await using file = await directory.file(name);
  assertPartSize(part, file.size, indexBytes);
  return await file.readAll(file.size);
}

function assertKind(name: string, kind: DirectoryName['kind'], wanted: DirectoryName['kind'] | undefined): void {
  if (wanted === undefined) throw unknownName(name);
  if (kind !== wanted) throw hostile('DIRECTORY_TYPE', `"${escapeForTerminal(name)}" is not a ${wanted}`);
}
