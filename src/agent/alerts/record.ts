import type { AlertRaisedData } from '../../core/event-data.ts';
import type { Line } from '../../ledger/line.ts';

/** An alert as people and sinks get it: what the agent's log says of it, and what follows from that. Masks only. */
export type AlertRecord = AlertRaisedData & {
  /** Unix milliseconds. */
  readonly ts: number;
  readonly time: string;
  readonly log_origin: string;
  readonly event_sequence: number;
  /** From the start of the process' program to the alert; absent for one that ran before anybody watched. */
  readonly latency_ms?: number;
  readonly count: number;
  readonly state: string;
};

/** @param seen when the program of its process started */
export function alertRecord(
  line: Line,
  origin: string,
  seen: { readonly since: number | undefined } | undefined,
): AlertRecord {
  // The start of a process is told in ticks of 10 ms, from a boot time that is computed: it may seem to lie ahead.
  const latency = seen?.since === undefined ? undefined : Math.max(0, line.ts - seen.since);
  return {
    ...(line.data as unknown as AlertRaisedData),
    ts: line.ts,
    time: new Date(line.ts).toISOString(),
    log_origin: origin,
    event_sequence: line.seq,
    ...(latency === undefined ? {} : { latency_ms: latency }),
    count: 1,
    state: 'open',
  };
}
