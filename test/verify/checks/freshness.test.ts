import { describe, expect, it } from 'vitest';
import type { BundleStatement } from '../../../src/bundle/statement.ts';
import type { BundleTrust } from '../../../src/verify/bundle-verification.ts';
import {
  day,
  expectRefused,
  expectTrusted,
  judge,
  makeBundle,
  type RootPlan,
  rootDocument,
  rootFile,
  trustOf,
} from '../../support/trust.ts';

const LATER = '.001Z';
const justAfter = (time: string) => time.replace('.000Z', LATER);

/** Judged by version 2 as planned. */
function at(statement: Partial<BundleStatement>, trust: Partial<BundleTrust> = {}, plan: RootPlan = {}) {
  const roots = [rootFile(rootDocument()), rootFile(rootDocument({ ...plan, version: 2 }))];
  return judge(makeBundle({ roots, statement }), trustOf(trust));
}

describe('the end of a bundle', () => {
  const expires = day(30);
  it('has not come while the floor has not passed it', () => {
    expectTrusted(at({ expires }, { floor: day(30) }));
    expectTrusted(at({ expires }));
  });

  it('has come when the floor is past it', () => {
    const verification = at({ expires }, { floor: justAfter(day(30)) });
    expectRefused(verification, 'freshness', 'EXPIRED');
    expect(verification.report('x').freshness).toMatchObject({ status: 'expired', floor: justAfter(day(30)) });
  });

  it('has come when the root that judges was issued after it', () => {
    expectRefused(at({ expires }, {}, { issuedAt: justAfter(day(30)) }), 'freshness', 'EXPIRED');
    expectTrusted(at({ expires }, {}, { issuedAt: day(30) }));
  });

  it('never comes for a bundle that names none', () => expectTrusted(at({}, { floor: day(999) })));

  it('is shown where it is not proved to have come', () => {
    const { freshness } = at({ expires }).report('x');
    expect(freshness).toMatchObject({ status: 'not-provable', floor: day(10), expires });
  });
});

describe('the floor', () => {
  it('is raised by the statement', () => expect(at({ issuedAt: day(10) }).floor).toBe(day(10)));
  it('is raised by the root', () => expect(at({ issuedAt: day(10) }, {}, { issuedAt: day(12) }).floor).toBe(day(12)));
  it('never falls', () => expect(at({ issuedAt: day(10) }, { floor: day(40) }).floor).toBe(day(40)));

  it('is not raised by a statement issued after its root has expired: a wrong clock', () => {
    const verification = at({ issuedAt: justAfter(day(50)) }, {}, { expires: day(50) });
    expectRefused(verification, 'freshness', 'ISSUED_AFTER_ROOT_EXPIRES');
    expect(verification.floor).toBe(day(1));
    const last = at({ issuedAt: day(50) }, {}, { expires: day(50) });
    expectTrusted(last);
    expect(last.floor).toBe(day(50));
  });

  it.each([
    ['signed by nobody who counts', { issuedAt: day(900) }, ['stranger']],
    ['signed by too few', { issuedAt: day(900) }, ['rules-a']],
    ['meant for others', { issuedAt: day(900), audience: ['site-8'] }, ['rules-a', 'rules-b']],
    ['asking for what is not known', { issuedAt: day(900), critical: ['x'] }, ['rules-a', 'rules-b']],
    ['asking for a newer tool', { issuedAt: day(900), requires: { daemoneye: '99.0.0' } }, ['rules-a', 'rules-b']],
  ])('is not raised by a statement %s', (_what, statement, signers) => {
    const verification = judge(makeBundle({ statement, signers }));
    expect(verification.report('x').verdict).toBe('refused');
    expect(verification.floor).toBe(day(1));
  });

  it('is not raised by a replay', () => {
    const channelMemory = () => ({ highestSeq: 9, payload: `sha256:${'ab'.repeat(32)}` as const });
    const verification = judge(makeBundle({ statement: { issuedAt: day(900) } }), trustOf({ channelMemory }));
    expectRefused(verification, 'sequence', 'SEQUENCE_REPLAY');
    expect(verification.floor).toBe(day(1));
  });

  it('is not raised by a root chain that is refused', () => {
    const roots = [rootFile(rootDocument()), rootFile(rootDocument({ version: 2, issuedAt: day(900) }), ['root-a'])];
    const verification = judge(makeBundle({ roots }));
    expectRefused(verification, 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
    expect(verification.floor).toBe(day(1));
  });

  it('stays raised by a verified statement whose files are not there', () => {
    const verification = judge({ ...makeBundle({ statement: { issuedAt: day(20) } }), blobs: new Map() });
    expectRefused(verification, 'blobs', 'BLOB_MISSING');
    expect(verification.floor).toBe(day(20));
  });

  it('makes what an older floor let pass expire', () => {
    const floor = at({ issuedAt: day(40) }).floor;
    expectRefused(at({ expires: day(30) }, { floor }), 'freshness', 'EXPIRED');
  });
});

describe('freshness that has to be proved', () => {
  it('is refused, for no heads statement can answer yet, and the report says how it stands', () => {
    const verification = at({ expires: day(30) }, { requireFresh: true });
    expectRefused(verification, 'freshness', 'NOT_PROVABLY_FRESH');
    expect(verification.report('x').freshness).toMatchObject({
      status: 'not-provable',
      reason: 'no heads statement answers a nonce of this enclave',
      expires: day(30),
    });
  });

  it('is second to having expired', () => {
    expectRefused(at({ expires: day(30) }, { requireFresh: true, floor: day(31) }), 'freshness', 'EXPIRED');
  });

  it('is unknown when nothing got that far', () => {
    expect(judge(makeBundle({ signers: ['x'] })).report('x').freshness.status).toBe('unknown');
  });
});
