import { SandboxError, type SandboxErrorCode } from '../../sandbox/errors.ts';
import type { Answer } from '../../sandbox/protocol.ts';
import type { Sandbox } from '../../sandbox/sandbox-io.ts';
import { MAX_OVERRUNS, SECOND_CHANCE } from '../format.ts';
import { type Changes, noChanges } from '../store/fold-io.ts';
import type { VolatileStore } from '../store/volatile-io.ts';
import { isEvaluated, type LiveRule } from './live-rule.ts';

export type DetectorOptions = {
  readonly volatile: VolatileStore;
  /** Over the volatile store, read-only. */
  readonly sandbox: Sandbox;
  /** A rule hit; called before the next rule is asked. */
  readonly hit: (live: LiveRule, answer: Answer) => void;
  readonly quarantined: (live: LiveRule, code: string, reason: string) => void;
  /** A mistake of ours, or a store that can't be written. */
  readonly failed: (error: unknown) => void;
};

/** Not believed beyond its code: a child that was taken over could put a secret into its message. */
const REASONS: Readonly<Partial<Record<SandboxErrorCode, string>>> = {
  SQL_REFUSED: 'it asks for something that no rule may have',
  SQL_ERROR: 'its SQL failed on the live tables',
  MEMORY: 'it needs more memory than a rule may have',
  TOO_MANY_ROWS: 'its answer has too many rows',
  ANSWER_TOO_LARGE: 'its answer is too large',
};

/**
 * Asks the rules, one after the other, in the child that can be killed. Incremental ones on each batch that came in,
 * the others when their time comes. A rule that overruns or fails is put aside with the reason, and the rest go on.
 */
export class Detector {
  readonly #options: DetectorOptions;
  #rules: readonly LiveRule[] = [];
  #pending = noChanges();
  #queue: Promise<void> = Promise.resolve();
  #isScheduled = false;
  /** Of the rounds over what came in, milliseconds. */
  lastRoundMs = 0;
  longestRoundMs = 0;
  rounds = 0;

  constructor(options: DetectorOptions) {
    this.#options = options;
  }

  get rules(): readonly LiveRule[] {
    return this.#rules;
  }

  /** Other rules from now on; fresh ones also look at what is there already. */
  setRules(rules: readonly LiveRule[]): void {
    this.#rules = rules;
    this.#schedule();
  }

  /** Something came in. */
  notice({ processes, connections }: Changes): void {
    for (const entity of processes) this.#pending.processes.add(entity);
    for (const id of connections) this.#pending.connections.add(id);
    if (processes.size + connections.size > 0) this.#schedule();
  }

  /** Asks the rules of these modes that look at everything there is. */
  async look(mode: 'snapshot' | 'sequence'): Promise<void> {
    await this.#inTurn(async () => {
      for (const live of this.#rules) if (live.rule.mode === mode && isEvaluated(live)) await this.#ask(live);
    });
  }

  /** Resolves when everything that came in so far has been looked at. */
  async settled(): Promise<void> {
    while (this.#isScheduled) await this.#queue;
    await this.#queue;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    void this.#inTurn(async () => {
      // A turn later: what came in together is looked at together.
      this.#isScheduled = false;
      await this.#round();
    });
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(this.#options.failed);
    await this.#queue;
  }

  async #round(): Promise<void> {
    const { volatile } = this.#options;
    const started = performance.now();
    const changes = this.#pending;
    this.#pending = noChanges();
    const incremental = this.#rules.filter((live) => live.rule.mode === 'incremental' && isEvaluated(live));
    const fresh = incremental.filter(({ isFresh }) => isFresh);
    if (fresh.length > 0) {
      volatile.setNew('all');
      for (const live of fresh) {
        live.isFresh = false;
        // A budget is for what comes in, not for all there is.
        await this.#ask(live, SECOND_CHANCE);
      }
    }
    const others = incremental.filter((live) => !fresh.includes(live));
    if (others.length > 0 && changes.processes.size + changes.connections.size > 0) {
      volatile.setNew(changes);
      for (const live of others) await this.#ask(live);
    }
    volatile.setNew(noChanges());
    this.rounds += 1;
    this.lastRoundMs = performance.now() - started;
    this.longestRoundMs = Math.max(this.longestRoundMs, this.lastRoundMs);
  }

  async #ask(live: LiveRule, times = 1): Promise<void> {
    const started = performance.now();
    try {
      const answer = await this.#answer(live, times);
      live.hits += answer.rows.length;
      if (answer.rows.length > 0) this.#options.hit(live, answer);
    } catch (error) {
      this.#failed(live, error);
    }
    const took = performance.now() - started;
    live.evaluations += 1;
    live.totalMs += took;
    live.longestMs = Math.max(live.longestMs, took);
  }

  /** Over the budget the child is killed with the rule; then the rule has one more chance, with far more time. */
  async #answer(live: LiveRule, times: number): Promise<Answer> {
    const { sandbox } = this.#options;
    const { sql, budgetMs } = live.rule;
    try {
      const answer = await sandbox.ask({ sql }, { deadlineMs: budgetMs * times });
      live.overruns = 0;
      return answer;
    } catch (error) {
      if (!(error instanceof SandboxError) || (error.code !== 'DEADLINE' && error.code !== 'CHILD_DIED')) throw error;
      if (times > 1) throw error;
      live.overruns += 1;
    }
    const answer = await sandbox.ask({ sql }, { deadlineMs: budgetMs * SECOND_CHANCE });
    if (live.overruns >= MAX_OVERRUNS) {
      this.#quarantine(live, 'DEADLINE', `it took longer than its ${budgetMs} ms ${live.overruns} times in a row`);
    }
    return answer;
  }

  #failed(live: LiveRule, error: unknown): void {
    if (!(error instanceof SandboxError)) throw error;
    const { code } = error;
    if (code === 'CLOSED' || code === 'CANCELLED') return;
    const { budgetMs } = live.rule;
    const overran = `it took longer than ${budgetMs * SECOND_CHANCE} ms; its budget is ${budgetMs} ms`;
    const reason = code === 'DEADLINE' ? overran : (REASONS[code] ?? 'the child that answers it ended twice');
    this.#quarantine(live, code, reason);
  }

  #quarantine(live: LiveRule, code: string, reason: string): void {
    live.state = 'quarantined';
    live.reason = reason;
    this.#options.quarantined(live, code, reason);
  }
}
