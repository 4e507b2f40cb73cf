import { findTraceFlaw, type TracedLine, type TraceFlaw } from '../core/evidence/trace-chain.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { count } from '../core/wording.ts';
import { LedgerError } from './errors.ts';

const WORDS: Readonly<Record<TraceFlaw['kind'], string>> = {
  missing: 'is missing',
  repeated: 'is there twice',
  order: 'stands where its type does not belong',
  link: 'was written after another line than the one that is there',
  open: 'is the last, and no trace.stop follows it',
  commitment: 'is trace.stop, and commits to another count or head than there is',
};

/**
 * All of a trace is there, from `trace.start` to `trace.stop`: so none of its lines is among those withheld.
 * @param lines of this trace, from all logs that hold some
 * @throws LedgerError TRACE_NOT_WHOLE
 */
export function checkTrace(trace: string, lines: readonly TracedLine[]): string {
  const flaw = findTraceFlaw(lines);
  const name = escapeForTerminal(trace);
  if (flaw !== undefined) {
    const message = `the trace ${name} is not whole: its line ${flaw.tseq} ${WORDS[flaw.kind]}`;
    throw new LedgerError('TRACE_NOT_WHOLE', message, { fault: 'untrusted' });
  }
  return `the trace ${name} is whole: ${count(lines.length, 'line')}, each after the one before, as trace.stop commits`;
}
