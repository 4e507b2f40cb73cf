import type { OpenRequest } from './protocol.ts';

/** What the DuckDB child is told first. */
export type DuckdbOpenRequest = Omit<OpenRequest, 'engine' | 'database'> & {
  readonly engine: 'duckdb';
  /** Absolute path of the database of a case. */
  readonly database: string;
  /** DuckDB's own memory_limit; the operating system's limit on the child is above it. */
  readonly engineMemoryBytes: number;
};
