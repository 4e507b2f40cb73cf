/** For so many rounds a process counts as young. */
const YOUNG_ROUNDS = 20;
/** Old ones looked at in one light round. */
const OLD_AT_ONCE = 64;
/** Or more, so that each has its turn within so many rounds. */
const OLD_ROUNDS = 40;

/** Who is looked at in a light round: the young each time, who are about to become another program; the old in turn. */
export class Turns {
  /** pid → rounds for which it is still young. */
  readonly #young = new Map<number, number>();
  #turn = 0;

  add(pid: number): void {
    this.#young.set(pid, YOUNG_ROUNDS);
  }

  /** @param size how many processes are known @returns whose turn it is */
  begin(size: number): (pid: number) => boolean {
    const old = Math.max(1, size - this.#young.size);
    const turns = Math.ceil(old / Math.max(OLD_AT_ONCE, old / OLD_ROUNDS));
    this.#turn = (this.#turn + 1) % turns;
    return (pid) => this.#young.has(pid) || pid % turns === this.#turn;
  }

  end(isKnown: (pid: number) => boolean): void {
    for (const [pid, rounds] of this.#young) {
      if (rounds <= 1 || !isKnown(pid)) this.#young.delete(pid);
      else this.#young.set(pid, rounds - 1);
    }
  }
}
