import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { checkRuleFiles, checkRules } from '../../src/rules/check-io.ts';
import { parseRule } from '../../src/rules/parse.ts';
import { createSandbox } from '../../src/sandbox/sandbox-io.ts';
import { rule, ruleBytes } from './support.ts';

const sandbox = createSandbox();
afterAll(() => sandbox.close());

const check = async (changes: { readonly [field: string]: unknown } = {}, deadlineMs = 20_000) => {
  const [result] = await checkRules([{ path: 'rule.yaml', rule: rule(changes) }], { sandbox, deadlineMs });
  return result;
};

describe('checking a rule', () => {
  it('passes one whose samples pass', async () => {
    expect(await check()).toEqual({
      path: 'rule.yaml',
      id: 'test-0001',
      ok: true,
      reason: 'it compiles and its 2 samples pass',
      tests: 2,
    });
  });

  it.each<[string, { readonly [field: string]: unknown }, string]>([
    ['SQL that is no SQL', { sql: 'SELEC' }, 'RULE_SQL'],
    ['an unknown column', { sql: 'SELECT entity, nope FROM new_processes' }, 'RULE_SQL'],
    [
      'a case table',
      { sql: 'SELECT text AS entity FROM lines', requires: { tables: ['lines'], capability: [] } },
      'RULE_SQL',
    ],
    ['a file attached', { sql: "ATTACH '/etc/passwd' AS p" }, 'RULE_SQL'],
    ['a write', { sql: 'INSERT INTO alerts SELECT * FROM alerts' }, 'RULE_SQL'],
    ['two statements', { sql: 'SELECT entity FROM new_processes; SELECT 1' }, 'RULE_SQL'],
    ['a regular expression', { sql: "SELECT entity FROM new_processes WHERE process_name REGEXP 'a'" }, 'RULE_SQL'],
    [
      'a table it does not say',
      { sql: 'SELECT n.entity FROM new_processes n JOIN processes p ON p.process_pid = 1' },
      'RULE_REQUIRES',
    ],
    [
      'a table it only says',
      { requires: { tables: ['new_processes', 'files'], capability: ['process', 'file'] } },
      'RULE_REQUIRES',
    ],
    [
      'a capability it does not say',
      { sql: "SELECT entity FROM new_processes WHERE process_command_line = 'x'" },
      'RULE_REQUIRES',
    ],
    [
      'a capability through a view',
      {
        sql: 'SELECT entity FROM new_process_creation WHERE sha256 IS NULL',
        requires: { tables: ['new_process_creation'], capability: ['process'] },
      },
      'RULE_REQUIRES',
    ],
    [
      'incremental over everything',
      { sql: 'SELECT entity FROM processes', requires: { tables: ['processes'], capability: ['process'] } },
      'RULE_REQUIRES',
    ],
    ['a snapshot of what is new', { mode: 'snapshot' }, 'RULE_REQUIRES'],
    ['no column for its dedup key', { dedup: { key: ['user_id'], window: '1h' } }, 'RULE_COLUMNS'],
    [
      'no entity for its trace',
      {
        sql: "SELECT process_name, process_pid FROM new_processes WHERE process_name = 'sh'",
        dedup: { key: ['process_pid'], window: '1h' },
        trace: { depth: 1, duration: '1m', network: true, files: true },
      },
      'RULE_COLUMNS',
    ],
    ['two columns of one name', { sql: 'SELECT entity, entity FROM new_processes' }, 'RULE_COLUMNS'],
    [
      'arguments in clear',
      {
        sql: 'SELECT entity, process_command_line AS note FROM new_processes',
        requires: { tables: ['new_processes'], capability: ['process', 'arguments'] },
      },
      'RULE_COLUMNS',
    ],
    [
      'arguments in clear through a view',
      {
        sql: 'SELECT entity, CommandLine FROM new_process_creation',
        requires: { tables: ['new_process_creation'], capability: ['process', 'arguments'] },
      },
      'RULE_COLUMNS',
    ],
    ['a hit on nothing at all', { sql: 'SELECT count(*) AS entity FROM new_processes' }, 'RULE_TEST'],
    ['a hit that should not be', { sql: 'SELECT entity, process_name FROM new_processes' }, 'RULE_TEST'],
    [
      'a test that can not hit',
      { sql: "SELECT entity, process_name FROM new_processes WHERE process_name = 'sh' AND 0" },
      'RULE_TEST',
    ],
    [
      'a sample for no table',
      {
        tests: [
          { name: 'a', given: { sqlite_schema: [{ sql: 'x' }] }, expect: [{ entity: 'x' }] },
          { name: 'b', given: { files: [] }, expect: [] },
        ],
      },
      'RULE_TEST',
    ],
    [
      'a sample for no column',
      {
        tests: [
          { name: 'a', given: { new_processes: [{ nope: 1 }] }, expect: [{ entity: 'x' }] },
          { name: 'b', given: { files: [] }, expect: [] },
        ],
      },
      'RULE_TEST',
    ],
    [
      'an injection in a sample',
      {
        tests: [
          { name: 'a', given: { 'processes" ("entity") VALUES (1); --': [{ a: 1 }] }, expect: [{ entity: 'x' }] },
          { name: 'b', given: { files: [] }, expect: [] },
        ],
      },
      'RULE_TEST',
    ],
  ])('finds %s', async (_, changes, code) => expect(await check(changes)).toMatchObject({ ok: false, code }));

  it('ends one that never ends, and goes on with the next', async () => {
    const endless =
      'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS entity FROM c, new_processes';
    const rules = [rule({ sql: endless }), rule({ id: 'test-0002' })].map((each, i) => ({
      path: `${i}.yaml`,
      rule: each,
    }));
    const [first, second] = await checkRules(rules, { sandbox, deadlineMs: 3000 });
    expect(first).toMatchObject({ ok: false, code: 'RULE_SQL', tests: 0 });
    expect(second).toMatchObject({ ok: true });
  });

  it('refuses the second of two rules with one id', async () => {
    const rules = [rule(), rule({ name: 'Other' })].map((each, i) => ({ path: `${i}.yaml`, rule: each }));
    const [first, second] = await checkRules(rules, { sandbox });
    expect(first).toMatchObject({ ok: true });
    expect(second).toMatchObject({ ok: false, code: 'RULE_DUPLICATE_ID', reason: '0.yaml has the id test-0001 too' });
  });
});

describe('a sequence', () => {
  const step = (name: string) => ({ from: 'process_events', where: `process_name = '${name}' -- a comment` });
  const event = (ts: number, process_name: string, entity: string | null = 'e') => ({
    ts,
    process_name,
    entity,
    event_action: 'exec',
    process_pid: 1,
  });
  const sequence = (events: readonly object[], expected: readonly object[], more: object = {}) =>
    check({
      mode: 'sequence',
      sql: undefined,
      requires: { tables: ['process_events'], capability: ['process-events'] },
      sequence: { by: ['entity'], maxspan: '10s', steps: [step('a'), step('b'), step('c')], ...more },
      tests: [
        { name: 'this', given: { process_events: events }, expect: expected },
        expected.length === 0
          ? {
              name: 'hits',
              given: { process_events: [event(1, 'a'), event(2, 'b'), event(3, 'c')] },
              expect: [{ entity: 'e' }],
            }
          : { name: 'silent', given: { process_events: [event(1, 'a')] }, expect: [] },
      ],
    });
  const ok = { ok: true, tests: 2 };

  it.each<[string, readonly object[], readonly object[], object?]>([
    [
      'in order',
      [event(1000, 'a'), event(2000, 'b'), event(3000, 'c')],
      [{ entity: 'e', first_ts: 1000, last_ts: 3000 }],
    ],
    ['at one moment', [event(1, 'a'), event(1, 'b'), event(1, 'c')], [{ first_ts: 1, last_ts: 1 }]],
    ['out of order', [event(3, 'a'), event(2, 'b'), event(1, 'c')], []],
    ['just within the span', [event(0, 'a'), event(5, 'b'), event(10_000, 'c')], [{ last_ts: 10_000 }]],
    ['just beyond the span', [event(0, 'a'), event(5, 'b'), event(10_001, 'c')], []],
    ['of different processes', [event(1, 'a', 'x'), event(2, 'b', 'y'), event(3, 'c', 'x')], []],
    ['of nobody knows which', [event(1, 'a', null), event(2, 'b', null), event(3, 'c', null)], []],
    [
      'twice: one row',
      [event(1, 'a'), event(2, 'b'), event(3, 'c'), event(4, 'a'), event(5, 'b'), event(6, 'c')],
      [{ first_ts: 1, last_ts: 6 }],
    ],
    ['interrupted', [event(1, 'a'), event(2, 'b'), event(3, 'stop'), event(4, 'c')], [], { until: step('stop') }],
    [
      'interrupted before, then again',
      [event(1, 'a'), event(2, 'stop'), event(3, 'a'), event(4, 'b'), event(5, 'c')],
      [{ first_ts: 3 }],
      { until: step('stop') },
    ],
    [
      'not interrupted by what comes after',
      [event(1, 'a'), event(2, 'b'), event(3, 'c'), event(4, 'stop')],
      [{ last_ts: 3 }],
      { until: step('stop') },
    ],
  ])('%s', async (_, events, expected, more) => expect(await sequence(events, expected, more)).toMatchObject(ok));

  it.each([
    ['that closes its parenthesis to read elsewhere', '1) UNION SELECT sql, 1 FROM sqlite_schema WHERE (1'],
    ['that ends the statement', '1); DROP TABLE processes; SELECT (1'],
    ['that comments out the rest', '1 /*'],
    ['that calls what is not allowed', 'load_extension(process_name) IS NULL'],
  ])('with a condition %s is refused', async (_, where) => {
    const steps = [{ from: 'process_events', where }, step('b')];
    expect(await sequence([], [], { steps })).toMatchObject({ ok: false, code: 'RULE_SQL' });
  });
});

describe('checking files', () => {
  it('reads the YAML files and leaves the others', async () => {
    const files = [
      { path: 'a.yaml', bytes: ruleBytes() },
      { path: 'b.yml', bytes: ruleBytes({ id: 'test-0002' }) },
      { path: 'LICENSE', bytes: utf8('text') },
    ];
    expect(await checkRuleFiles(files, { sandbox })).toMatchObject({
      ok: true,
      rules: [
        { path: 'a.yaml', ok: true, tests: 2 },
        { path: 'b.yml', ok: true },
      ],
    });
  });

  it('refuses all when one is wrong, and says which', async () => {
    const files = [
      { path: 'a.yaml', bytes: ruleBytes() },
      { path: 'sub/broken.yaml', bytes: utf8('a: &x [*x]') },
      { path: 'c.yaml', bytes: ruleBytes({ id: 'test-0003', sql: 'SELECT' }) },
    ];
    const result = await checkRuleFiles(files, { sandbox });
    expect(result.ok).toBe(false);
    expect(result.reason).toMatch(/^sub\/broken\.yaml: .*; 1 more are wrong too$/);
    expect(result.rules.map(({ ok, code }) => [ok, code])).toEqual([
      [true, undefined],
      [false, 'RULE_YAML'],
      [false, 'RULE_SQL'],
    ]);
  });

  it('refuses a bundle without a rule', async () => {
    expect(await checkRuleFiles([{ path: 'rules.txt', bytes: ruleBytes() }], { sandbox })).toMatchObject({
      ok: false,
      rules: [],
    });
  });
});

describe('the library', () => {
  const folder = join(import.meta.dirname, '../../rules/linux');
  const files = readdirSync(folder).map((name) => ({
    path: `linux/${name}`,
    bytes: new Uint8Array(readFileSync(join(folder, name))),
  }));

  it('passes, every rule with its own samples', async () => {
    const result = await checkRuleFiles(files, { sandbox, deadlineMs: 20_000 });
    expect(result.rules.filter(({ ok }) => !ok)).toEqual([]);
    expect(result.rules.length).toBeGreaterThanOrEqual(8);
    expect(result.ok).toBe(true);
  });

  it.each(files.map(({ path, bytes }) => [path, bytes] as const))('%s is ours, tagged and numbered', (path, bytes) => {
    const parsed = parseRule(bytes, path);
    expect(parsed.id).toMatch(/^de-linux-\d{4}$/);
    expect(parsed.license).toBe('Apache-2.0');
    expect(parsed.attack.length).toBeGreaterThan(0);
    expect(parsed.references.length).toBeGreaterThan(0);
  });

  it('has the rule of the tour, which asks for a trace', () => {
    const tour = files.find(({ path }) => path === 'linux/web-server-spawns-shell.yaml');
    expect(parseRule(tour?.bytes ?? new Uint8Array(), 'tour')).toMatchObject({
      id: 'de-linux-0001',
      trace: { network: true },
    });
  });
});
