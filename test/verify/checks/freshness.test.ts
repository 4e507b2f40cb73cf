import { describe, expect, it } from 'vitest';
import type { BundleStatement } from '../../../src/bundle/statement.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { encodeCanonicalJson } from '../../../src/core/jcs.ts';
import type { BundleTrust } from '../../../src/verify/bundle-verification.ts';
import { HEADS } from '../../../src/verify/heads.ts';
import {
  day,
  expectRefused,
  expectTrusted,
  judge,
  makeBundle,
  pinnedRoot,
  ROLES,
  type RootPlan,
  rootDocument,
  rootFile,
  signed,
  trustOf,
} from '../../support/trust.ts';

const MINE: Digest = `sha256:${'11'.repeat(32)}`;
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
  it('is refused where no heads statement answers, and the report says how it stands', () => {
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

describe('a heads statement that answered this enclave', () => {
  const roles = { ...ROLES, heads: { keys: ['heads-a', 'heads-b'], threshold: 2 } };
  const bundle = makeBundle({ statement: { seq: 5, prev: MINE }, roots: [rootFile(rootDocument({ roles }))] });
  type Answer = { seq?: number; payload?: Digest; channel?: string; expires?: string; issuedAt?: string };
  const heads = (answer: Answer = {}, signers = ['heads-a', 'heads-b']) => {
    const {
      seq = 5,
      payload = bundle.payload,
      channel = 'rules/linux',
      issuedAt = day(20),
      expires = day(40),
    } = answer;
    const document = { v: 1, channels: { [channel]: { seq, payload } }, answers: ['a'.repeat(32)], issuedAt, expires };
    return signed(HEADS.payloadType, encodeCanonicalJson(document), signers);
  };
  const judged = (answer?: Parameters<typeof heads>[0], trust: Partial<BundleTrust> = {}, plan: RootPlan = {}) => {
    const trusted = trustOf({ pinned: pinnedRoot({ roles, ...plan }), heads: heads(answer), ...trust });
    return judge({ ...bundle, roots: [rootFile(rootDocument({ roles, ...plan }))] }, trusted);
  };

  it('makes what it names fresh as of its moment, also where that is asked for', () => {
    const verification = judged({}, { requireFresh: true });
    expectTrusted(verification);
    expect(verification.report('x').freshness).toMatchObject({ status: 'fresh', asOf: day(20) });
  });

  it('makes what came after it no less fresh', () => {
    const verification = judged({ seq: 3, payload: MINE }, { requireFresh: true });
    expect(verification.report('x').freshness).toMatchObject({ status: 'fresh', asOf: day(20) });
  });

  it.each<[string, Answer]>([
    ['names a newer one', { seq: 6, payload: MINE }],
    ['says nothing of the channel', { channel: 'rules/windows' }],
  ])('proves nothing when it %s', (_what, answer) => {
    expectTrusted(judged(answer));
    expect(judged(answer).report('x').freshness.status).toBe('not-provable');
    expectRefused(judged(answer, { requireFresh: true }), 'freshness', 'NOT_PROVABLY_FRESH');
  });

  it('proves nothing once it has expired at the floor, be it by the bundle itself', () => {
    expectTrusted(judged({ expires: day(30) }, { requireFresh: true, floor: day(30) }));
    expectRefused(
      judged({ expires: day(30) }, { requireFresh: true, floor: day(31) }),
      'freshness',
      'NOT_PROVABLY_FRESH',
    );
    const early = { issuedAt: day(2), expires: day(9) };
    expectRefused(judged(early, { requireFresh: true }), 'freshness', 'NOT_PROVABLY_FRESH');
  });

  it.each<[string, RootPlan]>([
    [
      'whose key was revoked since',
      {
        revoked: ['heads-b'],
        roles: { ...roles, heads: { keys: ['heads-a', 'heads-c'], threshold: 2 } },
        keys: { 'heads-b': {} },
      },
    ],
    ['whose role was taken away', { roles: ROLES, keys: { 'heads-a': {}, 'heads-b': {} } }],
  ])('proves nothing under a newer root %s', (_what, plan) => {
    const chain = [rootFile(rootDocument({ roles })), rootFile(rootDocument({ roles, ...plan, version: 2 }))];
    const trust = trustOf({ pinned: pinnedRoot({ roles }), heads: heads(), requireFresh: true });
    expectRefused(judge({ ...bundle, roots: chain }, trust), 'freshness', 'NOT_PROVABLY_FRESH');
  });

  it('shows a fork of what it names, and of what follows it, also on a channel never seen', () => {
    expectRefused(judged({ payload: MINE }), 'sequence', 'SEQUENCE_FORK');
    const other: Digest = `sha256:${'33'.repeat(32)}`;
    expectRefused(judged({ seq: 4, payload: other }), 'sequence', 'SEQUENCE_FORK');
    expectTrusted(judged({ seq: 4, payload: MINE }));
  });
});
