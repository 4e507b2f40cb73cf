import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { createTableSql, createViewSql, tablesIn, viewsIn } from '../../src/core/tables.ts';

/** A small database as a case has it: the tables of the contract, one process, one connection, three lines. */
export async function makeDatabase(directory: string): Promise<string> {
  const path = join(directory, 'case.duckdb');
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  for (const table of tablesIn('case')) await connection.run(createTableSql(table, 'duckdb', 'case'));
  for (const view of viewsIn('case')) await connection.run(createViewSql(view));
  await connection.run(
    "INSERT INTO processes (entity, ts, host_id, host_boot_id, package, process_pid, process_name) VALUES ('h:b:7:1', 5, 'h', 'b', 'sha256:x', 7, 'nginx')",
  );
  await connection.run(
    `INSERT INTO lines SELECT i, 'h', 'b', 'o', i, 'sha256:x', i, 'process.start', 'host', 'h', 'l', i = 1, true, '{"seq":' || i || '}' FROM range(3) t(i)`,
  );
  // A table that is not of the contract: nobody may name it.
  await connection.run("CREATE TABLE secrets AS SELECT 'planted' AS value");
  connection.closeSync();
  instance.closeSync();
  chmodSync(path, 0o444);
  return path;
}

/** A file that no question may read. @returns its path */
export function plantFile(directory: string): string {
  const path = join(directory, 'planted.csv');
  writeFileSync(path, 'a,b\nplanted,1\n');
  return path;
}
