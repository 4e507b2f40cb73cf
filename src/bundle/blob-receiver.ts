import { createHash } from 'node:crypto';
import { CommitPool } from './commit-pool.ts';
import { untrusted } from './errors.ts';

/** Takes blobs as they are read. What was not committed must leave no trace. */
export type BlobSink = {
  open(sha256: string, size: number): Promise<BlobSlot>;
  /** Called once after the last blob, when everything committed must be durable. */
  finish?(): Promise<void>;
  /** Called instead when reading was given up, before the slots that are still open are discarded: ends what runs. */
  abandon?(): Promise<void>;
};

export type BlobSlot = {
  /** The chunk may be reused once this resolves. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * There when the slot hashes what it holds by itself, on another core: SHA-256 in hex of the bytes as they lie where
   * they were written. Asked once, after the last write; may run while the next blobs are read.
   */
  digest?(): Promise<string>;
  /** The bytes are those the name promises. May run while the next blob is written. */
  commit(): Promise<void>;
  discard(): Promise<void>;
};

/** Hex digests, sorted. */
export type BlobFindings = { readonly missing: readonly string[]; readonly mismatched: readonly string[] };

/** Blobs that are written and wait for their digest cost an open file each, and nothing else. */
const MAX_DIGESTS = 256;

/** Holds what a container delivers against what the index expects, while handing it on. */
export class BlobReceiver {
  readonly #expected: ReadonlyMap<string, number>;
  readonly #sink: BlobSink | undefined;
  readonly #held: ReadonlySet<string>;
  readonly #seen = new Set<string>();
  readonly #mismatched: string[] = [];
  readonly #commits = new CommitPool();
  readonly #digests = new CommitPool(MAX_DIGESTS);

  /** @param expected hex digest to size @param held those that nobody needs again: neither read nor missed */
  constructor(expected: ReadonlyMap<string, number>, sink?: BlobSink, held: ReadonlySet<string> = new Set()) {
    this.#expected = expected;
    this.#sink = sink;
    this.#held = held;
  }

  /** Whether its bytes are wanted. */
  wants(sha256: string): boolean {
    return !this.#held.has(sha256);
  }

  /** Nothing may travel in a bundle that nobody signed. @throws BundleError BLOB_UNLISTED */
  assertListed(sha256: string): void {
    if (!this.#expected.has(sha256)) throw untrusted('BLOB_UNLISTED', `the blob ${sha256} is not in the signed index`);
  }

  /**
   * Takes one blob. One of another size than expected is not even read.
   * @param pieces valid until the next is asked for
   * @throws BundleError BLOB_UNLISTED, and whatever source or sink throw
   */
  async receive(sha256: string, size: number, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    this.assertListed(sha256);
    if (!this.wants(sha256)) return;
    this.#seen.add(sha256);
    if (this.#expected.get(sha256) !== size) {
      this.#mismatched.push(sha256);
      return;
    }
    const slot = await this.#sink?.open(sha256, size);
    if (slot?.digest !== undefined) {
      await this.#take(pieces, slot);
      await this.#digests.add(this.#judge(sha256, slot, slot.digest()));
    } else if (await this.#delivers(sha256, pieces, slot)) {
      if (slot !== undefined) await this.#commits.add(slot.commit());
    } else {
      this.#mismatched.push(sha256);
      await slot?.discard();
    }
  }

  /** After the last blob. @throws whatever the sink throws */
  async finish(): Promise<BlobFindings> {
    await this.#digests.finish();
    await this.#commits.finish();
    await this.#sink?.finish?.();
    const missing = [...this.#expected.keys()].filter((sha256) => this.wants(sha256) && !this.#seen.has(sha256));
    return { missing: missing.sort(), mismatched: this.#mismatched.sort() };
  }

  /** When reading was given up: waits for what is under way, so that nothing happens after the error. */
  async abandon(): Promise<void> {
    await this.#sink?.abandon?.();
    await this.#digests.abandon();
    await this.#commits.abandon();
  }

  async #take(pieces: AsyncIterable<Uint8Array>, slot: BlobSlot): Promise<void> {
    try {
      for await (const piece of pieces) await slot.write(piece);
    } catch (thrown) {
      await slot.discard();
      throw thrown;
    }
  }

  async #judge(sha256: string, slot: BlobSlot, digesting: Promise<string>): Promise<void> {
    const found = await digesting.catch(async (thrown: unknown) => {
      await slot.discard();
      throw thrown;
    });
    if (found === sha256) return slot.commit();
    this.#mismatched.push(sha256);
    await slot.discard();
  }

  async #delivers(sha256: string, pieces: AsyncIterable<Uint8Array>, slot: BlobSlot | undefined): Promise<boolean> {
    try {
      return (await hashInto(pieces, slot)) === sha256;
    } catch (thrown) {
      await slot?.discard();
      throw thrown;
    }
  }
}

async function hashInto(pieces: AsyncIterable<Uint8Array>, slot: BlobSlot | undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) {
    // The write goes to the disk while this thread hashes.
    const writing = slot?.write(piece);
    hash.update(piece);
    await writing;
  }
  return hash.digest('hex');
}
