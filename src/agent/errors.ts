import { DaemonEyeError } from '../core/errors.ts';

export type AgentErrorCode =
  /** Another agent works on this data directory. */
  | 'AGENT_RUNNING'
  /** Nobody answers on the socket. */
  | 'AGENT_NOT_RUNNING'
  /** What came over the socket is not of its protocol. */
  | 'CONTROL_PROTOCOL'
  | 'CONTROL_UNAVAILABLE'
  /** The event store is of another time, or damaged. */
  | 'STORE_VERSION'
  | 'STORE_DAMAGED'
  | 'NO_SUCH_ALERT'
  /** A collector is not the one it should be, or does not answer. */
  | 'COLLECTOR'
  /** The file that alerts go to can't be written. */
  | 'SINK';

/** Anything that keeps the agent, or those who ask it, from their work. */
export class AgentError extends DaemonEyeError<AgentErrorCode> {}
