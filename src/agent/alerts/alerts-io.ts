import { randomUUID } from 'node:crypto';
import type { AlertRaisedData, LineReference } from '../../core/event-data.ts';
import type { Answer, Cell } from '../../sandbox/protocol.ts';
import type { AgentLog } from '../agent-log-io.ts';
import { HitNames } from '../detect/dedup.ts';
import type { LiveRule } from '../detect/live-rule.ts';
import { readsSecrets, type ShownRow, shownRow } from '../detect/shown.ts';
import { REPEAT_MS } from '../format.ts';
import type { EventStore, ProcessBrief } from '../store/event-store-io.ts';
import type { VolatileStore } from '../store/volatile-io.ts';
import type { AlertRecord } from './record.ts';

export type AlertsOptions = {
  readonly log: AgentLog;
  readonly store: EventStore;
  readonly volatile: VolatileStore;
  readonly now: () => number;
  /** Decides on a trace of the process, if the rule asks for one. @returns its id */
  readonly planTrace: (live: LiveRule, process: ProcessBrief) => string | undefined;
  /** The alert is durable: start the trace, tell the sinks. */
  readonly raised: (record: AlertRecord, live: LiveRule) => void;
  readonly failed: (error: unknown) => void;
};

type Window = {
  readonly alertId: Promise<string>;
  readonly until: number;
  count: number;
  told: number;
  readonly rows: Set<string>;
};

/** Rows of one alert that are remembered, to tell another hit from the same one seen again. */
const MAX_ROWS = 256;
const MAX_FIELDS = 64;
const MAX_TEXT = 8192;

/** From hits to alerts: the first of a kind is raised, those that follow in its window are counted. */
export class Alerts {
  readonly #options: AlertsOptions;
  readonly #names = new HitNames();
  readonly #windows = new Map<string, Window>();
  readonly #working = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  raised = 0;
  repeated = 0;

  constructor(options: AlertsOptions) {
    this.#options = options;
  }

  /** Never throws; what goes wrong is told to `failed`. */
  hit(live: LiveRule, answer: Answer): void {
    const hasSecrets = readsSecrets(answer.reads);
    const holds = this.#options.store.holds.bind(this.#options.store);
    for (const cells of answer.rows) {
      const row = cells.map(wellFormed);
      const shown = shownRow(answer, row, hasSecrets, holds);
      const key = this.#names.keyOf(live.rule, answer, row, shown);
      this.#count(live, key, this.#names.rowOf(row), shown);
    }
  }

  /** Writes the counts that were not written yet, and waits for all that is on its way. */
  async settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await Promise.all(this.#working);
    await this.#tellRepeats();
  }

  #count(live: LiveRule, key: string, row: string, shown: ShownRow): void {
    const now = this.#options.now();
    const name = `${live.rule.id} ${key}`;
    const window = this.#windows.get(name) ?? this.#remembered(live, key);
    if (window === undefined || window.until <= now) {
      this.#windows.set(name, this.#open(live, key, row, shown, now));
      return;
    }
    this.#windows.set(name, window);
    if (window.rows.has(row)) return;
    if (window.rows.size < MAX_ROWS) window.rows.add(row);
    window.count += 1;
    this.repeated += 1;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#work(this.#tellRepeats());
    }, REPEAT_MS).unref();
  }

  /** A window that was opened before this agent was started. */
  #remembered({ rule }: LiveRule, key: string): Window | undefined {
    const window = this.#options.store.window(rule.id, key);
    if (window === undefined) return undefined;
    const { alertId, raised, count } = window;
    return {
      alertId: Promise.resolve(alertId),
      until: raised + rule.dedup.windowMs,
      count,
      told: count,
      rows: new Set(),
    };
  }

  #open(live: LiveRule, key: string, row: string, shown: ShownRow, now: number): Window {
    const raising = this.#raise(live, key, shown);
    this.#work(raising.then(() => undefined));
    return { alertId: raising, until: now + live.rule.dedup.windowMs, count: 1, told: 1, rows: new Set([row]) };
  }

  async #raise(live: LiveRule, key: string, shown: ShownRow): Promise<string> {
    const { log, store, planTrace, raised } = this.#options;
    const { rule } = live;
    const named = shown['entity'];
    const process = typeof named === 'string' ? store.process(named) : undefined;
    const trace = process === undefined ? undefined : planTrace(live, process);
    const missing = [...live.missing, ...this.#lacking(live, process)];
    const data: AlertRaisedData = {
      alert_id: randomUUID(),
      rule_id: rule.id,
      rule_version: rule.version,
      rule_name: rule.name.slice(0, 256),
      rule_severity: rule.severity,
      bundle: live.source.payload,
      threats: rule.attack.slice(0, 16),
      completeness: missing.length === 0 ? 'full' : 'partial',
      ...(missing.length === 0 ? {} : { missing: missing.slice(0, 32) }),
      dedup_key: key,
      ...subjectOf(process),
      fields: fieldsOf(shown),
      evidence: this.#evidence(live, process),
      ...(trace === undefined ? {} : { started_trace: trace }),
    };
    await log.append('alert.raised', data);
    this.raised += 1;
    const record = store.alert(data.alert_id);
    if (record !== undefined) raised(record, live);
    return data.alert_id;
  }

  #lacking({ rule }: LiveRule, process: ProcessBrief | undefined): readonly string[] {
    const needs = rule.requires.capability.includes('arguments');
    if (!needs || process === undefined || !this.#options.volatile.lacksArguments(process.entity)) return [];
    return ['the arguments of this process'];
  }

  /** The lines it rests on: what told of the process, of its parent, of its newest connection. */
  #evidence({ rule }: LiveRule, process: ProcessBrief | undefined): readonly LineReference[] {
    if (process === undefined) return [];
    const { store } = this.#options;
    const readsConnections = rule.requires.tables.some((name) => name.includes('connection'));
    const found = [
      store.seenAt(process.entity),
      store.seenAt(process.parent_entity),
      readsConnections ? store.connectionAt(process.entity) : undefined,
    ];
    return found.flatMap((line) => (line === undefined ? [] : [{ origin: line.origin, seq: line.seq }]));
  }

  async #tellRepeats(): Promise<void> {
    const now = this.#options.now();
    for (const [name, window] of this.#windows) {
      const { count, told } = window;
      if (count > told) {
        window.told = count;
        await this.#options.log.append('alert.repeated', { alert_id: await window.alertId, count });
      }
      if (window.until <= now) this.#windows.delete(name);
    }
  }

  #work(work: Promise<void>): void {
    const guarded = work.catch(this.#options.failed).finally(() => this.#working.delete(guarded));
    this.#working.add(guarded);
  }
}

function wellFormed(cell: Cell): Cell {
  if (typeof cell === 'string') return cell.toWellFormed();
  return typeof cell === 'number' && !Number.isSafeInteger(cell) ? String(cell) : cell;
}

function subjectOf(process: ProcessBrief | undefined) {
  if (process === undefined) return {};
  const { entity, process_pid, process_name } = process;
  return { entity, process_pid, ...(process_name === null ? {} : { process_name }) };
}

function fieldsOf(shown: ShownRow): ShownRow {
  const entries = Object.entries(shown).slice(0, MAX_FIELDS);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? value.slice(0, MAX_TEXT).toWellFormed() : value]),
  );
}
