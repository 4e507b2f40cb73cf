import type { Place } from '../core/tables.ts';
import { SandboxError, type SandboxErrorCode } from './errors.ts';

/**
 * What parent and child say to each other: one JSON object a line. The parent opens once, the child says it is ready,
 * then one question and one answer at a time. One protocol for every engine; SQLite's also takes many questions in one
 * line, which rules need: most of what they cost is the asking.
 */

export type EngineName = 'sqlite' | 'duckdb';

/** A value of a row. 64-bit integers beyond ±(2^53 − 1) are decimal text. */
export type Cell = null | number | string;
export type GivenValue = Cell | boolean;
export type GivenRow = { readonly [column: string]: GivenValue };
/** Rows by table of the contract. */
export type GivenTables = { readonly [table: string]: readonly GivenRow[] };

/** What bounds one answer. */
export type AnswerLimits = { readonly rows: number; readonly cells: number; readonly bytes: number };

type Opening<Engine extends EngineName> = {
  readonly engine: Engine;
  /** Which tables of the contract there are. */
  readonly place: Place;
  readonly limits: AnswerLimits;
};

export type SqliteOpenRequest = Opening<'sqlite'> & {
  /** Absolute path of a database to read; without it each question brings its own rows. */
  readonly database?: string;
};

export type DuckdbOpenRequest = Opening<'duckdb'> & {
  /** Absolute path of the database of a case. */
  readonly database: string;
  /** DuckDB's own memory_limit; the operating system's limit on the child is above it. */
  readonly engineMemoryBytes: number;
};

/** What a child is told first. */
export type OpenRequest = SqliteOpenRequest | DuckdbOpenRequest;

export type Question = {
  /** One SELECT. */
  readonly sql: string;
  /** The content of the tables; absent tables are empty. Only without a database. */
  readonly given?: GivenTables;
  /** Compile and judge it only; the answer has no rows. */
  readonly compileOnly?: boolean;
};

/** The column of the contract that a column of an answer shows as it is. */
export type Origin = { readonly table: string; readonly column: string };

export type Answer = {
  readonly columns: readonly string[];
  /** By column; null for an expression. Of a UNION it tells only of the first part, so it can't show that nothing leaks. */
  readonly origins: readonly (Origin | null)[];
  readonly rows: readonly (readonly Cell[])[];
  /** Columns read, by table or view of the contract as the statement names it; an empty list: rows were counted. */
  readonly reads: { readonly [relation: string]: readonly string[] };
};

export type QuestionFrame = Question & { readonly id: number };
/** A question by the number that its text was given when it came for the first time. */
export type NumberedQuestion = { readonly id: number; readonly known: number; readonly sql?: string };
export type ManyFrame = {
  readonly many: readonly NumberedQuestion[];
  /** Each answer is written before the next question is looked at. Else those without rows wait for each other. */
  readonly careful: boolean;
};
export type ReadyFrame = { readonly ready: true };
export type FailureFrame = { readonly id: number; readonly code: SandboxErrorCode; readonly message: string };
export type AnswerFrame = Answer & { readonly id: number };

/** Characters of one statement. */
export const MAX_SQL_LENGTH = 128 * 1024;
/** Bytes of one line to the child. */
export const MAX_QUESTION_BYTES = 32 * 1024 * 1024;
/** What a line from the child may have beside the rows: columns, reads, punctuation. */
export const ANSWER_OVERHEAD_BYTES = 256 * 1024;

/** Codes that a child may give; all others are the parent's to say. */
const CHILD_CODES: readonly string[] = [
  'SQL_REFUSED',
  'SQL_ERROR',
  'GIVEN_REFUSED',
  'MEMORY',
  'TOO_MANY_ROWS',
  'ANSWER_TOO_LARGE',
  'DATABASE',
] satisfies SandboxErrorCode[];

/** A line without its newline. */
export function encodeFrame(frame: OpenRequest | QuestionFrame | ManyFrame | ReadyFrame | FailureFrame): string {
  return JSON.stringify(frame);
}

export type ChildFrame =
  | { readonly kind: 'ready' }
  /** These have no rows: all that the asker of many wants to know of them. */
  | { readonly kind: 'nothing'; readonly ids: readonly number[] }
  | { readonly kind: 'failure'; readonly id: number; readonly error: SandboxError }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer };

/**
 * Parses a line from the child. A child that runs hostile SQL may itself have been taken over, so nothing it says is
 * believed beyond its shape.
 * @throws SandboxError CHILD_DIED for anything but a frame of the protocol
 */
export function parseChildFrame(line: string): ChildFrame {
  const frame = parseObject(line);
  if (frame['ready'] === true) return { kind: 'ready' };
  const { id, code, message, columns, origins, rows, reads, nothing } = frame;
  if (nothing !== undefined) {
    if (!isNumbers(nothing) || nothing.length === 0) throw malformed();
    return { kind: 'nothing', ids: nothing };
  }
  if (typeof id !== 'number') throw malformed();
  if (typeof code === 'string' && typeof message === 'string' && CHILD_CODES.includes(code)) {
    return { kind: 'failure', id, error: new SandboxError(code as SandboxErrorCode, message.slice(0, 1024)) };
  }
  if (!isTexts(columns) || !isRows(rows, columns.length) || !isReads(reads)) throw malformed();
  if (!isOrigins(origins, columns.length)) throw malformed();
  return { kind: 'answer', id, answer: { columns, origins, rows, reads } };
}

function parseObject(line: string): { readonly [key: string]: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw malformed();
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((number) => typeof number === 'number');
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function isOrigins(value: unknown, width: number): value is Answer['origins'] {
  const isOrigin = (origin: unknown) =>
    origin === null || (isObject(origin) && isTexts([origin['table'], origin['column']]));
  return Array.isArray(value) && value.length === width && value.every(isOrigin);
}

function isRows(value: unknown, width: number): value is readonly (readonly Cell[])[] {
  return Array.isArray(value) && value.every((row) => Array.isArray(row) && row.length === width && row.every(isCell));
}

function isCell(value: unknown): value is Cell {
  return value === null || typeof value === 'number' || typeof value === 'string';
}

function isReads(value: unknown): value is Answer['reads'] {
  return isObject(value) && Object.values(value).every(isTexts);
}

function malformed(): SandboxError {
  return new SandboxError('CHILD_DIED', 'the sandbox said something that is not in its protocol; it was ended');
}
