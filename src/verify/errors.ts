import { DaemonEyeError, type ErrorOptions } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';

export type VerifyErrorCode =
  // trust root, as a document
  | 'ROOT_MALFORMED'
  | 'ROOT_KEY_UNSAFE'
  | 'ROOT_KEYID_MISMATCH'
  | 'ROOT_DATES'
  | 'ROOT_RECIPIENT'
  | 'ROOT_ROLE_MISSING'
  | 'ROLE_UNKNOWN'
  | 'ROLE_DUPLICATE_KEY'
  | 'ROLE_UNKNOWN_KEY'
  | 'ROLE_CHANNELS'
  | 'THRESHOLD_INVALID'
  | 'THRESHOLD_UNREACHABLE'
  // root chain
  | 'ROOT_CHAIN_EMPTY'
  | 'ROOT_CHAIN_TOO_LONG'
  | 'ROOT_CHAIN_GAP'
  | 'ROOT_SIGNATURES_PREVIOUS'
  | 'ROOT_SIGNATURES_OWN'
  | 'ROOT_PIN_MISMATCH'
  | 'ROOT_ROLLBACK'
  | 'ROOT_EXPIRED'
  | 'ROOT_FINGERPRINT'
  // heads, downgrade, floor reset, receipt
  | 'DOCUMENT_MALFORMED'
  | 'HEADS_NONCE'
  | 'HEADS_REPLAYED'
  | 'HEADS_OLDER'
  | 'HEADS_FORK'
  | 'DOWNGRADE_MISMATCH'
  | 'DOWNGRADE_USED'
  | 'FLOOR_RESET_MISMATCH'
  | 'FLOOR_RESET_USED'
  | 'RECEIPT_HOST_UNKNOWN'
  | 'RECEIPT_SIGNATURE'
  | 'RECEIPT_TAG'
  | 'RECEIPT_MISMATCH'
  // bundle
  | 'UNSIGNED'
  | 'NO_TRUSTED_SIGNATURE'
  | 'ROLE_NOT_HELD'
  | 'CHANNEL_OF_OTHER_KIND'
  | 'THRESHOLD_NOT_MET'
  | 'PAYLOAD_REVOKED'
  | 'KEY_REVOKED'
  | 'KEY_EXPIRED'
  | 'NOT_FOR_THIS_ENCLAVE'
  | 'CRITICAL_UNKNOWN'
  | 'REQUIRES_TOOL'
  | 'REQUIRES_ROOT'
  | 'SEQUENCE_FORK'
  | 'SEQUENCE_REPLAY'
  | 'SEQUENCE_GAP'
  | 'ISSUED_AFTER_ROOT_EXPIRES'
  | 'EXPIRED'
  | 'NOT_PROVABLY_FRESH'
  | 'INDEX_MISMATCH'
  | 'BLOB_MISSING'
  | 'BLOB_MISMATCH'
  | 'ATTESTATION_KIND'
  | 'ATTESTATION_UNJUDGED'
  | 'CONTENT_REFUSED'
  | 'VERIFY_STAGE';

/** Why something is not trusted. Its fault is `untrusted` unless said otherwise. */
export class VerifyError extends DaemonEyeError<VerifyErrorCode> {
  constructor(code: VerifyErrorCode, message: string, options: ErrorOptions = {}) {
    super(code, message, { fault: 'untrusted', ...options });
  }
}

/** Longest reason of a failed check, in UTF-16 units: a refusal has to fit into a line of a log. */
const MAX_REASON = 1000;

/**
 * The reason a failed check gives. An error may quote what an attacker wrote, so: one line, harmless on a terminal, and
 * no longer than a log takes.
 */
export function reasonOf({ message }: DaemonEyeError): string {
  const reason = escapeForTerminal(message);
  return reason.length <= MAX_REASON ? reason : `${reason.slice(0, MAX_REASON)}…`.toWellFormed();
}
