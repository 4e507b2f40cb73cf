import type { CompleteSubtree } from '../core/merkle.ts';

/** Whether a stored hash is this one; undefined where none is stored. */
export type StoredHolds = (level: number, index: number, hash: Uint8Array) => boolean | undefined;

/** Compares the hashes that lines give with those in the tree files. */
export class TreeAudit {
  readonly #stored: StoredHolds;
  /** Hashes not stored: they can be derived, so that is no fault. */
  missing = 0;
  /** The first stored hash that is wrong, and the first wrong one that stands for a single line. */
  wrong: { readonly level: number; readonly index: number } | undefined;
  wrongLeaf: number | undefined;

  constructor(stored: StoredHolds) {
    this.#stored = stored;
  }

  take(completed: readonly CompleteSubtree[]): void {
    for (const { level, index, hash } of completed) {
      const holds = this.#stored(level, index, hash);
      if (holds === undefined) this.missing += 1;
      else if (!holds) this.#note(level, index);
    }
  }

  #note(level: number, index: number): void {
    this.wrong ??= { level, index };
    if (level === 0) this.wrongLeaf ??= index;
  }
}
