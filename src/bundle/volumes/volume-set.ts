import { ArchiveError } from '../../archive/errors.ts';
import { equalBytes } from '../../core/bytes.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { BlobFindings, BlobSink } from '../blob-receiver.ts';
import { BundleError, untrusted } from '../errors.ts';
import type { BundleHead, BundleReader } from '../reader.ts';

/** One container that may hold a part of a bundle. */
export type VolumeSource = {
  /** What people call it: the name of its file. */
  readonly name: string;
  /** @throws as `openBundle` */
  open(): Promise<BundleReader>;
};

/** What is still wanted after a volume was read. */
export type Lacking = {
  /** Digests of blobs, hex. */
  readonly blobs: readonly string[];
  readonly bytes: number;
  /** Why the volume that was read last was no help, or not a whole one. */
  readonly problem?: BundleError;
};

/** Asked for another volume while some blobs are lacking; undefined when there is none. */
export type NextVolume = (lacking: Lacking) => Promise<VolumeSource | undefined>;

/**
 * Several volumes read as the one bundle whose parts they are: same envelope, same trust roots, same index, in any
 * order, and blobs may be in more than one of them. A blob that is damaged in one volume and sound in another is sound.
 */
export class VolumeSet implements BundleReader {
  readonly transport = 'volumes';
  readonly #waiting: VolumeSource[];
  readonly #next: NextVolume | undefined;
  #name = '';
  #reader: BundleReader | undefined;
  #head: BundleHead | undefined;
  #index: Uint8Array | undefined;

  /**
   * @param sources at least one @param next asked when these are not the whole bundle; without it, what one volume is
   *   refused for refuses them all
   */
  constructor(sources: readonly [VolumeSource, ...VolumeSource[]], next?: NextVolume) {
    this.#waiting = [...sources];
    this.#next = next;
  }

  /** @throws as the first volume's, its name before the message */
  async readHead(): Promise<BundleHead> {
    const first = this.#waiting.shift();
    if (first === undefined) throw untrusted('ENVELOPE_MISSING', 'no volume was given');
    this.#name = first.name;
    return this.#named(async () => {
      this.#reader = await first.open();
      this.#head = await this.#reader.readHead();
      return this.#head;
    });
  }

  async readIndex(maxBytes: number): Promise<Uint8Array> {
    return this.#named(async () => {
      this.#index = await this.#opened().readIndex(maxBytes);
      return this.#index;
    });
  }

  /** @throws BundleError VOLUME_FOREIGN for a volume of another bundle; as every volume's, its name before the message */
  async readBlobs(
    expected: ReadonlyMap<string, number>,
    sink?: BlobSink,
    held: ReadonlySet<string> = new Set(),
  ): Promise<BlobFindings> {
    const good = new Set(held);
    try {
      const bad = await this.#readAll(expected, keeping(sink, good), good);
      await sink?.finish?.();
      const missing = [...expected.keys()].filter((sha256) => !good.has(sha256) && !bad.has(sha256));
      const mismatched = [...bad].filter((sha256) => !good.has(sha256));
      return { missing: missing.sort(), mismatched: mismatched.sort() };
    } catch (thrown) {
      await sink?.abandon?.();
      throw thrown;
    }
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }

  /** @returns blobs that were damaged somewhere */
  async #readAll(
    expected: ReadonlyMap<string, number>,
    sink: BlobSink,
    good: ReadonlySet<string>,
  ): Promise<ReadonlySet<string>> {
    const bad = new Set<string>();
    let problem: BundleError | undefined;
    for (;;) {
      try {
        const { mismatched } = await this.#named(async () => this.#opened().readBlobs(expected, sink, good));
        for (const sha256 of mismatched) bad.add(sha256);
        problem = mismatched.length > 0 ? this.#damaged(mismatched.length) : undefined;
      } catch (error) {
        if (this.#next === undefined || !(error instanceof BundleError)) throw error;
        problem = error;
      }
      await this.close();
      if (!(await this.#advance(expected, good, problem))) return bad;
    }
  }

  /** To the next volume, opened and read up to its blobs. @returns whether there is one */
  async #advance(
    expected: ReadonlyMap<string, number>,
    good: ReadonlySet<string>,
    before?: BundleError,
  ): Promise<boolean> {
    let problem = before;
    for (;;) {
      const source = this.#waiting.shift() ?? (await this.#ask(expected, good, problem));
      if (source === undefined) return false;
      this.#name = source.name;
      try {
        await this.#named(() => this.#begin(source));
        return true;
      } catch (error) {
        if (this.#next === undefined || !(error instanceof BundleError)) throw error;
        await this.close();
        problem = error;
      }
    }
  }

  async #ask(
    expected: ReadonlyMap<string, number>,
    good: ReadonlySet<string>,
    problem: BundleError | undefined,
  ): Promise<VolumeSource | undefined> {
    const blobs = [...expected.keys()].filter((sha256) => !good.has(sha256));
    if (blobs.length === 0) return undefined;
    const bytes = blobs.reduce((sum, sha256) => sum + (expected.get(sha256) ?? 0), 0);
    return this.#next?.({ blobs, bytes, ...(problem === undefined ? {} : { problem }) });
  }

  async #begin(source: VolumeSource): Promise<void> {
    this.#reader = await source.open();
    const head = await this.#reader.readHead();
    if (!isSameHead(head, this.#head))
      throw foreign(source.name, 'its statement, signatures or trust roots are others');
    const { length } = this.#index ?? new Uint8Array();
    const index = await this.#reader.readIndex(length);
    if (this.#index === undefined || !equalBytes(index, this.#index))
      throw foreign(source.name, 'its index is another');
  }

  #opened(): BundleReader {
    if (this.#reader === undefined) throw untrusted('READ_ORDER', 'volumes are read once, head first');
    return this.#reader;
  }

  #damaged(blobs: number): BundleError {
    const name = escapeForTerminal(this.#name);
    return untrusted('BLOB_MISMATCH', `${name}: ${blobs} of its blobs are damaged`);
  }

  /** Who has several sticks must know which one is meant. What the other side of the copy says passes as it is. */
  async #named<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw error instanceof ArchiveError || error instanceof BundleError ? volumeError(this.#name, error) : error;
    }
  }
}

function volumeError(name: string, cause: ArchiveError | BundleError): BundleError {
  const { fault } = cause;
  const code = fault === 'untrusted' ? 'VOLUME_REFUSED' : 'VOLUME_UNREADABLE';
  if (cause.code === 'VOLUME_FOREIGN' || cause.code === 'READ_ORDER') return cause as BundleError;
  return new BundleError(code, `${escapeForTerminal(name)}: ${cause.message}`, { cause, fault });
}

/** Byte for byte: the same statement with one more signature is another head. */
export function isSameHead(one: BundleHead, other: BundleHead | undefined): boolean {
  return (
    other !== undefined &&
    equalBytes(one.envelope, other.envelope) &&
    one.rootChain.length === other.rootChain.length &&
    one.rootChain.every(({ version, bytes }, i) => {
      const root = other.rootChain[i];
      return root !== undefined && root.version === version && equalBytes(root.bytes, bytes);
    })
  );
}

function foreign(name: string, why: string): BundleError {
  const message = `${escapeForTerminal(name)}: a volume of another bundle than the first one: ${why}`;
  return untrusted('VOLUME_FOREIGN', message);
}

/** Hands blobs on, and remembers which ones were sound. The end of a volume is not yet the end. */
function keeping(sink: BlobSink | undefined, good: Set<string>): BlobSink {
  return {
    async open(sha256, size) {
      const slot = await sink?.open(sha256, size);
      return {
        ...slot,
        write: async (chunk) => slot?.write(chunk),
        commit: async () => {
          await slot?.commit();
          good.add(sha256);
        },
        discard: async () => slot?.discard(),
      };
    },
  };
}
