/** Magic values of the agent: its files, its windows, its caps. */

export const AGENT = 'agent';
export const PROCMOND = 'procmond';

/** PRAGMA user_version of events.db. A store of the next version still opens: bundles, and with them programs, roll back. */
export const STORE_VERSION = 1;
/** Age at which rows leave the event store; the logs keep their lines. */
export const STORE_AGE_MS = 30 * 86_400_000;
export const STORE_BYTES = 512 * 1024 * 1024;

/** For so long after its end a process, with its arguments in clear, stays before the detector. */
export const CLEAR_WINDOW_MS = 10 * 60_000;
/** Lines from before the agent began that rules still look at. */
export const MAX_MISSED = 20_000;
/** Of the volatile store: it lies in memory, which on many machines has only 64 MiB for such files. */
export const VOLATILE_BYTES = 48 * 1024 * 1024;
/** Characters of one process' arguments that rules see. */
export const MAX_COMMAND_LINE = 32 * 1024;

/** Rules of mode snapshot and sequence. */
export const SNAPSHOT_MS = 30_000;
export const SEQUENCE_MS = 2000;
/** A rule over its budget is asked once more with so many times as much: a slow moment of the machine is not its fault. */
export const SECOND_CHANCE = 20;
/** Budgets are processor time. So much longer than that, and at least so long, a rule may wait for a processor. */
export const PATIENCE = 4;
export const PATIENCE_MS = 2000;
/** How often a rule is asked again that got no processor. */
export const STARVED_TRIES = 2;
/** Overruns in a row that only the second chance saved. */
export const MAX_OVERRUNS = 3;

export const QUERY_DEADLINE_MS = 5000;

/** What a trace that a rule asked for may take. */
export const TRACE_EVENTS = 10_000;
export const TRACE_BYTES = 16 * 1024 * 1024;
/** Traces at a time (procmond bears as many), and how many rules may start in an hour. */
export const MAX_ACTIVE_TRACES = 8;
/** Of those, on processes that ran before anybody watched: they must not take the places of what happens now. */
export const MAX_OLD_TRACES = 1;
export const MAX_TRACES_PER_HOUR = 30;

/** How often a count of repeated hits goes into the log. */
export const REPEAT_MS = 5000;
export const ANCHOR_MS = 60_000;
export const PRUNE_MS = 60_000;
export const RELOAD_MS = 2000;
export const ROOM_MS = 1000;

/** Waiting before a collector is started again: doubled each time, forgotten after it ran well. */
export const FIRST_BACKOFF_MS = 250;
export const LAST_BACKOFF_MS = 30_000;
export const GOOD_RUN_MS = 60_000;
export const HELLO_MS = 20_000;
export const ANSWER_MS = 10_000;
export const STOP_MS = 5000;
