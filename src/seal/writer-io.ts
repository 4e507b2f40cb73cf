import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { concatBytes, encodeHex } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { syncDirectory } from '../durable/files-io.ts';
import { commitTo } from './commitment.ts';
import { SealError } from './errors.ts';
import { BATCH_RECORDS, BATCH_SECONDS, KEY_BYTES, type SecretKind, sealedFileName } from './format.ts';
import { assertRecipients, wrapBatchKey } from './recipients.ts';
import { encodeSealedLine, newBatchId, sealValue } from './sealed-record.ts';

export type SealerOptions = {
  /** Exists already. */
  readonly directory: string;
  /** `age1…`; none: nothing is kept. */
  readonly recipients: readonly string[];
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  /** Microseconds, monotonic. */
  readonly mono: () => number;
};

/** Seals values as they are seen. */
export type Sealer = AsyncDisposable & {
  /** Whether values are kept; if not, only commitments are made, and nobody can ever open them. */
  readonly keeps: boolean;
  /**
   * Commits to a value and keeps it, encrypted, until {@link flush}.
   * @returns what goes into the line as argv_commit or env_commit
   * @throws SealError VALUE_TOO_LONG or STORE_CLOSED
   */
  seal(kind: SecretKind, value: Uint8Array): Digest;
  /**
   * Makes durable what was sealed. Call before the lines that refer to it are written, so that a line never promises a
   * value that isn't there. When it throws, nothing is lost: call again later.
   * @param seq of the next line in the log: values sealed now belong to lines from there on
   * @throws DurableError
   */
  flush(seq: number): Promise<void>;
  close(): Promise<void>;
};

type Batch = { readonly id: string; readonly key: Uint8Array; readonly born: number; records: number };
type Waiting = { readonly batch: Batch; readonly line: Uint8Array };

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
/** Each write is durable when it returns: a process under Node's permission model may not call fdatasync. */
const O_DSYNC = constants.O_DSYNC ?? 0;
const MICROSECONDS = 1_000_000;
/** A file of sealed values ends about here; a reader takes one whole. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/**
 * Opens the store for writing, in a file of its own; an unfinished line that a crash left in an older file stays there.
 * @throws SealError RECIPIENT_MALFORMED
 */
export async function openSealer(options: SealerOptions): Promise<Sealer> {
  await assertRecipients(options.recipients);
  return options.recipients.length === 0 ? new CommitOnly(options) : new SealedWriter(options);
}

class CommitOnly implements Sealer {
  readonly keeps = false;
  readonly #random: SealerOptions['random'];

  constructor({ random }: SealerOptions) {
    this.#random = random;
  }

  /** Under a key that is thrown away. */
  seal(kind: SecretKind, value: Uint8Array): Digest {
    return commitTo(kind, this.#random(KEY_BYTES), value);
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

class SealedWriter implements Sealer {
  readonly keeps = true;
  readonly #options: SealerOptions;
  #batch: Batch | undefined;
  #waiting: Waiting[] = [];
  #file: { readonly handle: FileHandle; readonly path: string; size: number; batch: string | undefined } | undefined;
  #closed = false;

  constructor(options: SealerOptions) {
    this.#options = options;
  }

  seal(kind: SecretKind, value: Uint8Array): Digest {
    if (this.#closed) throw new SealError('STORE_CLOSED', 'the store of sealed values was closed');
    const batch = this.#currentBatch();
    const record = sealValue(kind, value, batch, this.#options.random);
    batch.records += 1;
    this.#waiting.push({ batch, line: encodeSealedLine(record) });
    return record.commit;
  }

  async flush(seq: number): Promise<void> {
    while (this.#waiting.length > 0) await this.#write(seq);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#batch?.key.fill(0);
    this.#batch = undefined;
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A batch key lies in memory for so long only: a memory image opens no older values. */
  #currentBatch(): Batch {
    const { random, mono } = this.#options;
    const now = mono();
    const old = this.#batch;
    const isOver = old === undefined || old.records >= BATCH_RECORDS || now - old.born >= BATCH_SECONDS * MICROSECONDS;
    if (!isOver) return old;
    this.#batch = { id: newBatchId(random), key: random(KEY_BYTES), born: now, records: 0 };
    return this.#batch;
  }

  /** The records of one batch, with the batch itself before them if this file doesn't have it yet. */
  async #write(seq: number): Promise<void> {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const { batch } = first;
    const after = this.#waiting.findIndex((waiting) => waiting.batch !== batch);
    const count = after === -1 ? this.#waiting.length : after;
    const file = await this.#fileFor(seq);
    const lines = this.#waiting.slice(0, count).map(({ line }) => line);
    if (file.batch !== batch.id) {
      const { recipients } = this.#options;
      const key = await wrapBatchKey(batch.key, recipients);
      lines.unshift(encodeSealedLine({ batch: batch.id, key, recipients }));
    }
    const bytes = concatBytes(...lines.flatMap((line) => [line, NEWLINE]));
    try {
      // At its place, not at the end: a second try overwrites what a first one may have left.
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await file.handle.write(bytes, done, bytes.length - done, file.size + done);
        done += bytesWritten;
      }
    } catch (cause) {
      throw durableErrorFrom(cause, 'write the sealed values to', file.path);
    }
    file.size += bytes.length;
    file.batch = batch.id;
    this.#waiting.splice(0, count);
    if (batch !== this.#batch) batch.key.fill(0);
  }

  async #fileFor(seq: number) {
    if (this.#file !== undefined && this.#file.size < MAX_FILE_BYTES) return this.#file;
    const { directory, random } = this.#options;
    const path = join(directory, sealedFileName(seq, encodeHex(random(4))));
    try {
      const handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_DSYNC, 0o600);
      await this.#file?.handle.close();
      this.#file = { handle, path, size: 0, batch: undefined };
      syncDirectory(directory);
      return this.#file;
    } catch (cause) {
      throw durableErrorFrom(cause, 'create', path);
    }
  }
}

const NEWLINE = Uint8Array.of(0x0a);
