import { describe, expect, it } from 'vitest';
import type { Cosignature } from '../../src/core/cosignature.ts';
import { isWitnessed, witnessedFloor, witnessKeys } from '../../src/verify/witness.ts';
import { testKey } from '../support/keys.ts';
import { day, keyid, pinnedRoot, ROLES, type RootPlan } from '../support/trust.ts';

const key = (name: string) => testKey(name).publicKey;
const at = (name: string, n: number): Cosignature => ({ name, key: key(name), time: day(n) });
const rootWith = (threshold: number, plan: RootPlan = {}) =>
  pinnedRoot({ ...plan, roles: { ...ROLES, witness: { keys: ['w1', 'w2', 'w3'], threshold } } });

describe('the role witness', () => {
  it('admits its unrevoked keys, and nobody where it is not granted', () => {
    expect(witnessKeys(pinnedRoot({}))).toEqual([]);
    expect(witnessKeys(rootWith(1)).map((one) => one.keyid)).toEqual(['w1', 'w2', 'w3'].map(keyid));
    expect(witnessKeys(rootWith(1, { revoked: ['w2'] })).map((one) => one.keyid)).toEqual(['w1', 'w3'].map(keyid));
  });

  it('counts holders, not keys', () => {
    expect(isWitnessed(pinnedRoot({}), [key('w1')])).toBe(false);
    expect(isWitnessed(rootWith(2), [key('w1')])).toBe(false);
    expect(isWitnessed(rootWith(2), [key('w1'), key('w1')])).toBe(false);
    expect(isWitnessed(rootWith(2), [key('w1'), key('stranger')])).toBe(false);
    expect(isWitnessed(rootWith(2), [key('w1'), key('w3')])).toBe(true);
    const one = rootWith(2, { keys: { w1: { operator: 'ann' }, w2: { operator: 'ann' } } });
    expect(isWitnessed(one, [key('w1'), key('w2')])).toBe(false);
    expect(isWitnessed(rootWith(2, { revoked: ['w3'] }), [key('w1'), key('w3')])).toBe(false);
  });
});

describe("a witness' time", () => {
  it('raises the floor as far as the threshold agrees', () => {
    expect(witnessedFloor(rootWith(1), [at('w1', 10)], day(5))).toBe(day(10));
    expect(witnessedFloor(rootWith(2), [at('w1', 10)], day(5))).toBeUndefined();
    expect(witnessedFloor(rootWith(2), [at('w1', 10), at('w1', 11)], day(5))).toBeUndefined();
    expect(witnessedFloor(rootWith(2), [at('w1', 900), at('w2', 10), at('w3', 12)], day(5))).toBe(day(12));
    expect(witnessedFloor(rootWith(1), [at('w1', 4)], day(5))).toBeUndefined();
  });

  it('counts for nothing without the role, by a revoked or ended key, or after the root expires', () => {
    expect(witnessedFloor(pinnedRoot({}), [at('w1', 10)], day(5))).toBeUndefined();
    expect(witnessedFloor(rootWith(1), [at('stranger', 10)], day(5))).toBeUndefined();
    expect(witnessedFloor(rootWith(1, { revoked: ['w1'] }), [at('w1', 10)], day(5))).toBeUndefined();
    expect(witnessedFloor(rootWith(1), [at('w1', 1001)], day(5))).toBeUndefined();
    const ended = rootWith(1, { keys: { w1: { notAfter: day(8) } } });
    expect(witnessedFloor(ended, [at('w1', 10)], day(5))).toBeUndefined();
    expect(witnessedFloor(ended, [at('w1', 7)], day(5))).toBe(day(7));
    expect(witnessedFloor(ended, [at('w1', 7)], day(9))).toBeUndefined();
  });
});
