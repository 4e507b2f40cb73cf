import { afterAll, describe, expect, it } from 'vitest';
import type { GivenTables } from '../../src/sandbox/protocol.ts';
import { createSandbox } from '../../src/sandbox/sandbox-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';

const sandbox = createSandbox({ limits: { deadlineMs: 20_000 } });
afterAll(() => sandbox.close());

const given: GivenTables = {
  processes: [
    {
      entity: 'h:b:7:1',
      ts: 5,
      host_id: 'h',
      host_boot_id: 'b',
      process_pid: 7,
      process_name: 'nginx',
      process_executable: '/usr/sbin/nginx',
      process_command_line: 'nginx -g daemon off;',
    },
  ],
  connections: [
    {
      connection_id: 'a',
      ts: 1,
      host_id: 'h',
      host_boot_id: 'b',
      connection_state: 'listening',
      network_transport: 'tcp',
      network_type: 'ipv4',
    },
    {
      connection_id: 'b',
      ts: 1,
      host_id: 'h',
      host_boot_id: 'b',
      connection_state: 'open',
      network_transport: 'tcp',
      network_type: 'ipv4',
      network_direction: 'egress',
    },
  ],
};

const ask = (sql: string) => sandbox.ask({ sql, given });
const rowsOf = async (sql: string) => (await ask(sql)).rows;

describe('what a question may do', () => {
  it('reads tables and views of the contract and says what it read', async () => {
    const answer = await ask(
      "SELECT Image AS image, count(*) AS n FROM process_creation WHERE CommandLine LIKE 'nginx%' GROUP BY 1",
    );
    expect(answer).toEqual({
      columns: ['image', 'n'],
      origins: [{ table: 'processes', column: 'process_executable' }, null],
      rows: [['/usr/sbin/nginx', 1]],
      reads: { process_creation: ['CommandLine', 'Image'] },
    });
  });

  it('joins, sorts, uses windows, aggregates, common tables and recursion', async () => {
    const sql = `WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 3)
      SELECT n, row_number() OVER (ORDER BY n DESC), group_concat(p.process_name) FROM up LEFT JOIN processes p ON p.process_pid > n
      GROUP BY n HAVING count(*) > 0 ORDER BY n LIMIT 2`;
    expect(await rowsOf(sql)).toEqual([
      [1, 3, 'nginx'],
      [2, 2, 'nginx'],
    ]);
    expect(await rowsOf('WITH only AS (SELECT 1) SELECT count(*) FROM only')).toEqual([[1]]);
    expect(await rowsOf('SELECT 1 EXCEPT SELECT process_pid FROM processes')).toEqual([[1]]);
    expect(await rowsOf('SELECT 7 IN (SELECT process_pid FROM processes), EXISTS (SELECT 1 FROM files)')).toEqual([
      [1, 0],
    ]);
  });

  it('keeps listeners out of the Sigma view and translates its words', async () => {
    expect(await rowsOf('SELECT Initiated FROM network_connection')).toEqual([['true']]);
  });

  it('gives integers beyond 2^53 as text, and no blobs', async () => {
    expect(await rowsOf('SELECT 9223372036854775807, -9007199254740991, 1.5, NULL')).toEqual([
      ['9223372036854775807', -9007199254740991, 1.5, null],
    ]);
    await expectCodeAsync(ask("SELECT x'00'"), 'SQL_ERROR');
    await expectCodeAsync(ask('SELECT 9e999'), 'SQL_ERROR');
  });

  it('takes one trailing semicolon and comments before or inside', async () => {
    expect(await rowsOf('/* why */ SELECT 1 -- ; DROP TABLE processes\n;')).toEqual([[1]]);
  });

  it.each(ORDINARY)('is ordinary: %s', async (sql) => {
    expect((await ask(sql)).columns.length).toBeGreaterThan(0);
  });

  it('compiles without running', async () => {
    const endless = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS n FROM c';
    expect(await sandbox.ask({ sql: endless, compileOnly: true })).toEqual({
      columns: ['n'],
      origins: [null],
      rows: [],
      reads: {},
    });
  });
});

/** Shapes that make SQLite choose different plans: nothing ordinary may compile to an opcode that isn't listed. */
const ORDINARY: readonly string[] = [
  'SELECT DISTINCT process_name, user_id FROM processes ORDER BY 2, 1 LIMIT 3 OFFSET 1',
  'SELECT count(DISTINCT process_name), sum(process_pid) FILTER (WHERE process_pid > 3) FROM processes GROUP BY user_id HAVING min(ts) < 9',
  'SELECT * FROM processes AS a RIGHT JOIN processes AS b ON a.entity = b.parent_entity',
  'SELECT * FROM processes AS a FULL JOIN connections AS b ON a.entity = b.entity AND a.process_pid = b.process_pid',
  'SELECT * FROM processes AS a, processes AS b, connections AS c WHERE a.process_name = b.process_name AND c.process_pid = b.process_pid',
  'SELECT * FROM processes WHERE entity IN (SELECT entity FROM connections UNION SELECT entity FROM files)',
  'SELECT * FROM processes WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.entity = processes.entity)',
  'SELECT (SELECT max(ts) FROM files WHERE files.entity = p.entity) FROM processes AS p',
  'SELECT process_name FROM processes UNION ALL SELECT process_name FROM connections ORDER BY 1',
  'SELECT process_name FROM processes INTERSECT SELECT process_name FROM connections EXCEPT SELECT process_name FROM files',
  'SELECT lag(ts) OVER w, sum(ts) OVER (PARTITION BY user_id ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), ntile(4) OVER w, first_value(ts) OVER w FROM processes WINDOW w AS (ORDER BY ts)',
  'SELECT sum(ts) OVER (ORDER BY ts RANGE BETWEEN 5 PRECEDING AND 5 FOLLOWING EXCLUDE TIES), nth_value(ts, 2) OVER (ORDER BY ts GROUPS 1 PRECEDING) FROM processes',
  "SELECT CASE WHEN ts BETWEEN 1 AND 5 THEN 'a' WHEN ts IS NULL THEN 'b' ELSE upper(substr(process_name, 1, 2)) END FROM processes",
  "SELECT * FROM processes WHERE process_name IN ('a','b','c') AND (user_id, group_id) = ('1','2') OR process_name IS NOT DISTINCT FROM NULL",
  "SELECT * FROM processes WHERE process_name LIKE 'a%' ESCAPE '!' AND process_name NOT GLOB '[a-z]*' COLLATE NOCASE",
  "SELECT * FROM processes WHERE entity > 'a' AND entity <= 'z' ORDER BY entity DESC LIMIT 5",
  'SELECT min(entity), max(entity) FROM processes',
  'SELECT max(ts), process_name FROM processes',
  'SELECT ts + 1.5 * -2 / 3 % 4, ~ts & 3 | 4 << 1 >> 1, CAST(ts AS TEXT) || 1, abs(-1), round(1.5), +ts, NOT ts, 0x1f FROM processes',
  'WITH RECURSIVE up(e, d) AS (SELECT parent_entity, 0 FROM processes UNION SELECT p.parent_entity, d + 1 FROM processes p JOIN up ON p.entity = up.e WHERE d < 9) SELECT e, max(d) FROM up GROUP BY e ORDER BY 2 DESC',
  'WITH a AS MATERIALIZED (SELECT * FROM processes), b AS NOT MATERIALIZED (SELECT * FROM a) SELECT * FROM b JOIN a USING (entity) NATURAL JOIN processes',
  'SELECT * FROM (SELECT * FROM processes ORDER BY ts LIMIT 5) JOIN (VALUES (1), (2)) ON process_pid = column1',
  "SELECT group_concat(DISTINCT process_name), string_agg(process_name, '-' ORDER BY ts) FROM processes",
  'SELECT a.entity FROM new_process_creation a LEFT JOIN process_creation b ON a.ParentProcessGuid = b.entity WHERE b.Image IS NULL',
];

const REFUSED: readonly (readonly [attack: string, sql: string])[] = [
  ['attach a file', "ATTACH '/tmp/daemoneye-attack.db' AS other"],
  ['detach', 'DETACH main'],
  ['pragma', 'PRAGMA user_version'],
  ['pragma that writes', 'PRAGMA writable_schema = 1'],
  ['pragma as a function', "SELECT * FROM pragma_table_info('processes')"],
  ['pragma, only counted', 'SELECT count(*) FROM pragma_database_list'],
  ['load an extension', "SELECT load_extension('/tmp/evil.so')"],
  ['fts3 tokenizer pointer', "SELECT fts3_tokenizer('simple')"],
  ['insert', "INSERT INTO processes (entity) VALUES ('x')"],
  ['insert that returns', "INSERT INTO processes (entity) VALUES ('x') RETURNING entity"],
  ['insert behind WITH', 'WITH a AS (SELECT 1) INSERT INTO alerts SELECT * FROM alerts'],
  ['update', "UPDATE processes SET process_name = 'x'"],
  ['delete', 'DELETE FROM processes'],
  ['drop', 'DROP TABLE processes'],
  ['alter', 'ALTER TABLE processes ADD COLUMN x'],
  ['create', 'CREATE TABLE x (a)'],
  ['create temporary', 'CREATE TEMP TABLE x (a)'],
  ['create a view', 'CREATE TEMP VIEW x AS SELECT 1'],
  ['create a trigger', 'CREATE TEMP TRIGGER x AFTER INSERT ON processes BEGIN SELECT 1; END'],
  ['create a virtual table', 'CREATE VIRTUAL TABLE x USING fts5(a)'],
  ['vacuum into a file (the authorizer is not asked)', "VACUUM INTO '/tmp/daemoneye-attack.db'"],
  ['vacuum', 'VACUUM'],
  ['analyze', 'ANALYZE'],
  ['reindex', 'REINDEX'],
  ['begin', 'BEGIN'],
  ['savepoint', 'SAVEPOINT x'],
  ['the schema', 'SELECT * FROM sqlite_master'],
  ['the schema by its other name', 'SELECT sql FROM sqlite_schema'],
  ['the schema, only counted', 'SELECT count(*) FROM sqlite_schema'],
  ['the schema, qualified', 'SELECT 1 FROM main.sqlite_master'],
  ['the schema in a subquery', 'SELECT (SELECT group_concat(sql) FROM sqlite_master)'],
  ['the temporary schema', 'SELECT count(*) FROM temp.sqlite_master'],
  ['page statistics', 'SELECT 1 FROM dbstat'],
  ['a table function', "SELECT 1 FROM json_each('[1]')"],
  ['a table function in a subquery', "SELECT * FROM processes WHERE 1 IN (SELECT 1 FROM json_each('[1]'))"],
  ['the hidden row number', 'SELECT rowid FROM processes'],
  ['randomness', 'SELECT random()'],
  ['random bytes', 'SELECT length(randomblob(1000000000))'],
  ['zero bytes', 'SELECT length(zeroblob(1000000000))'],
  ['printf with a width', "SELECT length(printf('%.*c', 1000000000, 'x'))"],
  ['format', "SELECT length(format('%1000000000s', 'x'))"],
  ['the clock', "SELECT datetime('now')"],
  ['the clock as a keyword', 'SELECT CURRENT_TIMESTAMP'],
  ['what the library is', 'SELECT sqlite_version()'],
  ['a function in odd case', 'SELECT LOAD_EXTENSION(1)'],
  ['a function quoted', 'SELECT "randomblob"(3)'],
  ['JSON operators', "SELECT '{}' ->> '$'"],
  ['two statements', 'SELECT 1; SELECT 2'],
  ['two statements, the second in a comment', 'SELECT 1; /* SELECT 2 */'],
  ['two statements, the first a comment', "/* */ SELECT 1; ATTACH 'x' AS y"],
  ['a NUL that ends the text early', 'SELECT 1\0; DROP TABLE processes'],
  ['text over the limit', `SELECT '${'x'.repeat(140_000)}'`],
];

const FAILING: readonly (readonly [attack: string, sql: string])[] = [
  ['readfile of the shell', "SELECT readfile('/etc/passwd')"],
  ['regexp', "SELECT 'a' REGEXP '(a+)+$'"],
  ['explain', 'EXPLAIN SELECT 1'],
  ['explain query plan', 'EXPLAIN QUERY PLAN SELECT 1'],
  ['only a comment', '-- nothing'],
  ['nothing', ''],
  ['a parameter', 'SELECT ?'],
  ['a named parameter', 'SELECT $secret'],
  ['a string in double quotes', 'SELECT * FROM processes WHERE process_name = "nginx"'],
  ['a case table', 'SELECT * FROM lines'],
  ['deep addition', `SELECT ${'1+'.repeat(400)}1`],
  ['deep negation', `SELECT ${'NOT '.repeat(400)}1`],
  ['deep subqueries', `SELECT ${'(SELECT '.repeat(400)}1${')'.repeat(400)}`],
  ['deep parentheses', `SELECT ${'('.repeat(60_000)}1${')'.repeat(60_000)}`],
  ['many unions', Array.from({ length: 100 }, () => 'SELECT 1').join(' UNION ALL ')],
  ['many columns', `SELECT ${Array.from({ length: 600 }, () => '1').join(',')}`],
  ['many arguments', `SELECT coalesce(${Array.from({ length: 60 }, () => '1').join(',')})`],
  ['a long LIKE pattern', `SELECT 'x' LIKE '${'%a'.repeat(2000)}'`],
];

describe('what a question may not do', () => {
  it.each(REFUSED)('%s', async (_, sql) => expectCodeAsync(ask(sql), 'SQL_REFUSED'));
  it.each(FAILING)('%s: fails to compile or run', async (_, sql) => expectCodeAsync(ask(sql), 'SQL_ERROR'));

  it('is not what the tables contain: each question starts from its own rows', async () => {
    expect(await rowsOf('SELECT count(*) FROM processes')).toEqual([[1]]);
    expect((await sandbox.ask({ sql: 'SELECT count(*) FROM processes' })).rows).toEqual([[0]]);
  });
});

describe('given rows', () => {
  const fails = (tables: GivenTables) =>
    expectCodeAsync(sandbox.ask({ sql: 'SELECT 1', given: tables }), 'GIVEN_REFUSED');
  it('must be for tables of the contract', () => fails({ sqlite_schema: [{ sql: 'x' }] }));
  it('must not be for a case table', () => fails({ lines: [] }));
  it('must have known columns', () => fails({ alerts: [{ nope: 1 }] }));
  it('can not inject through a column name', () => fails({ alerts: [{ 'alert_id") VALUES (1); --': 1 }] }));
  it('must fit the types', () =>
    fails({ processes: [{ entity: 'e', ts: 'soon', host_id: 'h', host_boot_id: 'b', process_pid: 1 }] }));
  it('must have what is never NULL', () => fails({ processes: [{ entity: 'e' }] }));
  it('must have booleans that are', () =>
    fails({ traces: [{ trace_id: 't', ts: 1, host_id: 'h', host_boot_id: 'b', captures_files: 2 }] }));
});
