import type { Digest } from '../../core/digest.ts';
import type { TracedLine } from '../../core/evidence/trace-chain.ts';
import { isJsonObject, type Json } from '../../core/strict-json.ts';
import type { Line } from '../../ledger/line.ts';
import { isTraced, tracedLineOf, traceIdOf } from '../../ledger/traced-line.ts';

/** What of one log goes into a package: the range [from, to), and the lines of it that are shown, ascending. */
export type Selection = { readonly from: number; readonly to: number; readonly shown: readonly number[] };

/** Lines that say what could be seen at the time, and what could not: shown wherever they fall into a range. */
const CONTEXT: readonly string[] = ['collector.start', 'collector.stop', 'collector.gap', 'log.recovery', 'clock.jump'];
const COLLECTOR_START = 'collector.start';
const ALERT_RAISED = 'alert.raised';
const BUNDLE_APPLIED = 'bundle.applied';

/** Which log a line is of. */
export type LogIdentity = { readonly host: string; readonly origin: string };

type LogNotes = LogIdentity & {
  readonly own: Set<number>;
  readonly context: { readonly seq: number; readonly type: string }[];
  /** Lines `bundle.applied`, by the bundle's payload. */
  readonly bundles: Map<string, number>;
};

/**
 * Chooses what belongs to a trace, over all logs, in one pass over each: its lines, the alerts that started it, the
 * lines those alerts rest on, and the `bundle.applied` that delivered the rule. Around them the range reaches back to
 * the `collector.start` before the first, and shows what the collector could not see; everything else is withheld.
 */
export class TraceSelection {
  readonly #traceId: string;
  readonly #needles: readonly Uint8Array[];
  readonly #logs = new Map<string, LogNotes>();
  readonly #evidence: { readonly origin: string; readonly seq: number }[] = [];
  /** Host and payload: another host has the same bundle for reasons of its own. */
  readonly #delivered = new Set<string>();
  readonly traced: TracedLine[] = [];

  constructor(traceId: string, logs: readonly LogIdentity[]) {
    this.#traceId = traceId;
    for (const log of logs) this.#notes(log);
    const texts = [JSON.stringify(traceId), ...[...CONTEXT, BUNDLE_APPLIED].map((type) => `"type":"${type}"`)];
    this.#needles = texts.map((text) => Buffer.from(text));
  }

  /** Whether a line can matter at all; most can't, and needn't be parsed. Lines are canonical, so bytes tell. */
  concerns(bytes: Uint8Array): boolean {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.#needles.some((needle) => buffer.includes(needle));
  }

  /** @param log the line is of; lines of one log come in order */
  take(log: LogIdentity, line: Line, leaf: Digest): void {
    const { seq, type, data } = line;
    const notes = this.#notes(log);
    if (CONTEXT.includes(type)) notes.context.push({ seq, type });
    if (traceIdOf(line) === this.#traceId) {
      const traced = isTraced(line) ? tracedLineOf(line, leaf) : undefined;
      if (traced !== undefined) this.traced.push(traced);
      notes.own.add(seq);
    }
    if (type === BUNDLE_APPLIED && typeof data['payload'] === 'string') notes.bundles.set(data['payload'], seq);
    if (type === ALERT_RAISED && data['started_trace'] === this.#traceId) {
      notes.own.add(seq);
      if (typeof data['bundle'] === 'string') this.#delivered.add(`${log.host} ${data['bundle']}`);
      this.#evidence.push(...referencesIn(data['evidence']));
    }
  }

  /**
   * @param sizeOf lines that each log has; a log that is not exported has none
   * @returns by origin; a log of which nothing belongs to the trace is left out
   */
  finish(sizeOf: (origin: string) => number): ReadonlyMap<string, Selection> {
    for (const { origin, seq } of this.#evidence) if (seq < sizeOf(origin)) this.#logs.get(origin)?.own.add(seq);
    const selections = new Map<string, Selection>();
    for (const [origin, notes] of this.#logs) {
      for (const [payload, seq] of notes.bundles)
        if (this.#delivered.has(`${notes.host} ${payload}`)) notes.own.add(seq);
      if (notes.own.size > 0) selections.set(origin, select(notes));
    }
    return selections;
  }

  #notes({ host, origin }: LogIdentity): LogNotes {
    const known = this.#logs.get(origin) ?? { host, origin, own: new Set(), context: [], bundles: new Map() };
    this.#logs.set(origin, known);
    return known;
  }
}

function select({ own, context }: LogNotes): Selection {
  const ascending = [...own].sort((a, b) => a - b);
  const first = ascending[0] ?? 0;
  const to = (ascending.at(-1) ?? first) + 1;
  const from = context.findLast(({ seq, type }) => type === COLLECTOR_START && seq < first)?.seq ?? first;
  const around = context.filter(({ seq }) => seq >= from && seq < to).map(({ seq }) => seq);
  const shown = [...new Set([...own, ...around])].sort((a, b) => a - b);
  return { from, to, shown };
}

/** Every line of a range, without exception. */
export function selectRange(from: number, to: number): Selection {
  return { from, to, shown: Array.from({ length: to - from }, (_, i) => from + i) };
}

function referencesIn(evidence: Json | undefined): { origin: string; seq: number }[] {
  if (!Array.isArray(evidence)) return [];
  return (evidence as readonly Json[]).flatMap((reference) => {
    if (!isJsonObject(reference)) return [];
    const { origin, seq } = reference as { origin?: Json; seq?: Json };
    return typeof origin === 'string' && typeof seq === 'number' && seq >= 0 ? [{ origin, seq }] : [];
  });
}
