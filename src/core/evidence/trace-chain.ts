import { type Digest, sha256Digest } from '../digest.ts';
import { encodeCanonicalJson } from '../jcs.ts';

/**
 * How the lines of one trace hang together, across all logs they lie in (schemas/event.schema.json: tseq, tprev, tcount,
 * thead). The one place that says so: who writes trace lines and who judges them both come here.
 *
 * `trace.start` is line 0 of its trace. Each line names the leaf hash of the line before it; `trace.stop`, the last,
 * commits to the count of the lines before it and to the leaf of the last of them. So nobody can leave out a line of a
 * trace, in the middle or at the end, without that showing: it is what makes "all of this trace" provable.
 */

/** Where the next line of a trace attaches. A value: to take a line back, go back to an earlier one. */
export type TraceEnd = {
  readonly traceId: string;
  /** Lines so far. */
  readonly count: number;
  /** What the next line's `tprev` is. */
  readonly head: Digest;
};

/**
 * What `tprev` of `trace.start` is: the payload digest of the TraceCommand that it carries as `document`. A trace that a
 * rule started has none: there it is the SHA-256 of the canonical JSON of the line's own `data` without `tseq` and
 * `tprev`, so that two traces never begin alike.
 * @param start `data` of `trace.start`, with or without its link
 */
export function traceSeed(start: { readonly [field: string]: unknown }, command?: Digest): Digest {
  const { tseq: _, tprev: __, ...own } = start;
  return command ?? sha256Digest(encodeCanonicalJson(own));
}

/** The end of a trace without lines. @param seed as {@link traceSeed} makes it */
export function traceOpen(traceId: string, seed: Digest): TraceEnd {
  return { traceId, count: 0, head: seed };
}

/** What the next line of the trace carries in its `data`. */
export type TraceLink = { readonly trace_id: string; readonly tseq: number; readonly tprev: Digest };

export function traceLink({ traceId, count, head }: TraceEnd): TraceLink {
  return { trace_id: traceId, tseq: count, tprev: head };
}

/** The end after a line with this leaf hash (the ledger's `Appended.leaf`). */
export function traceNext(end: TraceEnd, leaf: Digest): TraceEnd {
  return { ...end, count: end.count + 1, head: leaf };
}

/** What `trace.stop` carries: its own place, and what it commits to. */
export function traceStop(end: TraceEnd): TraceLink & { readonly tcount: number; readonly thead: Digest } {
  return { ...traceLink(end), tcount: end.count, thead: end.head };
}

/** A line of a trace, as far as its links go. */
export type TracedLine = {
  readonly type: string;
  readonly leaf: Digest;
  readonly link: TraceLink;
  /** On `trace.stop`. */
  readonly tcount?: number;
  readonly thead?: string;
  /** On `trace.start`: what its `tprev` must be. */
  readonly seed?: Digest;
};

export type TraceFlaw = {
  /**
   * - `missing`: no line has this tseq; `repeated`: two have it
   * - `order`: the first is no `trace.start`, or a later one is, or something follows `trace.stop`
   * - `link`: the line was written after another one than the one that is there
   * - `open`: there is no `trace.stop` after the last line
   * - `commitment`: `trace.stop` commits to another count or head
   */
  readonly kind: 'missing' | 'repeated' | 'order' | 'link' | 'open' | 'commitment';
  readonly tseq: number;
};

/**
 * Whether these are all the lines of one trace, from `trace.start` to `trace.stop`.
 * @param lines of one trace_id, in any order, from all logs that hold some
 * @returns the first flaw along the trace; undefined when it is whole
 */
export function findTraceFlaw(lines: readonly TracedLine[]): TraceFlaw | undefined {
  const sorted = [...lines].sort((a, b) => a.link.tseq - b.link.tseq);
  const [first] = sorted;
  if (first === undefined) return { kind: 'missing', tseq: 0 };
  // Without a seed it is no trace.start, which is found before its link is looked at.
  let end = traceOpen(first.link.trace_id, first.seed ?? first.leaf);
  for (const line of sorted) {
    const flaw = flawOf(line, end, line === sorted.at(-1));
    if (flaw !== undefined) return { kind: flaw, tseq: flaw === 'missing' ? end.count : line.link.tseq };
    end = traceNext(end, line.leaf);
  }
  return undefined;
}

function flawOf(line: TracedLine, end: TraceEnd, isLast: boolean): TraceFlaw['kind'] | undefined {
  const { type, link, tcount, thead } = line;
  if (link.tseq > end.count) return 'missing';
  if (link.tseq < end.count) return 'repeated';
  if ((type === 'trace.start') !== (end.count === 0)) return 'order';
  if (link.tprev !== end.head) return 'link';
  if (type !== 'trace.stop') return isLast ? 'open' : undefined;
  if (!isLast) return 'order';
  return tcount === end.count && thead === end.head ? undefined : 'commitment';
}
