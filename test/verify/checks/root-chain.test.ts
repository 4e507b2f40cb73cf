import { describe, expect, it } from 'vitest';
import { checkRootChain } from '../../../src/verify/checks/root-chain.ts';
import { expectCode } from '../../support/expect-code.ts';
import { day, pinnedRoot } from '../../support/trust.ts';

const pinned = pinnedRoot();
const second = pinnedRoot({ version: 2, issuedAt: day(30), expires: day(90) });

describe('the newest root of the chain', () => {
  it('judges, and raises the floor to the day it was issued', () => {
    const judged = checkRootChain(pinned, [pinned, second], day(1));
    expect(judged).toMatchObject({ root: { version: 2 }, floor: day(30) });
    expect(judged.reason).toBe('root version 2, extends the pinned 1');
  });

  it('may be the pinned one', () => {
    const judged = checkRootChain(pinned, [pinned], day(5));
    expect(judged).toMatchObject({ root: { version: 1 }, floor: day(5), reason: 'root version 1, the pinned one' });
  });

  it('is refused once the floor is past its end, and not a moment before', () => {
    expect(checkRootChain(pinned, [pinned, second], day(90)).floor).toBe(day(90));
    expectCode(() => checkRootChain(pinned, [pinned, second], day(91)), 'ROOT_EXPIRED');
  });
});
