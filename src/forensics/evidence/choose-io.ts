import { formatDigest } from '../../core/digest.ts';
import { findTraceFlaw } from '../../core/evidence/trace-chain.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { leafOf } from '../../ledger/chain.ts';
import { parseLine } from '../../ledger/line.ts';
import { breathe } from '../../ledger/scan-io.ts';
import { isTraced, traceIdOf } from '../../ledger/traced-line.ts';
import { ForensicsError } from '../errors.ts';
import type { LogSource } from './log-source-io.ts';
import { type Selection, selectRange, TraceSelection } from './selection.ts';

/** Lines [from, to) of one log, by the name of its directory. */
export type LogRange = { readonly log: string; readonly from: number; readonly to: number };

/** A log that something is exported of. */
export type Chosen = { readonly source: LogSource; readonly selection: Selection };

const BREATHE_LINES = 4096;

/**
 * Goes through the logs and chooses what belongs to a trace.
 * @throws ForensicsError TRACE_NOT_FOUND, TRACE_NOT_WHOLE (it still runs, or a log is missing) or TRACE_LINE_UNSIGNED:
 *   what the other side would refuse is not exported; LedgerError; DurableError
 */
export async function chooseTrace(
  sources: readonly LogSource[],
  traceId: string,
  signal: AbortSignal | undefined,
): Promise<Chosen[]> {
  const choice = new TraceSelection(
    traceId,
    sources.map(({ genesis }) => genesis),
  );
  for (const source of sources) await scan(source, choice, traceId, signal);
  const shown = escapeForTerminal(traceId);
  if (choice.traced.length === 0) {
    throw new ForensicsError('TRACE_NOT_FOUND', `none of the ${sources.length} logs has a line of a trace ${shown}`);
  }
  const flaw = findTraceFlaw(choice.traced);
  if (flaw?.kind === 'open') {
    throw new ForensicsError(
      'TRACE_NOT_WHOLE',
      `the trace ${shown} has no trace.stop yet; wait for its end, or stop it`,
    );
  }
  if (flaw !== undefined) {
    const message = `the trace ${shown} is not whole in these logs (${flaw.kind} at its line ${flaw.tseq}); name all its logs`;
    throw new ForensicsError('TRACE_NOT_WHOLE', message);
  }
  const sizes = new Map(sources.map(({ genesis, reader }) => [genesis.origin, reader.size]));
  const selections = choice.finish((origin) => sizes.get(origin) ?? 0);
  return sources.flatMap((source) => {
    const selection = selections.get(source.genesis.origin);
    return selection === undefined ? [] : [{ source, selection }];
  });
}

async function scan(
  { reader, genesis, hash }: LogSource,
  choice: TraceSelection,
  traceId: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  let seen = 0;
  for await (const bytes of reader.lines()) {
    seen += 1;
    if (seen % BREATHE_LINES === 0) {
      signal?.throwIfAborted();
      await breathe();
    }
    if (!choice.concerns(bytes)) continue;
    const line = parseLine(bytes);
    if (isTraced(line) && traceIdOf(line) === traceId && line.kid === undefined) {
      const message = `line ${line.seq} of ${escapeForTerminal(genesis.origin)} is of the trace, and not signed`;
      throw new ForensicsError('TRACE_LINE_UNSIGNED', message);
    }
    choice.take(genesis, line, formatDigest(genesis.hash, leafOf(hash, bytes)));
  }
}

/**
 * Chooses all lines of ranges, at most one of each log.
 * @throws ForensicsError NOTHING_SELECTED or EXPORT_INPUT for a log that isn't there or a range outside of it
 */
export function chooseRanges(sources: readonly LogSource[], ranges: readonly LogRange[]): Chosen[] {
  if (ranges.length === 0)
    throw new ForensicsError('NOTHING_SELECTED', 'say what to export: a trace, or ranges of logs');
  return ranges.map(({ log, from, to }, i) => {
    const source = sources.find(({ place }) => place.log === log);
    if (source === undefined || ranges.findIndex((other) => other.log === log) !== i) {
      throw new ForensicsError('EXPORT_INPUT', `there is no log "${escapeForTerminal(log)}", or it is named twice`);
    }
    if (!(from >= 0 && from < to && to <= source.reader.size)) {
      const message = `[${from}, ${to}) is no range of the log ${log}, whose head covers ${source.reader.size} lines`;
      throw new ForensicsError('EXPORT_INPUT', message);
    }
    return { source, selection: selectRange(from, to) };
  });
}
