import { describe, expect, it } from 'vitest';
import { countHolders, coversChannel, keysOfRole } from '../../src/verify/holders.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { keyid, pinnedRoot } from '../support/trust.ts';

describe('a role limited to channels', () => {
  it.each([
    [undefined, 'anything/at/all', true],
    ['*', 'rules', true],
    ['*', 'rules/a/b', true],
    ['rules', 'rules', true],
    ['rules', 'rules/a', false],
    ['rules', 'rulesx', false],
    ['rules/*', 'rules/a', true],
    ['rules/*', 'rules/a/b', true],
    ['rules/*', 'rules', false],
    ['rules/*', 'rulesx/a', false],
    ['rules/*', 'rules.x/a', false],
    ['rules/*', 'updates/rules/a', false],
    ['rules/a/*', 'rules/ab', false],
    ['rules/a/*', 'rules/b/a', false],
    ['rules.*', 'rulesx', false],
  ])('%s covers %s: %s', (pattern, channel, covered) => {
    const channels = pattern === undefined ? {} : { channels: ['other', pattern] };
    expect(coversChannel({ keyids: [], threshold: 1, ...channels }, channel)).toBe(covered);
  });
});

describe('holders of a role', () => {
  const root = pinnedRoot({
    roles: { root: { keys: ['a', 'b', 'c', 'd'], threshold: 3 } },
    keys: { a: { operator: 'ann' }, b: { operator: 'ann' } },
  });
  const keys = (...names: string[]) => names.map((name) => testKey(name).publicKey);

  it.each([
    [[], 0],
    [['a'], 1],
    [['a', 'b'], 1],
    [['c', 'c', 'c'], 1],
    [['c', 'd'], 2],
    [['a', 'b', 'c', 'd', 'd'], 3],
  ])('%j are %i', (names, holders) => expect(countHolders(root, keys(...names))).toBe(holders));

  it('come in the order of the grant', () => {
    expect(keysOfRole(root, 'root').map((key) => key.keyid)).toEqual(['a', 'b', 'c', 'd'].map(keyid));
  });

  it('of a role that nobody was granted can not be asked for', () => {
    expectCode(() => keysOfRole(root, 'updates'), 'ROLE_NOT_HELD');
  });
});
