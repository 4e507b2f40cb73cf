import { chmodSync, existsSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { messageOf } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { renameDurably, temporaryName } from '../../durable/files-io.ts';
import { CaseError } from './errors.ts';
import { loadSql, schemaSql } from './load-sql.ts';
import {
  createStagingSql,
  FORK_SQL,
  LEAVES_SQL,
  LOG_OF_PLACE,
  type LogSource,
  stageLogSql,
  UNIQUE_SQL,
} from './stage-sql.ts';

/** Readable by all, writable by none: the sandbox reads it as nobody. Its directory lets nobody else come near. */
const DATABASE_MODE = 0o444;

/**
 * Builds the database of a case from the lines of its verified packages: the one trusted step in which DuckDB reads
 * files. It may read these lines and nothing else; what comes out is only ever opened read-only. A received .duckdb or
 * Parquet file is never opened. The old database stays until the new one takes its place whole.
 * @param path of case.duckdb
 * @throws CaseError LOG_FORK or BUILD_FAILED; DurableError
 */
export async function buildDatabase(path: string, logs: readonly LogSource[], signal?: AbortSignal): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await withConnection(temporary, logs, async (connection) => {
      for (const sql of schemaSql()) await connection.run(sql);
      if (logs.length === 0) return;
      for (const sql of createStagingSql()) await connection.run(sql);
      for (const [number, log] of logs.entries()) {
        signal?.throwIfAborted();
        if (statSync(log.lines).size === 0) continue;
        for (const sql of stageLogSql(log, number)) await connection.run(sql);
        await assertVerbatim(connection, log, number);
      }
      await connection.run(LEAVES_SQL);
      await assertNoFork(connection);
      await connection.run(UNIQUE_SQL);
      for (const sql of loadSql()) {
        signal?.throwIfAborted();
        await connection.run(sql);
      }
      await connection.run('CHECKPOINT');
    });
    // DuckDB has synced its file when it closes it.
    chmodSync(temporary, DATABASE_MODE);
    renameDurably(temporary, path);
  } catch (cause) {
    if (cause instanceof CaseError || signal?.aborted === true) throw cause;
    const message = `the database of the case could not be made: ${escapeForTerminal(messageOf(cause))}`;
    throw new CaseError('BUILD_FAILED', message, { cause });
  } finally {
    for (const leftover of [temporary, `${temporary}.wal`]) if (existsSync(leftover)) rmSync(leftover);
  }
}

/** Flat memory whatever a package holds: what doesn't fit lies beside the database for a while, in the case's own directory. */
const MEMORY_LIMIT = '1GiB';

/** A connection that can read the given lines and write its own database, and reach nothing else. */
async function withConnection(
  path: string,
  logs: readonly LogSource[],
  work: (connection: DuckDBConnection) => Promise<void>,
): Promise<void> {
  // Loaded here: it takes longer than most commands.
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(path, {
    memory_limit: MEMORY_LIMIT,
    temp_directory: dirname(path),
    autoload_known_extensions: 'false',
    autoinstall_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
  });
  try {
    const connection = await instance.connect();
    try {
      const files = logs.map(({ lines }) => `'${lines.replaceAll("'", "''")}'`);
      await connection.run(`SET allowed_paths = [${files.join(', ')}]`);
      await connection.run('SET enable_external_access = false');
      await connection.run("SET TimeZone = 'UTC'");
      await connection.run('SET lock_configuration = true');
      await work(connection);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}

/** The lines in the database are the lines in the file, byte for byte: as many bytes, each line with its newline. */
async function assertVerbatim(connection: DuckDBConnection, log: LogSource, number: number): Promise<void> {
  const sql = `SELECT sum(strlen(text) + 1)::BIGINT FROM staged WHERE ${LOG_OF_PLACE} = ${number}`;
  const [[bytes] = []] = (await connection.runAndReadAll(sql)).getRows();
  if (Number(bytes) !== statSync(log.lines).size) {
    throw new CaseError('BUILD_FAILED', `the lines of ${escapeForTerminal(log.origin)} did not load as they are`);
  }
}

async function assertNoFork(connection: DuckDBConnection): Promise<void> {
  const [row] = (await connection.runAndReadAll(FORK_SQL)).getRows();
  if (row === undefined) return;
  const [origin, seq, first, second] = row.map((value) => escapeForTerminal(String(value)));
  const message = `the log ${origin} was forked: line ${seq} reads differently in packages ${first} and ${second}, and both are signed; keep them apart and ask the host`;
  throw new CaseError('LOG_FORK', message, { fault: 'untrusted' });
}
