import { expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { diffRules } from '../../src/rules/diff.ts';
import { PLAIN, ruleBytes } from './support.ts';

const file = (path: string, changes: { readonly [field: string]: unknown } = {}) => ({
  path,
  bytes: ruleBytes(changes),
});
const SQL = String(PLAIN['sql']);

it('tells rules apart by their ids, wherever their files lie', () => {
  const before = [file('a.yaml'), file('gone.yaml', { id: 'test-0002', name: 'Gone' })];
  const after = [file('b.yaml'), file('new.yaml', { id: 'test-0003', name: 'New' })];
  const diff = diffRules(before, after);
  expect(diff).toMatchObject({
    added: [{ id: 'test-0003', name: 'New', path: 'new.yaml', attack: ['T1059.004 execution'] }],
    removed: [{ id: 'test-0002', name: 'Gone' }],
    unchanged: 0,
    unreadable: [],
  });
  expect(diff.changed).toMatchObject([
    { fields: [{ field: 'path', before: 'a.yaml', after: 'b.yaml' }], sql: [], versionKept: false },
  ]);
  expect(diffRules(before, before)).toMatchObject({ added: [], removed: [], changed: [], unchanged: 2 });
});

it('shows changed SQL line by line, tags that came and went, and a version that should have been raised', () => {
  const sql = 'SELECT entity, process_name\nFROM new_processes\nWHERE process_name';
  const tags = [{ tactic: 'collection', technique: 'T1005' }];
  const [change] = diffRules(
    [file('a.yaml', { sql: `${sql} = 'sh'` })],
    [file('a.yaml', { sql: `${sql} IN ('sh', 'bash')`, attack: tags })],
  ).changed;
  expect(change?.sql).toEqual([
    { kind: 'same', text: 'SELECT entity, process_name' },
    { kind: 'same', text: 'FROM new_processes' },
    { kind: 'removed', text: "WHERE process_name = 'sh'" },
    { kind: 'added', text: "WHERE process_name IN ('sh', 'bash')" },
  ]);
  expect(change?.fields).toEqual([{ field: 'attack', before: ['T1059.004 execution'], after: ['T1005 collection'] }]);
  expect(change?.versionKept).toBe(true);
  const raised = diffRules([file('a.yaml')], [file('a.yaml', { sql: `${SQL} OR 1`, version: 4 })]).changed[0];
  expect(raised?.versionKept).toBe(false);
});

it.each<[string, { readonly [field: string]: unknown }, boolean]>([
  ['name', { name: 'Other' }, false],
  ['severity', { severity: 'high' }, false],
  ['status', { status: 'stable' }, false],
  ['description', { description: 'Other.' }, false],
  ['author', { author: 'Other' }, false],
  ['license', { license: 'MIT' }, false],
  ['references', { references: [] }, false],
  ['budget_ms', { budget_ms: 7 }, false],
  ['requires.tables', { requires: { tables: ['processes'], capability: ['process'] } }, true],
  ['requires.capability', { requires: { tables: ['new_processes'], capability: [] } }, true],
  ['mode', { mode: 'snapshot' }, true],
  ['dedup', { dedup: { key: ['entity'], window: '1h' } }, true],
  ['trace', { trace: { depth: 1, duration: '5s', network: true, files: true } }, false],
  [
    'samples',
    {
      tests: [
        { name: 'hits', given: { new_processes: [{ process_name: 'sh' }] }, expect: [{ process_name: 'sh' }] },
        { name: 'is silent', given: { new_processes: [{ process_name: 'dash' }] }, expect: [] },
      ],
    },
    false,
  ],
])('no field of a rule can change unseen: %s', (field, changes, versionKept) => {
  const [change] = diffRules([file('a.yaml')], [file('a.yaml', changes)]).changed;
  expect(change?.fields.map((one) => one.field)).toEqual([field]);
  expect(change?.versionKept).toBe(versionKept);
});

it('hides no rule behind another of its id, and names what is no rule', () => {
  const twin = file('z.yaml', { sql: `${SQL} OR 1` });
  const diff = diffRules([file('a.yaml')], [file('a.yaml'), twin, { path: 'x.yml', bytes: utf8('- 1') }]);
  expect(diff).toMatchObject({ unchanged: 1, changed: [], added: [] });
  expect(diff.unreadable).toMatchObject([
    { side: 'after', path: 'z.yaml', reason: 'a.yaml has the id test-0001 too' },
    { side: 'after', path: 'x.yml' },
  ]);
});

it('tells of a file that only its comments changed', () => {
  const text = Buffer.from(ruleBytes()).toString();
  const diff = diffRules([file('a.yaml')], [{ path: 'a.yaml', bytes: utf8(`# looked at\n${text}`) }]);
  expect(diff.changed).toMatchObject([{ fields: [], sql: [], versionKept: false }]);
});
