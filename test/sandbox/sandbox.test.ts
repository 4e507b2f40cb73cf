import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { createTableSql, createViewSql, tablesIn, viewsIn } from '../../src/core/tables.ts';
import { createSandbox } from '../../src/sandbox/sandbox-io.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c';
const COUNT_TO = (n: number) =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ${n}) SELECT x FROM c`;
/** Gigabytes for the sorter, each value small. */
const MEMORY_BOMB = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000)
  SELECT max(length(h)) FROM (SELECT a.x + b.x, hex(hex(hex(hex(a.x || 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')))) AS h
  FROM c AS a, c AS b ORDER BY h DESC, 1 LIMIT -1 OFFSET 1)`;

describe('a question that overruns', () => {
  it('is killed at its deadline, and the next is answered', async () => {
    await using sandbox = createSandbox();
    await sandbox.ask({ sql: 'SELECT 1' });
    await expectCodeAsync(sandbox.ask({ sql: ENDLESS }, { deadlineMs: 50 }), 'DEADLINE');
    expect((await sandbox.ask({ sql: 'SELECT 2' })).rows).toEqual([[2]]);
  });

  it('does not take the questions behind it with it', async () => {
    await using sandbox = createSandbox();
    const first = sandbox.ask({ sql: ENDLESS }, { deadlineMs: 50 });
    const second = sandbox.ask({ sql: 'SELECT 2' });
    await expectCodeAsync(first, 'DEADLINE');
    expect((await second).rows).toEqual([[2]]);
  });

  it('is killed when the caller gives up', async () => {
    await using sandbox = createSandbox();
    await sandbox.ask({ sql: 'SELECT 1' });
    const caller = new AbortController();
    const asked = sandbox.ask({ sql: ENDLESS }, { deadlineMs: 60_000, signal: caller.signal });
    setImmediate(() => caller.abort());
    await expectCodeAsync(asked, 'CANCELLED');
    await expectCodeAsync(sandbox.ask({ sql: 'SELECT 1' }, { signal: caller.signal }), 'CANCELLED');
    expect((await sandbox.ask({ sql: 'SELECT 3' })).rows).toEqual([[3]]);
  });
});

describe('memory', () => {
  it.runIf(process.platform === 'linux')(
    'is bounded by the operating system, and the next question is answered',
    async () => {
      await using sandbox = createSandbox({ limits: { deadlineMs: 60_000, memoryBytes: 128 * 1024 * 1024 } });
      await expectCodeAsync(sandbox.ask({ sql: MEMORY_BOMB }), 'MEMORY');
      expect((await sandbox.ask({ sql: 'SELECT 4' })).rows).toEqual([[4]]);
    },
  );

  it.each([
    ['doubling', "WITH RECURSIVE c(y) AS (SELECT 'x' UNION ALL SELECT y || y FROM c) SELECT max(length(y)) FROM c"],
    [
      'replace',
      `SELECT length(replace(replace(${"replace('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','a','".padEnd(500, 'b')}'),'b','${'c'.repeat(300)}'),'c','${'d'.repeat(300)}'))`,
    ],
    ['group_concat', `SELECT length(group_concat(x, '${'-'.repeat(1000)}')) FROM (${COUNT_TO(5000)})`],
  ])('no single value grows past its limit: %s', async (_, sql) => {
    await using sandbox = createSandbox({ limits: { deadlineMs: 20_000 } });
    await expectCodeAsync(sandbox.ask({ sql }), 'MEMORY');
  });
});

describe('an answer', () => {
  it('may have as many rows as allowed and not one more', async () => {
    await using sandbox = createSandbox({ limits: { rows: 10 } });
    expect((await sandbox.ask({ sql: COUNT_TO(10) })).rows).toHaveLength(10);
    await expectCodeAsync(sandbox.ask({ sql: COUNT_TO(11) }), 'TOO_MANY_ROWS');
    await expectCodeAsync(sandbox.ask({ sql: ENDLESS.replace('count(*)', 'x') }), 'TOO_MANY_ROWS');
  });

  it('may have only so many values and bytes', async () => {
    await using sandbox = createSandbox({ limits: { cells: 10, bytes: 1000 } });
    await expectCodeAsync(sandbox.ask({ sql: 'SELECT 1,2,3,4,5,6,7,8,9,10,11' }), 'ANSWER_TOO_LARGE');
    await expectCodeAsync(sandbox.ask({ sql: `SELECT '${'€'.repeat(400)}'` }), 'ANSWER_TOO_LARGE');
    expect((await sandbox.ask({ sql: `SELECT '${'€'.repeat(300)}'` })).rows).toEqual([['€'.repeat(300)]]);
  });
});

describe('closing', () => {
  it('ends a running question and refuses later ones', async () => {
    const sandbox = createSandbox();
    await sandbox.ask({ sql: 'SELECT 1' });
    const running = sandbox.ask({ sql: ENDLESS }, { deadlineMs: 60_000 });
    const waiting = sandbox.ask({ sql: 'SELECT 2' });
    const closed = Promise.all([expectCodeAsync(running, 'CLOSED'), expectCodeAsync(waiting, 'CLOSED')]);
    await new Promise(setImmediate);
    await sandbox.close();
    await closed;
    await expectCodeAsync(sandbox.ask({ sql: 'SELECT 3' }), 'CLOSED');
  });

  it('is fine before anything was asked', () => createSandbox().close());
});

describe('a live database', () => {
  const createStore = (path: string): DatabaseSync => {
    const store = new DatabaseSync(path);
    store.exec('PRAGMA journal_mode = WAL');
    for (const table of tablesIn('agent')) store.exec(createTableSql(table, 'sqlite', 'agent'));
    for (const view of viewsIn('agent')) store.exec(createViewSql(view));
    store.exec('CREATE TABLE volatile_keys (k TEXT); CREATE VIEW leak AS SELECT k FROM volatile_keys');
    return store;
  };
  const insert = (store: DatabaseSync, entity: string) =>
    store
      .prepare("INSERT INTO processes (entity, ts, host_id, host_boot_id, process_pid) VALUES (?, 1, 'h', 'b', 1)")
      .run(entity);

  it('is read while another process writes it, through checkpoints and new indexes', async () => {
    const path = join(tempDirectory(), 'events.db');
    const store = createStore(path);
    await using sandbox = createSandbox({ database: path });
    const names = async () => (await sandbox.ask({ sql: 'SELECT entity FROM processes ORDER BY 1' })).rows.flat();
    insert(store, 'a');
    expect(await names()).toEqual(['a']);
    insert(store, 'b');
    expect(await names()).toEqual(['a', 'b']);
    store.exec('PRAGMA wal_checkpoint(TRUNCATE); CREATE INDEX by_pid ON processes (process_pid)');
    insert(store, 'c');
    expect(await names()).toEqual(['a', 'b', 'c']);
    expect((await sandbox.ask({ sql: 'SELECT count(*) FROM processes WHERE process_pid = 1' })).rows).toEqual([[3]]);
    store.close();
  });

  it('shows nothing but the contract', async () => {
    const path = join(tempDirectory(), 'events.db');
    const store = createStore(path);
    await using sandbox = createSandbox({ database: path });
    for (const sql of [
      'SELECT k FROM volatile_keys',
      'SELECT count(*) FROM volatile_keys',
      'SELECT 1 FROM main.volatile_keys',
      'SELECT k FROM leak',
      'SELECT count(*) FROM leak',
      'WITH process_creation AS (SELECT k FROM volatile_keys) SELECT * FROM process_creation',
      "INSERT INTO volatile_keys VALUES ('x')",
      'PRAGMA query_only = OFF',
    ]) {
      await expectCodeAsync(sandbox.ask({ sql }), 'SQL_REFUSED');
    }
    await expectCodeAsync(sandbox.ask({ sql: 'SELECT 1', given: {} }), 'GIVEN_REFUSED');
    store.close();
  });

  it('in WAL mode is not opened without its writer: that would make a file', async () => {
    const path = join(tempDirectory(), 'events.db');
    createStore(path).close();
    await using sandbox = createSandbox({ database: path });
    await expectCodeAsync(sandbox.ask({ sql: 'SELECT 1' }), 'DATABASE');
  });

  it('must be one path and no pattern', () => {
    for (const database of ['events.db', '/*', '/var/lib/*.db'])
      expectCode(() => createSandbox({ database }), 'DATABASE');
  });

  it('must exist and be one', async () => {
    const directory = tempDirectory();
    await using missing = createSandbox({ database: join(directory, 'none.db') });
    await expectCodeAsync(missing.ask({ sql: 'SELECT 1' }), 'DATABASE');
    writeFileSync(join(directory, 'text.db'), 'this is not a database, whatever its name says'.repeat(200));
    await using text = createSandbox({ database: join(directory, 'text.db') });
    await expectCodeAsync(text.ask({ sql: 'SELECT 1' }), 'DATABASE');
  });
});
