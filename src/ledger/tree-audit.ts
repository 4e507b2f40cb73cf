import { equalBytes } from '../core/bytes.ts';
import type { CompleteSubtree } from '../core/merkle.ts';

/** Looks up a stored hash; undefined where none is stored. */
export type StoredAt = (level: number, index: number) => Uint8Array | undefined;

/** Compares the hashes that lines give with those in the tree files. */
export class TreeAudit {
  readonly #stored: StoredAt;
  /** Hashes not stored: they can be derived, so that is no fault. */
  missing = 0;
  /** The first stored hash that is wrong, and the first wrong one that stands for a single line. */
  wrong: { readonly level: number; readonly index: number } | undefined;
  wrongLeaf: number | undefined;

  constructor(stored: StoredAt) {
    this.#stored = stored;
  }

  take(completed: readonly CompleteSubtree[]): void {
    for (const { level, index, hash } of completed) {
      const stored = this.#stored(level, index);
      if (stored === undefined) this.missing += 1;
      else if (!equalBytes(stored, hash)) this.#note(level, index);
    }
  }

  #note(level: number, index: number): void {
    this.wrong ??= { level, index };
    if (level === 0) this.wrongLeaf ??= index;
  }
}
