import { DaemonEyeError } from '../core/errors.ts';

export type LedgerErrorCode =
  // opening
  | 'LEDGER_EXISTS'
  | 'LEDGER_NOT_FOUND'
  | 'GENESIS_MALFORMED'
  | 'GENESIS_SIGNATURE'
  | 'WRONG_KEY'
  | 'TAMPERED'
  | 'HASH_UNAVAILABLE'
  // writing
  | 'LEDGER_STOPPED'
  | 'LEDGER_CLOSED'
  | 'LEDGER_BUSY'
  // lines
  | 'LINE_MALFORMED'
  | 'LINE_TOO_LONG'
  | 'LINE_SEQUENCE'
  | 'LINE_CHAIN'
  | 'LINE_CHANGED'
  | 'LINE_SIGNATURE'
  | 'SIGNER_UNKNOWN'
  // verifying
  | 'KEY_NOT_GIVEN'
  | 'HEAD_FORK'
  | 'LINES_MISSING'
  | 'LINE_SURPLUS'
  | 'FILE_SURPLUS'
  | 'FILE_UNREADABLE'
  | 'ROOT_MISMATCH'
  | 'TREE_MISMATCH'
  | 'HISTORY_MISSING'
  | 'HISTORY_MALFORMED'
  | 'HISTORY_ORDER'
  | 'HISTORY_AHEAD'
  | 'HISTORY_MISMATCH'
  | 'CLOCK_UNRECORDED'
  | 'ANCHOR_ORIGIN'
  | 'ANCHOR_AHEAD'
  | 'ANCHOR_MISMATCH'
  // reading
  | 'NO_SUCH_ENTRY'
  | 'NO_CHECKPOINT'
  | 'TREE_DAMAGED'
  // exporting
  | 'EXPORT_HASH'
  | 'EXPORT_EXISTS'
  // witnessing
  | 'WITNESS_EXISTS'
  | 'WITNESS_NOT_FOUND'
  | 'WITNESS_STATE'
  | 'WITNESS_NAME'
  | 'WITNESS_FINGERPRINT'
  | 'WITNESS_LOG_KNOWN'
  | 'WITNESS_LOG_UNKNOWN'
  | 'WITNESS_CLOCK'
  | 'WITNESS_ROLLBACK'
  | 'WITNESS_FORK'
  | 'WITNESS_STALE'
  | 'WITNESS_INCONSISTENT'
  | 'WITNESS_NOT_ADMITTED'
  | 'REQUEST_MALFORMED'
  | 'COSIGNATURE_AHEAD'
  | 'COSIGNED_ELSEWHERE'
  | 'COSIGNED_DAMAGED'
  // carrying by QR
  | 'QR_TOO_LONG'
  | 'QR_MALFORMED'
  | 'QR_MIXED'
  | 'QR_INCOMPLETE'
  | 'QR_UNREADABLE'
  | 'IMAGE_TOO_LARGE'
  | 'IMAGE_MALFORMED';

/** Anything a ledger refuses. What the file system refuses is a DurableError. */
export class LedgerError extends DaemonEyeError<LedgerErrorCode> {}
