import { utf8 } from '../../src/core/bytes.ts';
import { parseRule } from '../../src/rules/parse.ts';
import type { Rule } from '../../src/rules/rule.ts';

/** A rule that passes; tests change one thing at a time. */
export const PLAIN: { readonly [field: string]: unknown } = {
  id: 'test-0001',
  name: 'A shell',
  version: 3,
  severity: 'low',
  status: 'test',
  description: 'Finds shells.',
  author: 'Somebody',
  license: 'Apache-2.0',
  references: ['https://example.net/'],
  attack: [{ tactic: 'execution', technique: 'T1059.004' }],
  requires: { tables: ['new_processes'], capability: ['process'] },
  mode: 'incremental',
  sql: "SELECT entity, process_name FROM new_processes WHERE process_name = 'sh'",
  dedup: { key: ['entity'], window: '10m' },
  tests: [
    { name: 'hits', given: { new_processes: [{ process_name: 'sh' }] }, expect: [{ process_name: 'sh' }] },
    { name: 'is silent', given: { new_processes: [{ process_name: 'ls' }] }, expect: [] },
  ],
};

/** JSON is YAML. A field set to undefined is left out. */
export function ruleBytes(changes: { readonly [field: string]: unknown } = {}): Uint8Array {
  return utf8(JSON.stringify({ ...PLAIN, ...changes }));
}

export function rule(changes: { readonly [field: string]: unknown } = {}): Rule {
  return parseRule(ruleBytes(changes), 'rule.yaml');
}
