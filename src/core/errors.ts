/**
 * The base of every error this program raises on purpose.
 *
 * Each folder has one subclass with a closed union of codes; tests pin codes, people read messages. A message says
 * what went wrong, where, and what to do about it, in one line and without the code: rendering adds that.
 */

/** What kind of trouble an error is; the CLI turns it into an exit code (see `src/cli/exit-codes.ts`). */
export type Fault =
  /** The work could not be done: missing file, full disk, malformed input to a command that doesn't verify. */
  | 'failed'
  /** The command was called wrongly. */
  | 'usage'
  /** Something that asked for trust doesn't get it. */
  | 'untrusted'
  /** Our own state was tampered with or is corrupt. */
  | 'tampered'
  /** Possible, but policy says no. */
  | 'refused';

export type ErrorOptions = { readonly cause?: unknown; readonly fault?: Fault };

export abstract class DaemonEyeError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly fault: Fault;

  constructor(code: Code, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.fault = options.fault ?? 'failed';
  }
}

export type CoreErrorCode =
  // bytes and encodings
  | 'BASE64_NOT_CANONICAL'
  | 'HEX_MALFORMED'
  | 'UTF8_MALFORMED'
  | 'DIGEST_MALFORMED'
  | 'TIME_MALFORMED'
  // strict JSON
  | 'JSON_TOO_LARGE'
  | 'JSON_BOM'
  | 'JSON_SYNTAX'
  | 'JSON_DUPLICATE_KEY'
  | 'JSON_FORBIDDEN_KEY'
  | 'JSON_LONE_SURROGATE'
  | 'JSON_NUMBER'
  | 'JSON_DEPTH'
  | 'JSON_NOT_CANONICAL'
  | 'JSON_NOT_REPRESENTABLE'
  | 'SCHEMA_MISMATCH'
  // plain YAML
  | 'YAML_TOO_LARGE'
  | 'YAML_MALFORMED'
  // keys and signatures
  | 'KEY_MALFORMED'
  | 'KEY_ALGORITHM'
  | 'KEY_NOT_CANONICAL'
  | 'KEY_LOW_ORDER'
  | 'KEY_MIXED_ORDER'
  | 'KEY_ENCRYPTED'
  | 'KEY_PASSPHRASE'
  | 'KEY_WRONG_HALF'
  | 'KEYID_MISMATCH'
  | 'ENVELOPE_MALFORMED'
  | 'ENVELOPE_TOO_LARGE'
  | 'PAYLOAD_TYPE'
  | 'PAYLOADS_DIFFER'
  | 'SIGNATURE_MALFORMED'
  | 'SIGNATURE_DUPLICATE'
  | 'BAD_SIGNATURE'
  | 'RECIPIENT_MALFORMED'
  // notes and trees
  | 'NOTE_MALFORMED'
  | 'NOTE_SIGNATURE'
  | 'CHECKPOINT_MALFORMED'
  | 'CHECKPOINT_ORIGIN'
  | 'COSIGNATURE_MALFORMED'
  | 'COSIGNATURE_TIME'
  | 'PROOF_MALFORMED'
  | 'PROOF_MISMATCH';

/** Anything `src/core` refuses. */
export class CoreError extends DaemonEyeError<CoreErrorCode> {}

/** The message of anything thrown, for embedding in a sentence of ours. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
