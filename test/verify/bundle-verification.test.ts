import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { CoreError } from '../../src/core/errors.ts';
import { BUNDLE_CHECKS, BundleVerification } from '../../src/verify/bundle-verification.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import {
  day,
  expectRefused,
  expectTrusted,
  findBlobs,
  judge,
  keyid,
  makeBundle,
  pinnedRoot,
  ROLES,
  rootDocument,
  rootFile,
  trustOf,
} from '../support/trust.ts';

const bundle = makeBundle();
const first = rootFile(rootDocument());
const second = rootFile(rootDocument({ version: 2, issuedAt: day(5) }));

describe('a bundle that is in order', () => {
  it('is trusted, every check saying why', () => {
    const verification = judge(bundle);
    expectTrusted(verification);
    const report = verification.report('stick/rules-1.tar');
    expect(report.checks.map(({ name }) => name)).toEqual(BUNDLE_CHECKS);
    expect(report.checks.every(({ reason, code }) => reason.length > 3 && code === undefined)).toBe(true);
    expect(report.subject).toEqual({
      type: 'bundle',
      name: 'stick/rules-1.tar',
      digest: bundle.payload,
      detail: { kind: 'rules', channel: 'rules/linux', seq: 1 },
    });
    expect(new Set(report.signers)).toEqual(
      new Set(['rules-a', 'rules-b'].map((name) => ({ keyid: keyid(name), role: 'rules' }))),
    );
    expect(report.freshness).toMatchObject({ status: 'not-provable', floor: day(10) });
  });

  it('gives its statement, entries and identity to who applies it', () => {
    const verification = judge(bundle);
    expect(verification.payload).toBe(bundle.payload);
    expect(verification.statement).toMatchObject({ channel: 'rules/linux', seq: 1 });
    expect(verification.entries.map(({ path }) => path)).toEqual(['linux/exec.yaml', 'linux/net.yaml']);
    expect(verification.chain.map(({ version }) => version)).toEqual([1]);
  });

  it('may have no files', () => expectTrusted(judge(makeBundle({ files: {} }))));

  it('gives the same report every time', () => {
    expect(judge(bundle).report('x')).toEqual(judge(bundle).report('x'));
  });
});

describe('the root chain of a bundle', () => {
  it('extends the pinned version, and the newest judges', () => {
    const exchanged = { ...ROLES, rules: { keys: ['fresh'], threshold: 1 } };
    const roots = [first, rootFile(rootDocument({ version: 2, roles: exchanged }))];
    expectTrusted(judge(makeBundle({ roots, signers: ['fresh'] })));
    expectRefused(judge(makeBundle({ roots })), 'signatures', 'NO_TRUSTED_SIGNATURE');
  });

  it('is what counts when it is newer than the bundle: an old bundle is judged by the new root', () => {
    const trust = trustOf({ pinned: parseRoot(second.bytes) });
    expectTrusted(judge(makeBundle({ roots: [first, second] }), trust));
    expectRefused(judge(bundle, trust), 'root-chain', 'ROOT_ROLLBACK');
  });

  const theirRoles = { root: { keys: ['their-root'] }, rules: { keys: ['their-rules'] } };
  const theirs = rootFile(rootDocument({ roles: theirRoles }), ['their-root']);
  it('of the publisher alone makes nobody trusted: a bundle brings its own root', () => {
    const hostile = makeBundle({ roots: [theirs], signers: ['their-rules'] });
    expectTrusted(judge(hostile, trustOf({ pinned: parseRoot(theirs.bytes) })));
    expectRefused(judge(hostile), 'root-chain', 'ROOT_PIN_MISMATCH');
  });

  it('can not be continued by who has no root key', () => {
    const graft = rootFile(rootDocument({ version: 2, roles: theirRoles }), ['their-root']);
    const hostile = makeBundle({ roots: [first, graft], signers: ['their-rules'] });
    const verification = judge(hostile);
    expectRefused(verification, 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
    expect(verification.chain).toEqual([]);
  });

  it.each([
    ['none', [], 'ROOT_CHAIN_EMPTY'],
    ['a gap', [first, rootFile(rootDocument({ version: 3 }))], 'ROOT_CHAIN_GAP'],
    ['the bundle itself as a root', [{ version: 1, bytes: bundle.envelope }], 'ROOT_MALFORMED'],
    ['rubbish', [{ version: 1, bytes: utf8('{') }], 'ROOT_MALFORMED'],
    ['rubbish after the pinned version', [first, { version: 2, bytes: utf8('{') }], 'ROOT_MALFORMED'],
  ])('is refused with %s', (_what, roots, code) => expectRefused(judge({ ...bundle, roots }), 'root-chain', code));

  it('is refused when its newest version has expired, and kept all the same (TUF 5.3.8 before 5.3.10)', () => {
    const expired = rootFile(rootDocument({ version: 2, expires: day(20) }));
    const verification = judge(makeBundle({ roots: [first, expired] }), trustOf({ floor: day(21) }));
    expectRefused(verification, 'root-chain', 'ROOT_EXPIRED');
    expect(verification.chain.map(({ version }) => version)).toEqual([1, 2]);
    expectTrusted(judge(makeBundle({ roots: [first, expired] }), trustOf({ floor: day(20) })));
  });

  it('may have an expired pinned version when the newest stands', () => {
    const pinned = rootDocument({ expires: day(2) });
    const roots = [rootFile(pinned), second];
    expectTrusted(judge(makeBundle({ roots }), trustOf({ pinned: pinnedRoot({ expires: day(2) }), floor: day(30) })));
  });

  it('is kept when the bundle around it is refused, whichever check refuses it', () => {
    const roots = [first, second];
    const hostile = [
      { ...bundle, roots, envelope: utf8('x') },
      makeBundle({ roots, signers: ['x'] }),
      makeBundle({ roots, statement: { audience: ['site-8'] } }),
      { ...makeBundle({ roots }), index: utf8('x') },
    ];
    for (const one of hostile) {
      const verification = judge(one);
      expect(verification.report('x').verdict).toBe('refused');
      expect(verification.chain.map(({ version }) => version)).toEqual([1, 2]);
      expect(verification.floor >= day(5)).toBe(true);
    }
  });
});

describe('what the rules say about the content', () => {
  const upToContent = () => {
    const verification = new BundleVerification(trustOf());
    verification.containerRead('read');
    expect(verification.head(bundle.envelope, bundle.roots)).toBe(true);
    expect(verification.index(bundle.index)).toBe(true);
    expect(verification.blobs(findBlobs(verification.entries, bundle.blobs))).toBe(true);
    return verification;
  };

  it('decides at the end', () => {
    const verification = upToContent();
    expect(verification.content({ ok: true, reason: 'all compile' })).toBe(true);
    expectTrusted(verification);
  });

  it('is a refusal when it is bad', () => {
    const verification = upToContent();
    expect(verification.content({ ok: false, reason: 'exec.yaml: no such column' })).toBe(false);
    expectRefused(verification, 'content', 'CONTENT_REFUSED');
  });

  it('is a refusal when nobody asked', () => {
    const { verdict, checks } = upToContent().report('x');
    expect(verdict).toBe('refused');
    expect(checks.at(-1)).toMatchObject({ name: 'content', status: 'skipped' });
  });
});

describe('the container', () => {
  it('is a refusal when nobody said it was read to its end', () => {
    const verification = new BundleVerification(trustOf());
    verification.head(bundle.envelope, bundle.roots);
    verification.index(bundle.index);
    verification.blobs({ missing: [], mismatched: [] });
    verification.content({ ok: true, reason: 'fine' });
    const { verdict, checks } = verification.report('x');
    expect(verdict).toBe('refused');
    expect(checks.filter(({ status }) => status !== 'pass')).toMatchObject([{ name: 'container', status: 'skipped' }]);
  });

  const refusal = new CoreError('KEY_MALFORMED', 'data after the end of the archive');
  it('refused late takes everything with it but the verified root chain', () => {
    const verification = judge(makeBundle({ roots: [first, second] }));
    expectTrusted(verification);
    verification.containerRefused(refusal);
    expectRefused(verification, 'container', 'KEY_MALFORMED');
    expect(verification.report('x')).toMatchObject({ signers: [], freshness: { status: 'unknown' } });
    expect(verification.chain.map(({ version }) => version)).toEqual([1, 2]);
  });

  it('once refused stays refused, whatever is called after', () => {
    const verification = new BundleVerification(trustOf());
    verification.containerRefused(refusal);
    verification.containerRead('read to its end');
    expect(verification.head(bundle.envelope, bundle.roots)).toBe(false);
    expect(verification.index(bundle.index)).toBe(false);
    expect(verification.blobs({ missing: [], mismatched: [] })).toBe(false);
    expect(verification.content({ ok: true, reason: 'fine' })).toBe(false);
    expectRefused(verification, 'container', 'KEY_MALFORMED');
  });
});
