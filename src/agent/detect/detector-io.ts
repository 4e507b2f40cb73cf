import { SandboxError, type SandboxErrorCode } from '../../sandbox/errors.ts';
import type { Answer } from '../../sandbox/protocol.ts';
import type { Asked, Outcome, Sandbox } from '../../sandbox/sandbox-io.ts';
import { MAX_OVERRUNS, PATIENCE, PATIENCE_MS, SECOND_CHANCE, STARVED_TRIES } from '../format.ts';
import { type Changes, noChanges } from '../store/fold-io.ts';
import type { VolatileStore } from '../store/volatile-io.ts';
import { isConcerned, isEvaluated, type LiveRule } from './live-rule.ts';

export type DetectorOptions = {
  readonly volatile: VolatileStore;
  /** Over the volatile store, read-only. */
  readonly sandbox: Sandbox;
  /** A rule hit; called before the next rule is asked. */
  readonly hit: (live: LiveRule, answer: Answer) => void;
  readonly quarantined: (live: LiveRule, code: string, reason: string) => void;
  /** Rules were not asked about what came in, through no fault of theirs. */
  readonly missed: (rules: readonly LiveRule[]) => void;
  /** A mistake of ours, or a store that can't be written. */
  readonly failed: (error: unknown) => void;
};

/** The rule is asked once more. */
const TOO_SLOW: readonly string[] = ['DEADLINE', 'CHILD_DIED', 'STARVED'] satisfies SandboxErrorCode[];

/** Not believed beyond its code: a child that was taken over could put a secret into its message. */
const REASONS: Readonly<Partial<Record<SandboxErrorCode, string>>> = {
  SQL_REFUSED: 'it asks for something that no rule may have',
  SQL_ERROR: 'its SQL failed on the live tables',
  MEMORY: 'it needs more memory than a rule may have',
  TOO_MANY_ROWS: 'its answer has too many rows',
  ANSWER_TOO_LARGE: 'its answer is too large',
};

/**
 * Asks the rules, all of a round at once, in the child that can be killed. Incremental ones on each batch that came in,
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
    await this.#inTurn(() => this.#ask(this.#rules.filter(({ rule }) => rule.mode === mode)));
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
    while (volatile.setEarlier()) await this.#ask(incremental);
    const fresh = incremental.filter(({ isFresh }) => isFresh);
    if (fresh.length > 0) {
      volatile.setNew('all');
      for (const live of fresh) live.isFresh = false;
      // A budget is for what comes in, not for all there is.
      await this.#ask(fresh, SECOND_CHANCE);
    }
    // Also with nobody to ask: it has been looked at.
    volatile.setNew(changes);
    await this.#ask(incremental.filter((live) => !fresh.includes(live) && isConcerned(live, changes)));
    volatile.setNew(noChanges());
    this.rounds += 1;
    this.lastRoundMs = performance.now() - started;
    this.longestRoundMs = Math.max(this.longestRoundMs, this.lastRoundMs);
  }

  /** @param times their budgets */
  async #ask(all: readonly LiveRule[], times = 1): Promise<void> {
    const rules = all.filter(isEvaluated);
    if (rules.length === 0) return;
    const slow: [LiveRule, SandboxError][] = [];
    let done = 0;
    try {
      await this.#options.sandbox.askEach(
        rules.map((live) => asked(live, times)),
        (at, outcome) => {
          const live = rules[at];
          if (live === undefined) return;
          done = at + 1;
          if ('error' in outcome && TOO_SLOW.includes(outcome.error.code)) slow.push([live, outcome.error]);
          this.#take(live, outcome, times);
        },
      );
    } catch (error) {
      this.#noChild(rules.slice(done), error);
    }
    for (const [live, error] of slow) await this.#askAgain(live, error, times);
  }

  #take(live: LiveRule, outcome: Outcome, times: number): void {
    live.evaluations += 1;
    live.totalMs += outcome.ms;
    live.longestMs = Math.max(live.longestMs, outcome.ms);
    if ('answer' in outcome) {
      if (times === 1) live.overruns = 0;
      live.hits += outcome.answer.rows.length;
      if (outcome.answer.rows.length > 0) this.#options.hit(live, outcome.answer);
    } else if (!TOO_SLOW.includes(outcome.error.code)) this.#failed(live, outcome.error);
  }

  /** Over the budget the child is killed with the rule; then the rule has one more chance, with far more time. */
  async #askAgain(live: LiveRule, first: SandboxError, times: number): Promise<void> {
    if (first.code !== 'STARVED') {
      if (times > 1) return this.#failed(live, first);
      live.overruns += 1;
    }
    const overruns = live.overruns;
    for (let tries = 0; tries < STARVED_TRIES; tries += 1) {
      const outcomes: Outcome[] = [];
      try {
        await this.#options.sandbox.askEach([asked(live, SECOND_CHANCE)], (_, outcome) => outcomes.push(outcome));
      } catch (error) {
        return this.#noChild([live], error);
      }
      const [outcome] = outcomes;
      if (outcome === undefined) return;
      if ('error' in outcome && outcome.error.code === 'STARVED') continue;
      this.#take(live, outcome, SECOND_CHANCE);
      if ('error' in outcome) {
        if (TOO_SLOW.includes(outcome.error.code)) this.#failed(live, outcome.error);
      } else if (overruns >= MAX_OVERRUNS) {
        const { budgetMs } = live.rule;
        this.#quarantine(live, 'DEADLINE', `it took longer than its ${budgetMs} ms ${overruns} times in a row`);
      }
      return;
    }
    this.#missed([live]);
  }

  /** There is no child to ask. */
  #noChild(rules: readonly LiveRule[], error: unknown): void {
    if (!(error instanceof SandboxError)) throw error;
    if (error.code !== 'CLOSED' && rules.length > 0) this.#missed(rules);
  }

  /** Next time they are asked about everything. */
  #missed(rules: readonly LiveRule[]): void {
    for (const live of rules) live.isFresh = true;
    this.#options.missed(rules);
  }

  #failed(live: LiveRule, { code }: SandboxError): void {
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

function asked({ rule: { sql, budgetMs } }: LiveRule, times: number): Asked {
  const deadlineMs = budgetMs * times;
  return { sql, deadlineMs, patienceMs: Math.max(deadlineMs * PATIENCE, PATIENCE_MS) };
}
