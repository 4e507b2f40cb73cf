import { describe, expect, it } from 'vitest';
import type { Digest } from '../../../src/core/digest.ts';
import type { Time } from '../../../src/core/time.ts';
import {
  day,
  expectRefused,
  expectTrusted,
  judge,
  keyid,
  makeBundle,
  pinnedRoot,
  type RootPlan,
  rootDocument,
  rootFile,
  trustOf,
} from '../../support/trust.ts';

const three = ['rules-a', 'rules-b', 'rules-c'];
const roles = {
  root: { keys: ['root-a', 'root-b'], threshold: 2 },
  rules: { keys: [...three, 'rules-d'], threshold: 2 },
};

/** Judged by version 2 as planned, which the bundle brings along. */
function judgeUnder(plan: RootPlan, signers: readonly string[], floor: Time = day(1), issuedAt: Time = day(10)) {
  const first = { roles };
  const roots = [rootFile(rootDocument(first)), rootFile(rootDocument({ roles, ...plan, version: 2 }))];
  const bundle = makeBundle({ roots, signers, statement: { issuedAt } });
  return judge(bundle, trustOf({ pinned: pinnedRoot(first), floor }));
}

describe('a revoked bundle', () => {
  const { payload } = makeBundle();
  it('is refused though all keys stand', () => {
    expectTrusted(judgeUnder({}, three));
    expectRefused(judgeUnder({ revokedPayloads: [payload] }, three), 'revocation', 'PAYLOAD_REVOKED');
  });

  it('is refused whoever signs it again: the payload is its identity', () => {
    const plan = { revokedPayloads: [payload] };
    expectRefused(judgeUnder(plan, ['rules-c', 'rules-d']), 'revocation', 'PAYLOAD_REVOKED');
  });

  it('is that one alone', () => {
    const others = [`sha256:${'ab'.repeat(32)}`, makeBundle({ files: { a: 'b' } }).payload] as Digest[];
    expectTrusted(judgeUnder({ revokedPayloads: others }, three));
  });
});

describe('revoked keys', () => {
  it('refuse a bundle exactly when the threshold needs them', () => {
    const plan = { revoked: ['rules-a'] };
    expectRefused(judgeUnder(plan, ['rules-a', 'rules-b']), 'revocation', 'KEY_REVOKED');
    expectTrusted(judgeUnder(plan, ['rules-a', 'rules-b', 'rules-c']));
    expectTrusted(judgeUnder(plan, ['rules-b', 'rules-c']));
  });

  it('are not named as signers of what is trusted', () => {
    const signers = judgeUnder({ revoked: ['rules-a'] }, three)
      .report('x')
      .signers.map((signer) => signer.keyid);
    expect(signers.sort()).toEqual(['rules-b', 'rules-c'].map(keyid).sort());
  });

  it('refuse also when an operator has another key that did not sign', () => {
    const keys = { 'rules-a': { operator: 'rita' }, 'rules-d': { operator: 'rita' } };
    const plan = { revoked: ['rules-a'], keys };
    expectRefused(judgeUnder(plan, ['rules-a', 'rules-b']), 'revocation', 'KEY_REVOKED');
    expectTrusted(judgeUnder(plan, ['rules-d', 'rules-b']));
  });

  it('have no part in a bundle even alone', () => {
    const plan = { revoked: ['rules-a', 'rules-b'] };
    expectRefused(judgeUnder(plan, ['rules-a', 'rules-b']), 'revocation', 'KEY_REVOKED');
  });

  it('revoke only what the role needs: a revoked root key is nothing to rules', () => {
    const withThird = { ...roles, root: { keys: ['root-a', 'root-b', 'root-c'], threshold: 2 } };
    expectTrusted(judgeUnder({ roles: withThird, revoked: ['root-c'] }, ['rules-a', 'rules-b']));
  });
});

describe('keys past their notAfter', () => {
  const ending = (...names: string[]) => ({
    keys: Object.fromEntries(names.map((name) => [name, { notAfter: day(20) }])),
  });

  it('count until the floor has passed it', () => {
    expectTrusted(judgeUnder(ending('rules-a'), ['rules-a', 'rules-b'], day(20)));
    const late = judgeUnder(ending('rules-a'), ['rules-a', 'rules-b'], '2027-01-21T00:00:00.001Z');
    expectRefused(late, 'revocation', 'KEY_EXPIRED');
  });

  it('refuse a bundle exactly when the threshold needs them', () => {
    expectRefused(judgeUnder(ending('rules-a', 'rules-b'), three, day(21)), 'revocation', 'KEY_EXPIRED');
    const verification = judgeUnder(ending('rules-a'), three, day(21));
    expectTrusted(verification);
    const signers = verification.report('x').signers.map((signer) => signer.keyid);
    expect(signers.sort()).toEqual(['rules-b', 'rules-c'].map(keyid).sort());
  });

  it('are held against the root that judges: its issuedAt has passed', () => {
    const plan = { ...ending('rules-a'), issuedAt: day(21) };
    expectRefused(judgeUnder(plan, ['rules-a', 'rules-b']), 'revocation', 'KEY_EXPIRED');
  });

  it('can not sign for a day after it, nor raise the floor there', () => {
    const verification = judgeUnder(ending('rules-a'), ['rules-a', 'rules-b'], day(1), day(900));
    expectRefused(verification, 'revocation', 'KEY_EXPIRED');
    expect(verification.floor).toBe(day(1));
    expectTrusted(judgeUnder(ending('rules-a'), ['rules-a', 'rules-b'], day(1), day(20)));
  });

  it('are counted out together with revoked ones', () => {
    const plan = { ...ending('rules-a'), revoked: ['rules-b'] };
    expectRefused(judgeUnder(plan, three, day(21)), 'revocation', 'KEY_EXPIRED');
    expectTrusted(judgeUnder(plan, [...three, 'rules-d'], day(21)));
  });
});
