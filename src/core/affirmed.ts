import { encodeHex } from './bytes.ts';
import { sha256 } from './digest.ts';

/**
 * What a pure question was answered yes to, by the digest of all that it depends on. A no is never kept: whoever sends
 * rubbish pays for each piece of it, and pushes nothing out.
 */
export class Affirmed {
  readonly #known = new Set<string>();
  readonly #most: number;

  /** @param most how many are kept; the oldest goes first */
  constructor(most: number) {
    this.#most = most;
  }

  /** @param on all that the answer depends on, so that no other question has these bytes */
  unlessKnown(on: Uint8Array, ask: () => boolean): boolean {
    const digest = encodeHex(sha256(on));
    if (this.#known.has(digest)) return true;
    if (!ask()) return false;
    for (const oldest of this.#known) {
      if (this.#known.size < this.#most) break;
      this.#known.delete(oldest);
    }
    this.#known.add(digest);
    return true;
  }
}
