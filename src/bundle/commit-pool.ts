/** Commits under way at once: an fsync mostly waits, so a few overlap well. */
const MAX_COMMITS = 8;

/** Runs a few commits beside the reading of what comes next, and loses none of their errors. */
export class CommitPool {
  readonly #pending = new Set<Promise<void>>();
  readonly #most: number;

  constructor(most = MAX_COMMITS) {
    this.#most = most;
  }

  /** Takes a commit that has begun; waits when there are many. @throws what one of them threw */
  async add(commit: Promise<void>): Promise<void> {
    this.#pending.add(commit);
    // One that fails stays in the set, so that the next wait, or `finish`, throws its error.
    commit.then(
      () => this.#pending.delete(commit),
      () => undefined,
    );
    if (this.#pending.size >= this.#most) await Promise.race(this.#pending);
  }

  /** Waits for all. @throws what one of them threw */
  async finish(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** After an error elsewhere: waits for all, so that nothing happens behind the back of whoever cleans up. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#pending);
  }
}
