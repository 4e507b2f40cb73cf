import { describe, expect, it } from 'vitest';
import { Affirmed } from '../../src/core/affirmed.ts';
import { utf8 } from '../../src/core/bytes.ts';

function counting(answer: boolean) {
  let asked = 0;
  return {
    ask: () => {
      asked += 1;
      return answer;
    },
    asked: () => asked,
  };
}

describe('what was affirmed', () => {
  it('is not asked again, of the very same bytes', () => {
    const affirmed = new Affirmed(8);
    const yes = counting(true);
    for (let i = 0; i < 3; i++) expect(affirmed.unlessKnown(utf8('a'), yes.ask)).toBe(true);
    expect(yes.asked()).toBe(1);
    for (const other of ['', 'b', 'A', 'a\0', 'aa']) affirmed.unlessKnown(utf8(other), yes.ask);
    expect(yes.asked()).toBe(6);
  });

  it('was never a no, nor an error', () => {
    const affirmed = new Affirmed(8);
    const no = counting(false);
    for (let i = 0; i < 3; i++) expect(affirmed.unlessKnown(utf8('a'), no.ask)).toBe(false);
    expect(no.asked()).toBe(3);
    const fails = () => {
      throw new Error('asked');
    };
    for (let i = 0; i < 2; i++) expect(() => affirmed.unlessKnown(utf8('a'), fails)).toThrow('asked');
    expect(affirmed.unlessKnown(utf8('a'), () => true)).toBe(true);
  });

  it('is bounded: the oldest is asked again, and what is refused pushes nothing out', () => {
    const affirmed = new Affirmed(3);
    for (const name of ['a', 'b', 'c']) affirmed.unlessKnown(utf8(name), () => true);
    for (let i = 0; i < 100; i++) affirmed.unlessKnown(utf8(`no ${i}`), () => false);
    const again = counting(true);
    for (const name of ['a', 'b', 'c']) affirmed.unlessKnown(utf8(name), again.ask);
    expect(again.asked()).toBe(0);
    affirmed.unlessKnown(utf8('d'), again.ask);
    affirmed.unlessKnown(utf8('c'), again.ask);
    expect(again.asked()).toBe(1);
    affirmed.unlessKnown(utf8('a'), again.ask);
    expect(again.asked()).toBe(2);
  });
});
