import { closeSync, existsSync, fstatSync } from 'node:fs';
import { join } from 'node:path';
import { type CompleteSubtree, HASH_BYTES } from '../core/merkle.ts';
import { DurableError, durableErrorFrom } from '../durable/errors.ts';
import { TREE_DIRECTORY } from './format.ts';
import type { LedgerFile, OpenLedgerFile } from './ledger-file-io.ts';
import { openPlainFile, readFully } from './scan-io.ts';

/** Reading one hash at a time suits proofs; reading ahead suits a pass along the log. */
export const PROOF_READ_AHEAD = HASH_BYTES;
export const PASS_READ_AHEAD = 64 * 1024;

/** Of a tree of 2^53 leaves. */
const MAX_LEVEL = 53;

export function treeFile(directory: string, level: number): string {
  return join(directory, TREE_DIRECTORY, String(level));
}

type LevelFile = { readonly fd: number; readonly room: Uint8Array; length: number; position: number };

/**
 * The stored hashes of a log's tree: in `tree/<level>`, 32 bytes for each complete subtree of 2^level leaves. They can
 * all be derived from the lines, are synced late, and are believed by nobody: who reads one checks what comes of it.
 */
export class StoredTree implements Disposable {
  readonly #directory: string;
  readonly #readAhead: number;
  /** Those that were asked for; undefined where there is no file. */
  #levels: (LevelFile | undefined)[] = [];

  constructor(directory: string, readAhead: number) {
    this.#directory = directory;
    this.#readAhead = readAhead;
  }

  /**
   * The stored hash, or undefined where none is stored. A crash can leave zeros where a hash should be; no hash is
   * zero, so that counts as none.
   * @throws DurableError
   */
  at(level: number, index: number): Uint8Array | undefined {
    const file = this.#file(level);
    const from = file === undefined ? -1 : this.#find(file, level, index);
    if (file === undefined || from < 0) return undefined;
    const stored = file.room.slice(from, from + HASH_BYTES);
    return isZero(stored) ? undefined : stored;
  }

  /** Whether the stored hash is this one; undefined where none is stored. @throws DurableError */
  holds(level: number, index: number, hash: Uint8Array): boolean | undefined {
    const file = this.#file(level);
    const from = file === undefined ? -1 : this.#find(file, level, index);
    if (file === undefined || from < 0) return undefined;
    const { room } = file;
    for (let i = 0; i < HASH_BYTES; i += 1) {
      if (room[from + i] !== hash[i]) return isZero(room.subarray(from, from + HASH_BYTES)) ? undefined : false;
    }
    return true;
  }

  /** Where in the file's room the hash stands; −1 when the file ends before it. */
  #find(file: LevelFile, level: number, index: number): number {
    const position = index * HASH_BYTES;
    if (position < file.position || position + HASH_BYTES > file.position + file.length) {
      this.#fill(file, level, position);
    }
    const from = position - file.position;
    return from + HASH_BYTES > file.length ? -1 : from;
  }

  /** How many hashes the level's file has room for; a torn one counts. */
  count(level: number): number {
    const file = this.#file(level);
    return file === undefined ? 0 : Math.ceil(fstatSync(file.fd).size / HASH_BYTES);
  }

  #file(level: number): LevelFile | undefined {
    const known = this.#levels[level];
    if (known !== undefined || level in this.#levels) return known;
    const opened = this.#open(level);
    this.#levels[level] = opened;
    return opened;
  }

  #open(level: number): LevelFile | undefined {
    try {
      const fd = openPlainFile(treeFile(this.#directory, level));
      return { fd, room: new Uint8Array(this.#readAhead), length: 0, position: 0 };
    } catch (cause) {
      if (cause instanceof DurableError && cause.code === 'NOT_FOUND') return undefined;
      throw cause;
    }
  }

  #fill(file: LevelFile, level: number, position: number): void {
    try {
      file.length = 0;
      file.length = readFully(file.fd, file.room, position);
      file.position = position;
    } catch (cause) {
      throw durableErrorFrom(cause, 'read', treeFile(this.#directory, level));
    }
  }

  [Symbol.dispose](): void {
    for (const file of this.#levels) if (file !== undefined) closeSync(file.fd);
    this.#levels = [];
  }
}

function isZero(hash: Uint8Array): boolean {
  return hash[0] === 0 && hash.every((byte) => byte === 0);
}

/** Hashes of one level that wait to be written, from an index on. */
class PendingLevel {
  from = 0;
  #bytes = new Uint8Array(HASH_BYTES);
  #length = 0;

  /** Hashes must come in order, without gaps. */
  put(index: number, hash: Uint8Array): void {
    if (this.#length === 0) this.from = index;
    if (this.#length === this.#bytes.length) {
      const wider = new Uint8Array(this.#bytes.length * 2);
      wider.set(this.#bytes);
      this.#bytes = wider;
    }
    this.#bytes.set(hash, this.#length);
    this.#length += HASH_BYTES;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  cut(length: number): void {
    this.#length = length;
  }
}

/** Appends hashes to the level files: gathered, written together, synced late. */
export class TreeWriter {
  readonly #directory: string;
  readonly #openFile: OpenLedgerFile;
  readonly #files = new Map<number, LedgerFile>();
  readonly #pending: PendingLevel[] = [];

  constructor(directory: string, openFile: OpenLedgerFile) {
    this.#directory = directory;
    this.#openFile = openFile;
  }

  /** Gathers hashes; on each level they must come in order, without gaps. */
  put(subtrees: readonly CompleteSubtree[]): void {
    for (const { level, index, hash } of subtrees) {
      // Subtrees come from the leaf upwards, so no level is ever skipped.
      let pending = this.#pending[level];
      if (pending === undefined) {
        pending = new PendingLevel();
        this.#pending[level] = pending;
      }
      pending.put(index, hash);
    }
  }

  /** How much is gathered now, level by level. */
  mark(): readonly number[] {
    return this.#pending.map(({ length }) => length);
  }

  /** Forgets what was gathered since the mark; nothing may have been written meanwhile. */
  takeBack(mark: readonly number[]): void {
    for (const [level, pending] of this.#pending.entries()) pending.cut(mark[level] ?? 0);
  }

  /**
   * Writes what was gathered; nothing may be gathered meanwhile. What could not be written stays gathered.
   * @throws whatever the file layer throws
   */
  async flush(): Promise<void> {
    for (const [level, pending] of this.#pending.entries()) {
      if (pending.length === 0) continue;
      const file = await this.#file(level);
      await file.write(pending.bytes, pending.from * HASH_BYTES);
      pending.cut(0);
    }
  }

  /** Cuts every level to what a log of `size` lines has. */
  async cut(size: number): Promise<void> {
    for (let level = 0; level <= MAX_LEVEL; level += 1) {
      if (!existsSync(treeFile(this.#directory, level))) continue;
      const file = await this.#file(level);
      await file.truncate(Math.floor(size / 2 ** level) * HASH_BYTES);
    }
  }

  async sync(): Promise<void> {
    for (const file of this.#files.values()) await file.sync();
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
    this.#files.clear();
  }

  async #file(level: number): Promise<LedgerFile> {
    const known = this.#files.get(level);
    if (known !== undefined) return known;
    const file = await this.#openFile(treeFile(this.#directory, level));
    this.#files.set(level, file);
    return file;
  }
}
