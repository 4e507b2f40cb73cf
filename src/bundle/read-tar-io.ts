import type { TarHeader } from '../archive/tar-header.ts';
import { TarReader } from '../archive/tar-reader.ts';
import { concatBytes } from '../core/bytes.ts';
import { type BlobFindings, BlobReceiver, type BlobSink } from './blob-receiver.ts';
import { BundleError, untrusted } from './errors.ts';
import { MAX_INDEX_BYTES, MAX_ROOTS } from './format.ts';
import { assertPartSize, type BundlePart, compareBundleNames, partOf } from './layout.ts';
import type { BundleHead, BundleReader, RootEnvelope } from './reader.ts';

/** Roots and blobs are bounded by their own caps, and unlisted blobs refused; this is only a last stop. */
const MAX_MEMBERS = 16 * 1024 * 1024;

/** Where an archive's bytes come from: a file, once, from its start to its end. */
export type ByteSource = { chunks(): AsyncIterable<Uint8Array>; close(): Promise<void> };

type Member = { readonly part: BundlePart; readonly size: number };

/** A bundle in one deterministic tar, read front to back in one pass. */
export class TarBundle implements BundleReader {
  readonly transport = 'tar';
  readonly #file: ByteSource;
  readonly #tar: TarReader;
  /** The member whose header was read and whose body was not. */
  #member: Member | undefined;
  #next: 'head' | 'index' | 'blobs' | 'nothing' = 'head';

  constructor(file: ByteSource) {
    this.#file = file;
    const limits = { maxEntries: MAX_MEMBERS, maxEntryBytes: MAX_INDEX_BYTES, order: compareBundleNames };
    this.#tar = new TarReader(file.chunks(), limits);
  }

  async readHead(): Promise<BundleHead> {
    this.#step('head', 'index');
    await this.#advance();
    if (this.#member?.part.kind !== 'envelope')
      throw untrusted('ENVELOPE_MISSING', 'the archive has no bundle.dsse.json');
    const envelope = await this.#body();
    const rootChain: RootEnvelope[] = [];
    for (let part = await this.#advance(); part?.kind === 'root'; part = await this.#advance()) {
      if (rootChain.length === MAX_ROOTS) throw untrusted('ROOT_TOO_MANY', `there are over ${MAX_ROOTS} trust roots`);
      rootChain.push({ version: part.version, bytes: await this.#body() });
    }
    return { envelope, rootChain };
  }

  async readIndex(maxBytes: number): Promise<Uint8Array> {
    this.#step('index', 'blobs');
    const member = this.#member;
    if (member?.part.kind !== 'index') throw untrusted('INDEX_MISSING', 'the archive has no index.jsonl');
    assertPartSize(member.part, member.size, maxBytes);
    const index = await this.#body();
    await this.#advance();
    return index;
  }

  async readBlobs(
    expected: ReadonlyMap<string, number>,
    sink?: BlobSink,
    held?: ReadonlySet<string>,
  ): Promise<BlobFindings> {
    this.#step('blobs', 'nothing');
    const receiver = new BlobReceiver(expected, sink, held);
    try {
      for (let member = this.#member; member?.part.kind === 'blob'; member = this.#member) {
        await receiver.receive(member.part.sha256, member.size, this.#pieces());
        await this.#advance();
      }
      return await receiver.finish();
    } catch (thrown) {
      await receiver.abandon();
      throw thrown;
    }
  }

  async close(): Promise<void> {
    this.#next = 'nothing';
    await this.#tar.close();
    await this.#file.close();
  }

  async #advance(): Promise<BundlePart | undefined> {
    const header: TarHeader | undefined = await this.#tar.next();
    this.#member = header && { part: partOf(header.name), size: header.size };
    return this.#member?.part;
  }

  async #body(): Promise<Uint8Array> {
    if (this.#member !== undefined) assertPartSize(this.#member.part, this.#member.size);
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#pieces()) pieces.push(new Uint8Array(piece));
    return concatBytes(...pieces);
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    for (let piece = await this.#tar.read(); piece !== undefined; piece = await this.#tar.read()) yield piece;
  }

  #step(from: 'head' | 'index' | 'blobs', to: 'index' | 'blobs' | 'nothing'): void {
    if (this.#next !== from) throw new BundleError('READ_ORDER', `the ${from} of a bundle can't be read at this point`);
    this.#next = to;
  }
}
