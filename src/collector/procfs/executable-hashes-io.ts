import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { createBLAKE3, type IHasher } from 'hash-wasm';

export type ExecutableHashes = { readonly sha256: string; readonly blake3: string };

export type HashLimits = {
  /** Larger files are not hashed. */
  readonly fileBytes: number;
  /** Hashed at once, in one round of looking; what is above waits its turn in the background. */
  readonly roundBytes: number;
  /** Files held open while they wait; beyond that they are passed over, and tried again with the next process. */
  readonly waiting: number;
};

export const HASH_LIMITS: HashLimits = { fileBytes: 1024 ** 3, roundBytes: 8 * 1024 * 1024, waiting: 64 };

const CHUNK = Buffer.allocUnsafe(256 * 1024);
const REMEMBERED = 8192;

/** Changes whenever the content does: ctime can't be set by any program. */
export function fileVersion({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/**
 * SHA-256 and BLAKE3 of running programs, read through /proc/PID/exe so that a deleted or replaced file is hashed too,
 * each version of a file once. Small ones at once; large ones in slices while nothing else is to be done.
 */
export class HashCache {
  readonly #blake3: IHasher;
  readonly #background: IHasher;
  readonly #limits: HashLimits;
  readonly #known = new Map<string, ExecutableHashes>();
  readonly #waiting = new Map<string, { readonly fd: number; readonly size: number }>();
  readonly #onHashed: (version: string) => void;
  #left: number;
  #running = false;
  #closed = false;

  private constructor(hashers: readonly [IHasher, IHasher], onHashed: (version: string) => void, limits: HashLimits) {
    [this.#blake3, this.#background] = hashers;
    this.#onHashed = onHashed;
    this.#limits = limits;
    this.#left = limits.roundBytes;
  }

  /** @param onHashed called when a file that had to wait is done */
  static async create(onHashed: (version: string) => void, limits: HashLimits = HASH_LIMITS) {
    return new HashCache([await createBLAKE3(), await createBLAKE3()], onHashed, limits);
  }

  /** A new round of looking: as much again may be hashed at once. */
  newRound(): void {
    this.#left = this.#limits.roundBytes;
  }

  /** @returns undefined if they are not known yet (then `onHashed` tells), or never will be */
  of(pid: number, stats: BigIntStats): ExecutableHashes | undefined {
    const version = fileVersion(stats);
    const known = this.#known.get(version);
    if (known !== undefined) {
      // Re-inserted, so that the oldest in the map is the longest unused.
      this.#known.delete(version);
      this.#known.set(version, known);
      return known;
    }
    if (this.#waiting.has(version) || this.#closed || stats.size > this.#limits.fileBytes) return undefined;
    return this.#read(pid, version, Number(stats.size));
  }

  close(): void {
    this.#closed = true;
    for (const { fd } of this.#waiting.values()) closeSync(fd);
    this.#waiting.clear();
  }

  #read(pid: number, version: string, size: number): ExecutableHashes | undefined {
    const fd = openProgram(pid, version);
    if (fd === undefined) return undefined;
    if (size <= this.#left) {
      this.#left -= size;
      return this.#readNow(fd, version);
    }
    if (this.#waiting.size >= this.#limits.waiting) {
      closeSync(fd);
      return undefined;
    }
    this.#waiting.set(version, { fd, size });
    if (!this.#running) {
      this.#running = true;
      void this.#readWaiting();
    }
    return undefined;
  }

  #readNow(fd: number, version: string): ExecutableHashes | undefined {
    const sha256 = createHash('sha256');
    this.#blake3.init();
    try {
      for (let bytes = readSync(fd, CHUNK); bytes > 0; bytes = readSync(fd, CHUNK)) {
        sha256.update(CHUNK.subarray(0, bytes));
        this.#blake3.update(CHUNK.subarray(0, bytes));
      }
      return this.#remember(version, { sha256: sha256.digest('hex'), blake3: this.#blake3.digest('hex') });
    } catch {
      return undefined;
    } finally {
      closeSync(fd);
    }
  }

  async #readWaiting(): Promise<void> {
    for (const [version, { fd }] of this.#waiting) {
      const hashes = await this.#readSlowly(fd);
      // Closed meanwhile, and the file with it.
      if (!this.#waiting.delete(version)) break;
      closeSync(fd);
      if (hashes === undefined) continue;
      this.#remember(version, hashes);
      this.#onHashed(version);
    }
    this.#running = false;
  }

  async #readSlowly(fd: number): Promise<ExecutableHashes | undefined> {
    const sha256 = createHash('sha256');
    this.#background.init();
    try {
      while (!this.#closed) {
        const bytes = readSync(fd, CHUNK);
        if (bytes === 0) return { sha256: sha256.digest('hex'), blake3: this.#background.digest('hex') };
        sha256.update(CHUNK.subarray(0, bytes));
        this.#background.update(CHUNK.subarray(0, bytes));
        await setImmediate();
      }
    } catch {
      // A disk that can't be read: no hash is better than a wrong one.
    }
    return undefined;
  }

  #remember(version: string, hashes: ExecutableHashes): ExecutableHashes {
    this.#known.set(version, hashes);
    const [oldest] = this.#known.keys();
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
    return hashes;
  }
}

/** Opens what runs now, if it is still that version: between two looks the process may have become another program. */
function openProgram(pid: number, version: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/exe`, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const stats = fstatSync(fd, { bigint: true });
  if (stats.isFile() && fileVersion(stats) === version) return fd;
  closeSync(fd);
  return undefined;
}
