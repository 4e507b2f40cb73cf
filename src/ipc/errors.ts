import { DaemonEyeError } from '../core/errors.ts';

export type IpcErrorCode =
  // frames
  | 'FRAME_TOO_LARGE'
  | 'FRAME_MALFORMED'
  | 'FRAME_TRUNCATED'
  // messages
  | 'MESSAGE_MALFORMED'
  | 'MESSAGE_UNEXPECTED'
  // the stream and the process behind it
  | 'CHANNEL_CLOSED'
  | 'NO_ANSWER'
  | 'LAUNCH_OPTIONS'
  | 'SPAWN_FAILED';

/** Anything that goes wrong between a collector and the agent. */
export class IpcError extends DaemonEyeError<IpcErrorCode> {}
