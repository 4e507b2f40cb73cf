import { findTraceFlaw, type TraceFlaw } from '../../core/evidence/trace-chain.ts';
import { count } from '../../core/wording.ts';
import { untrusted } from '../errors.ts';
import type { LogAudit } from './log-audit.ts';

const WORDS: Readonly<Record<TraceFlaw['kind'], string>> = {
  missing: 'is missing',
  repeated: 'is there twice',
  order: 'stands where its type does not belong',
  link: 'was written after another line than the one that is there',
  open: 'is the last, and no trace.stop follows it',
  commitment: 'is trace.stop, and commits to another count or head than there is',
};

/**
 * Where the package claims a whole trace: all of it is there, from `trace.start` to `trace.stop`, over all logs.
 * @throws ForensicsError TRACE_NOT_WHOLE
 */
export function checkTrace(trace: string | undefined, audits: readonly LogAudit[]): string {
  if (trace === undefined) return 'the package claims no whole trace: nothing is said about what else a trace has';
  const lines = audits.flatMap(({ traced }) => traced);
  const flaw = findTraceFlaw(lines);
  if (flaw !== undefined) {
    throw untrusted('TRACE_NOT_WHOLE', `the trace ${trace} is not whole: its line ${flaw.tseq} ${WORDS[flaw.kind]}`);
  }
  return `the trace ${trace} is whole: ${count(lines.length, 'line')}, each after the one before, as trace.stop commits`;
}
