import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { sha256Digest } from '../../src/core/digest.ts';
import { RuleError } from '../../src/rules/errors.ts';
import { parseRule } from '../../src/rules/parse.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';
import { PLAIN, rule, ruleBytes } from './support.ts';

const SEQUENCE = {
  by: ['entity'],
  maxspan: '5m',
  steps: [
    { from: 'process_events', where: "event_action = 'exec'" },
    { from: 'connections', where: 'destination_port = 4444' },
  ],
};

describe('a rule', () => {
  it('is read with durations in milliseconds, defaults filled in, and the digest of its bytes', () => {
    expect(
      rule({ references: undefined, trace: { depth: 2, duration: '30s', network: true, files: false } }),
    ).toMatchObject({
      id: 'test-0001',
      version: 3,
      dedup: { key: ['entity'], windowMs: 600_000 },
      trace: { depth: 2, durationMs: 30_000, network: true, files: false },
      references: [],
      budgetMs: 100,
    });
    expect(rule().digest).toBe(sha256Digest(ruleBytes()));
  });

  it('of mode sequence has its steps compiled', () => {
    const { sequence, sql } = rule({ mode: 'sequence', sql: undefined, sequence: SEQUENCE });
    expect(sequence).toMatchObject({ maxSpanMs: 300_000 });
    expect(sql).toContain('step1');
  });

  it.each(Object.keys(PLAIN).filter((field) => field !== 'references' && field !== 'sql'))('needs %s', (field) =>
    expectCode(() => rule({ [field]: undefined }), 'RULE_SCHEMA'),
  );

  it.each<[string, { readonly [field: string]: unknown }]>([
    ['an unknown field', { exec: 'rm -rf /' }],
    ['an id with a path in it', { id: '../x' }],
    ['an id with capitals', { id: 'X' }],
    ['a version of 0', { version: 0 }],
    ['a fractional version', { version: 1.5 }],
    ['a version in words', { version: '1' }],
    ['an unknown severity', { severity: 'urgent' }],
    ['a reference that is no https address', { references: ['javascript:alert(1)'] }],
    ['an unknown tactic', { attack: [{ tactic: 'fun', technique: 'T1059' }] }],
    ['a malformed technique', { attack: [{ tactic: 'execution', technique: '1059' }] }],
    ['an unknown capability', { requires: { tables: ['processes'], capability: ['telepathy'] } }],
    ['no table', { requires: { tables: [], capability: [] } }],
    ['an unknown mode', { mode: 'sometimes' }],
    ['no question', { sql: undefined }],
    ['an empty question', { sql: '' }],
    ['two questions', { sequence: SEQUENCE }],
    ['a sequence without steps', { mode: 'sequence', sql: undefined }],
    ['a sequence with SQL too', { mode: 'sequence', sequence: SEQUENCE }],
    [
      'a sequence of one step',
      { mode: 'sequence', sql: undefined, sequence: { ...SEQUENCE, steps: SEQUENCE.steps.slice(1) } },
    ],
    [
      'a sequence over a quoted table',
      {
        mode: 'sequence',
        sql: undefined,
        sequence: {
          ...SEQUENCE,
          steps: [
            { from: 'a" b', where: '1' },
            { from: 'a', where: '1' },
          ],
        },
      },
    ],
    ['a window without unit', { dedup: { key: ['entity'], window: '10' } }],
    ['a window of nothing', { dedup: { key: ['entity'], window: '0m' } }],
    ['a trace without end', { trace: { depth: 1, network: true, files: true } }],
    ['a budget of an hour', { budget_ms: 3_600_000 }],
    ['a sample with a structured value', { tests: [{ name: 'x', given: { files: [{ a: {} }] }, expect: [] }] }],
    [
      'a sample with a fraction',
      {
        tests: [
          { name: 'x', given: { files: [{ ts: 1.5 }] }, expect: [] },
          { name: 'y', given: { files: [{ ts: 1 }] }, expect: [] },
        ],
      },
    ],
    ['a list instead of a rule', { tests: [] }],
  ])('is refused with %s', (_, changes) => expectCode(() => rule(changes), 'RULE_SCHEMA'));

  const [hit, silent] = PLAIN['tests'] as readonly object[];
  it.each([
    ['only samples that hit', [hit, { ...hit, name: 'again' }]],
    ['only samples that do not', [silent, { ...silent, name: 'again' }]],
    ['two samples of one name', [hit, { ...silent, name: 'hits' }]],
  ])('is refused with %s', (_, tests) => expectCode(() => rule({ tests }), 'RULE_SAMPLES'));

  it('is refused when it is not an object', () => {
    for (const text of ['', '[]', 'x', '1', '- a']) expectCode(() => parseRule(utf8(text), 'x.yaml'), 'RULE_SCHEMA');
  });

  it('names the file in the error, made safe for a terminal', () => {
    expect(() => parseRule(utf8('[]'), 'a\u001b[31m.yaml')).toThrow(/^a\\x1b\[31m\.yaml: /);
  });

  it('never fails in any other way', () => {
    const junk = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .dictionary(fc.constantFrom(...Object.keys(PLAIN)), fc.jsonValue())
        .map((value) => JSON.stringify({ ...PLAIN, ...value })),
    );
    fc.assert(
      fc.property(junk, (text) => {
        try {
          parseRule(utf8(text), 'x.yaml');
        } catch (error) {
          expect(error).toBeInstanceOf(RuleError);
        }
      }),
      { numRuns: runs(200, 10_000) },
    );
  });
});
