import { DaemonEyeError, messageOf } from '../../core/errors.ts';
import type { Time } from '../../core/time.ts';
import { type RevokedBundle, sayRevoked } from '../../install/standing.ts';
import { SandboxError } from '../../sandbox/errors.ts';
import { createSandbox, type Sandbox } from '../../sandbox/sandbox-io.ts';
import type { AgentLog } from '../agent-log-io.ts';
import { type ActiveRules, activeHint, readActiveBundles } from './active-rules-io.ts';
import type { Detector } from './detector-io.ts';
import { isEvaluated, type LiveRule, missingFor } from './live-rule.ts';

export type RuleKeeperOptions = {
  readonly data: string;
  readonly builtAt: Time;
  readonly detector: Detector;
  readonly log: AgentLog;
  readonly hasClear: boolean;
  /** Something a person should know now. */
  readonly note: (text: string) => void;
};

const MAX_REASON = 1024;

/** Brings the active bundles' rules to the detector, and writes down which of them don't do their work here. */
export class RuleKeeper {
  readonly #options: RuleKeeperOptions;
  #rejected: ActiveRules['rejected'] = [];
  #hint: string | undefined;
  #loading: Promise<void> = Promise.resolve();
  /** What collectors announced; nothing is degraded before the first did. */
  #capabilities: readonly string[] | undefined;
  #revoked: readonly RevokedBundle[] = [];
  #failure: string | undefined;
  loads = 0;

  constructor(options: RuleKeeperOptions) {
    this.#options = options;
  }

  /** Why rules of a bundle are not live, if so. Those that were stay when the newest fails, but not when revoked. */
  get trouble(): string | undefined {
    const troubles = [...this.#revoked.map(sayRevoked), ...(this.#failure === undefined ? [] : [this.#failure])];
    return troubles.length === 0 ? undefined : troubles.join('; ');
  }

  get rejected(): ActiveRules['rejected'] {
    return this.#rejected;
  }

  /** Loads when another bundle was made active since, or a newer trust root was pinned. */
  async check(): Promise<void> {
    if (activeHint(this.#options.data) !== this.#hint) await this.load();
  }

  /** Loads the rules of what is active now. Never throws for what is wrong with a bundle: that is told and logged. */
  load(): Promise<void> {
    this.#loading = this.#loading.catch(() => undefined).then(() => this.#load());
    return this.#loading;
  }

  /** A collector announced what it sees. */
  async review(capabilities: readonly string[]): Promise<void> {
    this.#capabilities = capabilities;
    for (const live of this.#options.detector.rules) await this.#reviewRule(live);
  }

  /** For the detector to call. */
  async quarantined({ rule }: LiveRule, code: string, reason: string): Promise<void> {
    const data = { rule_id: rule.id, rule_version: rule.version, code, reason: reason.slice(0, MAX_REASON) };
    await this.#options.log.append('alert.rule-quarantined', data);
  }

  async #load(): Promise<void> {
    const { data, builtAt, detector } = this.#options;
    this.#hint = activeHint(data);
    let active: ActiveRules;
    try {
      const bundles = await readActiveBundles(data, builtAt);
      // At once, and whatever becomes of the others.
      detector.setRules(detector.rules.filter(({ source }) => !bundles.isRevoked(source)));
      await this.#tellRevoked(bundles.revoked);
      await using sandbox = createSandbox();
      await assertAnswering(sandbox);
      active = await bundles.read(sandbox);
    } catch (error) {
      if (!(error instanceof DaemonEyeError)) throw error;
      // No fault of the rules: it is tried again.
      if (error instanceof SandboxError) this.#hint = undefined;
      await this.#refused(error);
      return;
    }
    this.#failure = undefined;
    this.loads += 1;
    const before = new Map(detector.rules.map((live) => [live.rule.id, live]));
    const live = active.live.map((fresh) => keep(before.get(fresh.rule.id), fresh));
    await this.#tellRejected(active.rejected);
    for (const one of live) await this.#reviewRule(one);
    detector.setRules(live);
  }

  async #tellRevoked(revoked: readonly RevokedBundle[]): Promise<void> {
    const told = new Set(this.#revoked.map(sayRevoked));
    this.#revoked = revoked;
    for (const one of revoked) {
      if (told.has(sayRevoked(one))) continue;
      this.#options.note(sayRevoked(one));
      const { channel, seq, payload, code, reason } = one;
      await this.#options.log.append('bundle.refused', { check: 'revocation', code, reason, channel, seq, payload });
    }
  }

  async #refused(error: DaemonEyeError): Promise<void> {
    const reason = messageOf(error);
    if (this.#failure === reason) return;
    this.#failure = reason;
    await this.#options.log.append('bundle.refused', {
      check: 'content',
      code: error.code,
      reason: reason.slice(0, MAX_REASON),
    });
  }

  async #tellRejected(rejected: ActiveRules['rejected']): Promise<void> {
    const told = new Set(this.#rejected.map(({ path, source }) => `${source.payload} ${path}`));
    for (const { id, path, code = 'RULE_TEST', reason, source } of rejected) {
      if (told.has(`${source.payload} ${path}`)) continue;
      const named = id ?? 'unreadable';
      await this.#options.log.append('alert.rule-quarantined', {
        rule_id: named,
        code,
        reason: `${path}: ${reason}`.slice(0, MAX_REASON),
      });
    }
    this.#rejected = rejected;
  }

  async #reviewRule(live: LiveRule): Promise<void> {
    if (this.#capabilities === undefined || !isEvaluated(live)) return;
    const { rule } = live;
    const missing = missingFor(rule, this.#capabilities, this.#options.hasClear);
    if (missing.join() === live.missing.join()) return;
    live.missing = missing;
    live.state = missing.length === 0 ? 'active' : 'degraded';
    await this.#options.log.append('alert.rule-degraded', {
      rule_id: rule.id,
      rule_version: rule.version,
      missing: missing.slice(0, 32),
    });
  }
}

/** A child that doesn't start on a busy machine says nothing about the rules. @throws SandboxError */
async function assertAnswering(sandbox: Sandbox): Promise<void> {
  await sandbox.ask({ sql: 'SELECT 1' });
}

/** The very same rule goes on as it was, a quarantine included; only where it came from is new. */
function keep(before: LiveRule | undefined, fresh: LiveRule): LiveRule {
  return before?.rule.digest === fresh.rule.digest ? Object.assign(before, { source: fresh.source }) : fresh;
}
