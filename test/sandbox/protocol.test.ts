import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChildFrame } from '../../src/sandbox/protocol.ts';
import { refuseProgram } from '../../src/sandbox/sqlite-policy.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

describe('a line from the child', () => {
  it('is an answer of the right shape', () => {
    const line =
      '{"id":1,"columns":["a","b"],"origins":[null,{"table":"t","column":"b"}],"rows":[[null,"x"],[1,2.5]],"reads":{"processes":["a"]}}';
    expect(parseChildFrame(line)).toMatchObject({ kind: 'answer', id: 1, answer: { columns: ['a', 'b'] } });
  });

  it.each([
    '[]',
    'null',
    '{}',
    '{"id":"1","columns":[],"origins":[],"rows":[],"reads":{}}',
    '{"id":1,"columns":["a"],"origins":[null],"rows":[[1,2]],"reads":{}}',
    '{"id":1,"columns":["a"],"origins":[null],"rows":[[{}]],"reads":{}}',
    '{"id":1,"columns":["a"],"origins":[null],"rows":[[true]],"reads":{}}',
    '{"id":1,"columns":[1],"origins":[null],"rows":[],"reads":{}}',
    '{"id":1,"columns":[],"origins":[],"rows":{},"reads":{}}',
    '{"id":1,"columns":[],"origins":[],"rows":[],"reads":{"a":[1]}}',
    '{"id":1,"columns":[],"origins":[],"rows":[]}',
    '{"id":1,"columns":["a"],"origins":[],"rows":[],"reads":{}}',
    '{"id":1,"columns":["a"],"origins":[{"table":1,"column":"a"}],"rows":[],"reads":{}}',
    '{"id":1,"code":"NOT_A_CODE","message":"x"}',
    '{"id":1,"code":"DEADLINE","message":"x"}',
  ])('is refused otherwise: %s', (line) => expectCode(() => parseChildFrame(line), 'CHILD_DIED'));

  it('of any kind never throws anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        try {
          parseChildFrame(line);
        } catch (error) {
          expect(error).toMatchObject({ code: 'CHILD_DIED' });
        }
      }),
      { numRuns: runs(300, 20_000) },
    );
  });
});

describe('a compiled program', () => {
  const step = (opcode: string, p1 = 0, p2 = 0, p3 = 0, p5 = 0) => ({ opcode, p1, p2, p3, p5 });
  const pages = new Set([5]);
  it('may read tables of the contract', () => {
    expect(
      refuseProgram([step('Init'), step('Transaction'), step('OpenRead', 0, 5), step('Halt')], pages),
    ).toBeUndefined();
  });
  it.each([
    ['an opcode nobody listed', step('FutureThing')],
    ['a virtual table', step('VOpen')],
    ['a write', step('OpenWrite', 0, 5)],
    ['a write transaction', step('Transaction', 0, 1)],
    ['the temporary database', step('Transaction', 1, 0)],
    ['a table outside', step('OpenRead', 0, 1)],
    ['a table of another database', step('OpenRead', 0, 5, 2)],
    ['a table from a register', step('OpenRead', 0, 5, 0, 0x10)],
    ['a reopened index outside', step('ReopenIdx', 0, 9)],
  ])('may not use %s', (_, instruction) => expect(refuseProgram([instruction], pages)).toBeTypeOf('string'));
});
