import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDuckdbSandbox, type DuckdbSandbox } from '../../src/sandbox/duckdb-sandbox-io.ts';
import type { SandboxError } from '../../src/sandbox/errors.ts';
import { MAX_SQL_LENGTH } from '../../src/sandbox/protocol.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { makeDatabase, plantFile } from './duckdb-sample.ts';

const directory = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
const planted = plantFile(directory);
let sandbox: DuckdbSandbox;

beforeAll(async () => {
  const database = await makeDatabase(directory);
  sandbox = createDuckdbSandbox({ database, limits: { rows: 50, cells: 200, bytes: 20_000, deadlineMs: 30_000 } });
});

afterAll(async () => {
  await sandbox.close();
  rmSync(directory, { recursive: true, force: true });
});

async function rowsOf(sql: string): Promise<readonly unknown[]> {
  return (await sandbox.ask({ sql })).rows;
}

/** Whatever was asked before, an honest question is answered. */
async function expectAnswers(): Promise<void> {
  expect(await rowsOf('SELECT count(*) FROM lines')).toEqual([[3]]);
}

describe('a question to a case', () => {
  it.each([
    ['a count', 'SELECT count(*) FROM lines', [[3]]],
    ['a table by any case of letters', 'SELECT process_name FROM "Processes"', [['nginx']]],
    ['the schema main', 'SELECT process_pid FROM main.processes', [[7]]],
    ['a view of the contract', 'SELECT ProcessId FROM process_creation', [[7]]],
    ['booleans as 1 and 0', 'SELECT signed FROM lines ORDER BY ts', [[0], [1], [0]]],
    ['order', 'SELECT ts FROM lines ORDER BY ts DESC', [[2], [1], [0]]],
    ['common table expressions', 'WITH a AS (SELECT 1 x), b(y) AS (SELECT x + 1 FROM a) SELECT y FROM b', [[2]]],
    [
      'recursion',
      'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 4) SELECT max(n) FROM t',
      [[4]],
    ],
    ['windows', 'SELECT row_number() OVER (ORDER BY ts DESC) r FROM lines ORDER BY ts LIMIT 1', [[3]]],
    ['JSON in the text', "SELECT text->>'$.seq' FROM lines WHERE ts = 2", [['2']]],
    ['lambdas', 'SELECT list_transform([1, 2], lambda x: x * 10)', [['[10,20]']]],
    ['time without a zone', 'SELECT epoch_ms(0)', [['1970-01-01 00:00:00']]],
    ['integers beyond 2^53 as text', 'SELECT 9007199254740993::BIGINT', [['9007199254740993']]],
    ['quotes that would end a text', `SELECT '''); ATTACH ''x' AS "a"";b"`, [["'); ATTACH 'x"]]],
    ['a comment that would hide the rest', 'SELECT 1 -- ) LIMIT 1', [[1]]],
    ['a name twice', 'SELECT 1 AS a, 2 AS a', [[1, 2]]],
    ['a closing semicolon', 'SELECT 1;', [[1]]],
    ['VALUES', 'VALUES (1), (2)', [[1], [2]]],
    ['FROM alone', 'FROM range(2)', [[0], [1]]],
    ['a lateral unnest', 'SELECT u FROM (SELECT [1, 2] AS l), unnest(l) AS t(u)', [[1], [2]]],
  ])('answers %s', async (_, sql, expected) => {
    expect(await rowsOf(sql)).toEqual(expected);
  });

  it('tells which relations were named', async () => {
    const { reads } = await sandbox.ask({ sql: 'SELECT 1 FROM lines, processes', compileOnly: true });
    expect(reads).toEqual({ lines: [], processes: [] });
  });

  it('answers the same in every time zone', async () => {
    expect(await rowsOf("SELECT strftime(epoch_ms(0), '%H %Z')")).toEqual([['00 ']]);
  });
});

const file = planted.replaceAll("'", "''");

describe('the gate refuses', () => {
  it.each([
    ['read_csv', `SELECT * FROM read_csv('${file}')`],
    ['read_text', `SELECT * FROM read_text('${file}')`],
    ['read_blob', `SELECT * FROM read_blob('${file}')`],
    ['read_json of a glob', "SELECT * FROM read_json('/proc/*/environ')"],
    ['read_parquet', `SELECT * FROM read_parquet('${file}')`],
    ['parquet_metadata', `SELECT * FROM parquet_metadata('${file}')`],
    ['sniff_csv', `SELECT * FROM sniff_csv('${file}')`],
    ['glob', "SELECT * FROM glob('/etc/*')"],
    ['query', "SELECT * FROM query('SELECT 1')"],
    ['query_table', "SELECT * FROM query_table('secrets')"],
    ['json_execute_serialized_sql', "SELECT * FROM json_execute_serialized_sql('{}')"],
    ['json_serialize_plan', "SELECT json_serialize_plan('SELECT 1')"],
    ['duckdb_settings()', 'SELECT * FROM duckdb_settings()'],
    ['duckdb_tables as a view', 'SELECT * FROM duckdb_tables'],
    ['duckdb_secrets', 'SELECT * FROM duckdb_secrets()'],
    ['sqlite_master', 'SELECT * FROM sqlite_master'],
    ['pg_catalog', 'SELECT * FROM pg_catalog.pg_tables'],
    ['information_schema', 'SELECT * FROM information_schema.tables'],
    ['enable_logging, which aborts the process', 'SELECT * FROM enable_logging()'],
    ['a table that is not of the contract', 'SELECT * FROM secrets'],
    ['that table with its schema', 'SELECT * FROM main.secrets'],
    ['a table with its catalogue', 'SELECT * FROM "case".main.lines'],
    ['a path as the name of a table', `SELECT * FROM '${file}'`],
    ['a path as a quoted name', `SELECT * FROM "${planted}"`],
    ['a URL as the name of a table', "SELECT * FROM 'https://example.com/x.parquet'"],
    ['a path after FROM alone', `FROM '${file}'`],
    ['a path in a subquery', `SELECT (SELECT count(*) FROM '${file}')`],
    ['a path in EXISTS', `SELECT 1 WHERE EXISTS (FROM '${file}')`],
    ['a path in a CTE', `WITH a AS (FROM '${file}') SELECT 1`],
    ['a path in a set operation', `SELECT 1 UNION ALL FROM '${file}'`],
    ['a path in a join', `SELECT 1 FROM lines JOIN '${file}' ON true`],
    ['a path in ORDER BY', `SELECT 1 ORDER BY (SELECT count(*) FROM '${file}')`],
    ['a path in LIMIT', `SELECT 1 LIMIT (SELECT count(*) FROM '${file}')`],
    ['a path in a window', `SELECT sum(ts) OVER (PARTITION BY (SELECT 1 FROM '${file}')) FROM lines`],
    ['a path in FILTER', `SELECT count(*) FILTER (WHERE EXISTS (FROM '${file}')) FROM lines`],
    ['a path in an aggregate’s ORDER BY', `SELECT list(ts ORDER BY (SELECT 1 FROM '${file}')) FROM lines`],
    ['a path in CASE', `SELECT CASE WHEN EXISTS (FROM '${file}') THEN 1 END`],
    ['a path in REPLACE', `SELECT * REPLACE ((SELECT 1 FROM '${file}') AS ts) FROM lines`],
    ['a path in a lambda', `SELECT list_transform([1], lambda x: (SELECT 1 FROM '${file}'))`],
    ['a path in the arguments of a table function', `SELECT * FROM range((SELECT count(*) FROM '${file}'))`],
    ['a path in VALUES', `VALUES ((SELECT 1 FROM '${file}'))`],
    ['a path in DISTINCT ON', `SELECT DISTINCT ON ((SELECT 1 FROM '${file}')) 1`],
    ['a path in GROUP BY', `SELECT 1 FROM lines GROUP BY (SELECT 1 FROM '${file}')`],
    ['a path in HAVING', `SELECT 1 FROM lines HAVING EXISTS (FROM '${file}')`],
    ['a path in QUALIFY', `SELECT 1 FROM lines QUALIFY EXISTS (FROM '${file}')`],
    ['a path in a named window', `SELECT sum(1) OVER w FROM lines WINDOW w AS (ORDER BY (SELECT 1 FROM '${file}'))`],
    ['a path in brackets of ANY', `SELECT 1 = ANY (FROM '${file}')`],
    ['a name of a CTE that is out of scope', `SELECT * FROM (WITH secrets AS (SELECT 1) FROM secrets), secrets`],
    ['a CTE that names itself', 'WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets'],
    ['a CTE before it is named', 'WITH a AS (FROM secrets), secrets AS (SELECT 1) SELECT * FROM a'],
    ['a path as the name of a CTE', `WITH "${planted}" AS (SELECT 1) SELECT 1`],
    ['a system view as the name of a CTE', 'WITH duckdb_tables AS (SELECT 1) SELECT 1'],
    ['the Kelvin sign for a k', 'SELECT * FROM "networ\u212a_connection"'],
    ['ATTACH', `ATTACH '${file}' AS x`],
    ['COPY out', `COPY lines TO '${join(directory, 'out.csv')}'`],
    ['COPY in', `COPY lines FROM '${file}'`],
    ['EXPORT DATABASE', `EXPORT DATABASE '${directory}'`],
    ['SET', "SET memory_limit = '100GB'"],
    ['RESET', 'RESET memory_limit'],
    ['PRAGMA', 'PRAGMA database_list'],
    ['CALL', 'CALL duckdb_settings()'],
    ['INSTALL', 'INSTALL httpfs'],
    ['LOAD', 'LOAD httpfs'],
    ['USE', 'USE main'],
    ['CREATE TABLE', 'CREATE TABLE x AS SELECT 1'],
    ['CREATE TEMP MACRO', 'CREATE TEMP MACRO m() AS 1'],
    ['CREATE SECRET', 'CREATE SECRET s (TYPE s3)'],
    ['INSERT', 'INSERT INTO lines SELECT * FROM lines'],
    ['UPDATE', 'UPDATE lines SET ts = 1'],
    ['DELETE', 'DELETE FROM lines'],
    ['DROP', 'DROP TABLE lines'],
    ['EXPLAIN ANALYZE', 'EXPLAIN ANALYZE SELECT 1'],
    ['PREPARE', 'PREPARE p AS SELECT 1'],
    ['BEGIN', 'BEGIN'],
    ['VACUUM', 'VACUUM'],
    ['CHECKPOINT', 'CHECKPOINT'],
    ['DESCRIBE', 'DESCRIBE secrets'],
    ['SHOW', 'SHOW ALL TABLES'],
    ['SUMMARIZE', 'SUMMARIZE secrets'],
    ['PIVOT', 'PIVOT lines ON signed USING count(*)'],
    ['UNPIVOT', 'UNPIVOT lines ON ts, mono INTO NAME n VALUE v'],
    ['two statements', 'SELECT 1; SELECT 2'],
    ['a second statement that is no SELECT', `SELECT 1; COPY lines TO '${join(directory, 'out.csv')}'`],
    ['no statement', ''],
    ['a comment alone', '-- nothing'],
    ['parameters', 'SELECT ?'],
    ['sampling, which is random', 'SELECT * FROM lines USING SAMPLE 1'],
    ['sampling a table', 'SELECT * FROM lines TABLESAMPLE 10%'],
    ['time travel', 'SELECT * FROM lines AT (VERSION => 1)'],
    ['random', 'SELECT random()'],
    ['a random order', 'SELECT * FROM lines ORDER BY random()'],
    ['uuid', 'SELECT gen_random_uuid()'],
    ['a clock', 'SELECT now()'],
    ['a clock without brackets', 'SELECT current_timestamp'],
    ['the user', 'SELECT user'],
    ['today', 'SELECT today()'],
    ['a setting', "SELECT current_setting('memory_limit')"],
    ['a variable', "SELECT getvariable('x')"],
    ['sleeping', 'SELECT sleep_ms(10)'],
    ['sleeping as PostgreSQL has it', 'SELECT pg_sleep(10)'],
    ['writing the log', "SELECT write_log('x')"],
    ['nextval', "SELECT nextval('s')"],
    ['a function with a catalogue', 'SELECT system.main.abs(1)'],
    ['a function in another schema', 'SELECT pg_catalog.abs(1)'],
    ['an aggregate by its name in a text', "SELECT list_aggregate([1], 'sum')"],
    ['a type with a time zone', "SELECT '2020-01-01'::TIMESTAMPTZ"],
    ['such a type inside another', "SELECT '[]'::STRUCT(a TIMESTAMPTZ[])"],
    ['an unknown type', "SELECT 'x'::my_type"],
    ['a collation', "SELECT 'a' COLLATE de"],
    ['a NUL character', 'SELECT 1 \0'],
    ['a text that is too long', `SELECT '${'x'.repeat(MAX_SQL_LENGTH)}'`],
    ['UNION of 20,000', Array(20_000).fill('SELECT 1').join(' UNION ')],
    ['deep brackets', `SELECT ${'abs('.repeat(500)}1${')'.repeat(500)}`],
  ])('%s', async (_, sql) => {
    await expectCodeAsync(sandbox.ask({ sql }), 'SQL_REFUSED');
  });

  it('and nothing was written, and the next question is answered', async () => {
    await expectAnswers();
    expect(readdirSync(directory).sort()).toEqual(['case.duckdb', 'planted.csv']);
  });
});

describe('what is wrong with a question is told', () => {
  it.each([
    ['a syntax error', 'SELEC 1', 'SQL_ERROR'],
    ['an unknown column', 'SELECT nope FROM lines', 'SQL_ERROR'],
    ['a cast that fails', "SELECT 'x'::INTEGER", 'SQL_ERROR'],
    ['a blob', "SELECT encode('x')", 'SQL_ERROR'],
    ['infinity', "SELECT 'inf'::DOUBLE", 'SQL_ERROR'],
    ['too many rows', 'SELECT * FROM range(51)', 'TOO_MANY_ROWS'],
    ['too many values', 'SELECT *, *, *, *, * FROM range(41)', 'ANSWER_TOO_LARGE'],
    ['too many bytes', "SELECT repeat('x', 20000)", 'ANSWER_TOO_LARGE'],
  ])('%s', async (_, sql, code) => {
    await expectCodeAsync(sandbox.ask({ sql }), code);
    await expectAnswers();
  });

  it('rows of one’s own', async () => {
    await expectCodeAsync(sandbox.ask({ sql: 'SELECT 1', given: { lines: [] } }), 'GIVEN_REFUSED');
  });
});

describe('a question that overruns is stopped, and the next one answered', () => {
  it.each([
    ['a text of three gigabytes', "SELECT md5(repeat('x', 3000000000))"],
    ['texts that double', `SELECT length(${'repeat('.repeat(6)}'x'${', 1000)'.repeat(6)})`],
    ['UNION of 6,000, whose tree alone is too much', Array(6000).fill('SELECT 1').join(' UNION ')],
    ['sorting a huge list', 'SELECT list_sort(range(400000000))[1]'],
    ['comparing long texts', "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))"],
    ['unnesting a huge range', 'SELECT count(DISTINCT u) FROM (SELECT unnest(range(1000000000)) AS u)'],
    ['a join of everything', 'SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = -1'],
    [
      'recursion without end',
      'WITH RECURSIVE t(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t WHERE n < 0',
    ],
    ['sorting more than there is room for', 'SELECT range FROM range(1000000000) ORDER BY md5(range::VARCHAR)'],
  ])('%s', async (_, sql) => {
    const code = await sandbox.ask({ sql }, { deadlineMs: 600 }).then(
      () => 'answered',
      (error: SandboxError) => error.code,
    );
    expect(['DEADLINE', 'MEMORY', 'CHILD_DIED']).toContain(code);
    await expectAnswers();
  });

  it('when it is cancelled', async () => {
    const controller = new AbortController();
    const asked = sandbox.ask({ sql: 'SELECT count(*) FROM range(100000000) a, range(100000) b' }, controller);
    setTimeout(() => controller.abort(), 50);
    await expectCodeAsync(asked, 'CANCELLED');
    await expectAnswers();
  });
});

describe('a database', () => {
  it('that is none is told', async () => {
    await using other = createDuckdbSandbox({ database: planted, fence: 'none' });
    await expectCodeAsync(other.ask({ sql: 'SELECT 1' }), 'DATABASE');
  });

  it('that is gone is told', async () => {
    await using other = createDuckdbSandbox({ database: join(directory, 'gone.duckdb'), fence: 'none' });
    await expectCodeAsync(other.ask({ sql: 'SELECT 1' }), 'DATABASE');
  });

  it('is not asked after the end', async () => {
    const other = createDuckdbSandbox({ database: join(directory, 'case.duckdb') });
    await other.close();
    await expectCodeAsync(other.ask({ sql: 'SELECT 1' }), 'CLOSED');
  });
});
