import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { sha256Digest } from '../../../src/core/digest.ts';
import {
  findTraceFlaw,
  type TracedLine,
  traceLink,
  traceNext,
  traceOpen,
  traceSeed,
  traceStop,
} from '../../../src/core/evidence/trace-chain.ts';

const leaf = (text: string) => sha256Digest(utf8(text));

/** start, two events, stop; `command` is what a TraceCommand would be. */
const startData = (id: string) => ({ trace_id: id, cause: 'rule', depth: 4 });

function trace(command?: ReturnType<typeof leaf>, id = 'T1'): TracedLine[] {
  const seed = traceSeed(startData(id), command);
  let end = traceOpen(id, seed);
  const lines: TracedLine[] = [];
  for (const type of ['trace.start', 'process.exec', 'network.connect']) {
    const own = leaf(`${id} ${type}`);
    lines.push({ type, leaf: own, link: traceLink(end), ...(type === 'trace.start' ? { seed } : {}) });
    end = traceNext(end, own);
  }
  const { tcount, thead, ...link } = traceStop(end);
  return [...lines, { type: 'trace.stop', leaf: leaf('stop'), link, tcount, thead }];
}

const at = (lines: TracedLine[], i: number): TracedLine => lines[i] ?? expect.fail('no such line');
const replaced = (lines: TracedLine[], i: number, change: Partial<TracedLine>) =>
  lines.map((line, k) => (k === i ? { ...line, ...change } : line));

describe('the chain of a trace', () => {
  it('is whole in any order, started by a rule or by a command', () => {
    expect(findTraceFlaw(trace())).toBeUndefined();
    expect(findTraceFlaw(trace(leaf('command')))).toBeUndefined();
    expect(findTraceFlaw(trace().reverse())).toBeUndefined();
  });

  it('starts from the command, or from what its own first line says', () => {
    expect(at(trace(leaf('command')), 0).link).toEqual({ trace_id: 'T1', tseq: 0, tprev: leaf('command') });
    expect(at(trace(), 0).link.tprev).toBe(leaf('{"cause":"rule","depth":4,"trace_id":"T1"}'));
    const linked = { ...startData('T1'), tseq: 0, tprev: leaf('x') };
    expect(traceSeed(linked)).toBe(traceSeed(startData('T1')));
    expect(at(trace(), 3)).toMatchObject({ tcount: 3, thead: at(trace(), 2).leaf, link: { tseq: 3 } });
  });

  it.each<[string, (lines: TracedLine[]) => TracedLine[], { kind: string; tseq: number }]>([
    ['no lines', () => [], { kind: 'missing', tseq: 0 }],
    ['no start', (lines) => lines.slice(1), { kind: 'missing', tseq: 0 }],
    ['a line left out', (lines) => lines.filter((_, i) => i !== 1), { kind: 'missing', tseq: 1 }],
    ['the last event left out', (lines) => lines.filter((_, i) => i !== 2), { kind: 'missing', tseq: 2 }],
    ['no stop', (lines) => lines.slice(0, 3), { kind: 'open', tseq: 2 }],
    ['a line twice', (lines) => [...lines, at(lines, 1)], { kind: 'repeated', tseq: 1 }],
    ['another line in its place', (lines) => replaced(lines, 1, { leaf: leaf('x') }), { kind: 'link', tseq: 2 }],
    ['a start from another command', (lines) => replaced(lines, 0, { seed: leaf('x') }), { kind: 'link', tseq: 0 }],
    ['a first line that is no start', (l) => replaced(l, 0, { type: 'process.exec' }), { kind: 'order', tseq: 0 }],
    ['a second start', (lines) => replaced(lines, 1, { type: 'trace.start' }), { kind: 'order', tseq: 1 }],
    ['an early stop', (lines) => replaced(lines, 1, { type: 'trace.stop' }), { kind: 'order', tseq: 1 }],
    ['a stop with another count', (lines) => replaced(lines, 3, { tcount: 2 }), { kind: 'commitment', tseq: 3 }],
    ['a stop with another head', (l) => replaced(l, 3, { thead: leaf('x') }), { kind: 'commitment', tseq: 3 }],
    [
      'an end cut off and stopped anew',
      (lines) => [
        ...lines.slice(0, 2),
        { ...at(lines, 3), link: { trace_id: 'T1', tseq: 2, tprev: at(lines, 1).leaf } },
      ],
      { kind: 'commitment', tseq: 2 },
    ],
    ['lines of another trace', (l) => [at(l, 0), ...trace(undefined, 'T2').slice(1)], { kind: 'link', tseq: 1 }],
  ])('shows %s', (_, change, flaw) => {
    expect(findTraceFlaw(change(trace()))).toEqual(flaw);
  });
});
