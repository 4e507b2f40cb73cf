/** Every magic value of the log format (docs/formats.md, "Log"). */

export const GENESIS_PAYLOAD_TYPE = 'application/vnd.daemoneye.genesis+json';
export const ROTATION_PAYLOAD_TYPE = 'application/vnd.daemoneye.rotation+json';
export const PRUNE_PAYLOAD_TYPE = 'application/vnd.daemoneye.prune+json';
export const HOLD_PAYLOAD_TYPE = 'application/vnd.daemoneye.hold+json';
export const RELEASE_PAYLOAD_TYPE = 'application/vnd.daemoneye.release+json';
export const REDACTION_PAYLOAD_TYPE = 'application/vnd.daemoneye.redaction+json';
export const GENESIS_VERSION = 1;
export const LINE_VERSION = 1;

/** Bytes of a line, without its newline. */
export const MAX_LINE_BYTES = 65_535;
/** Lines in one entries file. */
export const ROTATE_LINES = 65_536;
/** The random `n` of a line: a withheld line can't be guessed from its hash. */
export const NONCE_BYTES = 16;

export const GENESIS_FILE = 'genesis.json';
export const LOCK_FILE = 'lock';
export const ENTRIES_DIRECTORY = 'entries';
export const TREE_DIRECTORY = 'tree';
export const CHECKPOINTS_DIRECTORY = 'checkpoints';
/** Legal holds by hand: as long as anything lies here, nothing of the log is destroyed. */
export const HOLDS_DIRECTORY = 'holds';
export const QUARANTINE_DIRECTORY = 'quarantine';
export const HEAD_SLOTS = ['a', 'b'] as const;
export type HeadSlot = (typeof HEAD_SLOTS)[number];
/** The log's `log.rotate` lines, verbatim; absent as long as its key was never changed. */
export const EPOCHS_FILE = 'epochs.ndjson';
export const MAX_EPOCHS_BYTES = 4 * 1024 * 1024;
export const HISTORY_FILE = 'history.ndjson';
/** In checkpoints/: one file for each cosigned checkpoint that came back from a witness. */
export const COSIGNED_DIRECTORY = 'cosigned';

/** When the head is also kept in the history: after so many entries, or so much time, whichever comes first. */
export const HISTORY_ENTRIES = 1024;
export const HISTORY_SECONDS = 3600;
/** A history line holds a note, whose limit it shares, with JSON's escapes. */
export const MAX_HISTORY_LINE_BYTES = 512 * 1024;

/** Of a range proof, in a package or by itself. */
export const MAX_RANGE_PROOF_BYTES = 64 * 1024 * 1024;
/** Of the lines that go with a range proof by itself: they are read whole. More belongs in an evidence package. */
export const MAX_SHOWN_BYTES = 256 * 1024 * 1024;

/** Entry types that the ledger itself writes. */
export const CLOCK_JUMP = 'clock.jump';
export const COLLECTOR_GAP = 'collector.gap';
export const LOG_RECOVERY = 'log.recovery';
export const LOG_PRUNE = 'log.prune';
export const LOG_REDACT = 'log.redact';
export const LOG_HOLD = 'log.hold';
export const LOG_RELEASE = 'log.release';
export const LOG_ROTATE = 'log.rotate';

const SEQ_DIGITS = 12;
const ENTRIES_NAME = /^([0-9]{12})\.ndjson$/;

/** The entries file whose first line has this seq. */
export function entriesFileName(firstSeq: number): string {
  return `${String(firstSeq).padStart(SEQ_DIGITS, '0')}.ndjson`;
}

/** The first seq that a file name in entries/ promises, or undefined for any other name. */
export function parseEntriesFileName(name: string): number | undefined {
  const digits = ENTRIES_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** `<seq>-<16 hex digits of its SHA-256>.torn`: bytes that stood where the line `seq` should begin. */
export function quarantineFileName(seq: number, sha256Hex: string): string {
  return `${String(seq).padStart(SEQ_DIGITS, '0')}-${sha256Hex.slice(0, 16)}.torn`;
}

const QUARANTINE_NAME = /^([0-9]{12})-[0-9a-f]{16}\.torn$/;

export function parseQuarantineFileName(name: string): number | undefined {
  const digits = QUARANTINE_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** `<size>-<16 hex digits of the witness' keyid>.note`; in order of size as text, too. */
export function cosignedFileName(size: number, keyid: string): string {
  return `${String(size).padStart(COSIGNED_DIGITS, '0')}-${keyid.slice(0, 16)}.note`;
}

const COSIGNED_DIGITS = 16;
const COSIGNED_NAME = /^[0-9]{16}-[0-9a-f]{16}\.note$/;

export function isCosignedFileName(name: string): boolean {
  return COSIGNED_NAME.test(name);
}
