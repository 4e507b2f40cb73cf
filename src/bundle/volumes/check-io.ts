import { basename } from 'node:path';
import { equalBytes } from '../../core/bytes.ts';
import type { Digest } from '../../core/digest.ts';
import { payloadDigest } from '../../core/dsse.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { count } from '../../core/wording.ts';
import type { BlobSink } from '../blob-receiver.ts';
import { expectedBlobs } from '../index-lines.ts';
import { readUnverified, type UnverifiedParts } from '../inspect-io.ts';
import { openBundle } from '../read-io.ts';
import type { BundleStatement } from '../statement.ts';
import { missingVolumes } from './volume-names.ts';
import { isSameHead } from './volume-set.ts';

export type VolumeState = 'intact' | 'duplicate' | 'damaged' | 'foreign' | 'refused';

export type CheckedVolume = {
  readonly file: string;
  readonly state: VolumeState;
  /** Blobs in it that are what their names say. */
  readonly blobs: number;
  readonly bytes: number;
  /** One sentence about what is wrong with it. */
  readonly problem?: string;
};

export type CheckedSet = {
  /** What the volumes say of themselves; who signed it is not judged here. */
  readonly bundle?: { readonly payload: Digest; readonly statement: BundleStatement };
  readonly volumes: readonly CheckedVolume[];
  readonly lacking: { readonly blobs: number; readonly bytes: number; readonly volumes: readonly string[] };
};

/**
 * Looks at volumes one by one: each is held to its own index, and the set to the first that can be read. Which of them
 * is trusted is for verification to say.
 * @param watch may throw to end the work; told the bytes of each piece
 * @throws BundleError NOT_FOUND or NO_PERMISSION when a file isn't there; whatever `watch` throws
 */
export async function checkVolumes(
  paths: readonly string[],
  watch: (bytes: number) => void = () => undefined,
): Promise<CheckedSet> {
  const set = new SetCheck(watch);
  for (const path of paths) await set.add(path);
  return set.result();
}

class SetCheck {
  readonly #watch: (bytes: number) => void;
  readonly #volumes: CheckedVolume[] = [];
  readonly #held = new Map<string, readonly string[] | undefined>();
  readonly #sound = new Set<string>();
  #first: UnverifiedParts | undefined;
  #expected: ReadonlyMap<string, number> = new Map();

  constructor(watch: (bytes: number) => void) {
    this.#watch = watch;
  }

  async add(path: string): Promise<void> {
    const file = basename(path);
    const found: string[] = [];
    const seen = (state: VolumeState, problem?: string): void => {
      const bytes = found.reduce((sum, sha256) => sum + (this.#expected.get(sha256) ?? 0), 0);
      this.#volumes.push({ file, state, blobs: found.length, bytes, ...(problem === undefined ? {} : { problem }) });
      if (state === 'foreign' || state === 'refused') return;
      this.#held.set(file, state === 'damaged' ? undefined : found);
      for (const sha256 of found) this.#sound.add(sha256);
    };
    try {
      const reader = await openBundle(path);
      try {
        const parts = await readUnverified(reader);
        if (this.#first !== undefined && !isSameBundle(parts, this.#first)) {
          return seen('foreign', 'it is of another bundle, or of the same with other signatures or trust roots');
        }
        this.#first ??= parts;
        this.#expected = expectedBlobs(parts.entries);
        const { mismatched } = await reader.readBlobs(this.#expected, this.#counting(found));
        if (mismatched.length > 0) return seen('damaged', `${count(mismatched.length, 'blob')} in it are damaged`);
        const isDuplicate = found.length > 0 && found.every((sha256) => this.#sound.has(sha256));
        seen(isDuplicate ? 'duplicate' : 'intact');
      } finally {
        await reader.close();
      }
    } catch (error) {
      if (!(error instanceof DaemonEyeError) || error.fault !== 'untrusted') throw error;
      seen(this.#first === undefined ? 'refused' : 'damaged', error.message);
    }
  }

  result(): CheckedSet {
    const lacking = [...this.#expected].filter(([sha256]) => !this.#sound.has(sha256));
    const first = this.#first;
    return {
      ...(first === undefined
        ? {}
        : { bundle: { payload: payloadDigest(first.envelope), statement: first.statement } }),
      volumes: this.#volumes,
      lacking: {
        blobs: lacking.length,
        bytes: lacking.reduce((sum, [, size]) => sum + size, 0),
        volumes: missingVolumes(
          this.#held,
          lacking.map(([sha256]) => sha256),
        ),
      },
    };
  }

  #counting(found: string[]): BlobSink {
    return {
      open: async (sha256) => ({
        write: async (chunk) => this.#watch(chunk.length),
        commit: async () => void found.push(sha256),
        discard: async () => undefined,
      }),
    };
  }
}

function isSameBundle(one: UnverifiedParts, other: UnverifiedParts): boolean {
  return isSameHead(one.head, other.head) && equalBytes(one.index, other.index);
}
