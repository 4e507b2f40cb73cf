import { describe, expect, it } from 'vitest';
import { checkRequires, compareVersions } from '../../../src/verify/checks/requires.ts';
import { parseRoot } from '../../../src/verify/trust-root.ts';
import { expectCode } from '../../support/expect-code.ts';
import {
  expectRefused,
  expectTrusted,
  judge,
  makeBundle,
  pinnedRoot,
  rootDocument,
  rootFile,
  trustOf,
} from '../../support/trust.ts';

describe('the audience of a bundle', () => {
  it.each([[[]], [['site-7']], [['site-6', 'site-7', 'site-8']]])('%j takes in site-7', (audience) => {
    expectTrusted(judge(makeBundle({ statement: { audience } })));
  });

  it.each([[['site-8']], [['site-70', 'site', 'ite-7', 'xsite-7']]])('%j does not take in site-7', (audience) => {
    expectRefused(judge(makeBundle({ statement: { audience } })), 'audience', 'NOT_FOR_THIS_ENCLAVE');
  });

  it('is nobody in particular where the root names no enclave', () => {
    const { enclave: _, ...nameless } = rootDocument();
    const roots = [rootFile(nameless)];
    const trust = trustOf({ pinned: parseRoot(rootFile(nameless).bytes) });
    expectTrusted(judge(makeBundle({ roots }), trust));
    const meant = makeBundle({ roots, statement: { audience: ['site-7'] } });
    expectRefused(judge(meant, trust), 'audience', 'NOT_FOR_THIS_ENCLAVE');
  });

  it('is held against the newest root, when an enclave was renamed', () => {
    const roots = [rootFile(rootDocument()), rootFile(rootDocument({ version: 2, enclave: 'site-9' }))];
    expectTrusted(judge(makeBundle({ roots, statement: { audience: ['site-9'] } })));
    const old = makeBundle({ roots, statement: { audience: ['site-7'] } });
    expectRefused(judge(old), 'audience', 'NOT_FOR_THIS_ENCLAVE');
  });

  it('of a thousand is refused in a line that fits a log', () => {
    const audience = Array.from({ length: 1024 }, (_, i) => `site-${'x'.repeat(50)}-${i}`);
    const verification = judge(makeBundle({ statement: { audience } }));
    expectRefused(verification, 'audience', 'NOT_FOR_THIS_ENCLAVE');
    expect(verification.report('x').checks.every(({ reason }) => reason.length < 1100)).toBe(true);
  });
});

describe('what a bundle calls critical', () => {
  it.each([[['rollout']], [['a', 'b']], [['kind']], [['constructor']]])('%j is not known: refused', (critical) => {
    expectRefused(judge(makeBundle({ statement: { critical } })), 'critical', 'CRITICAL_UNKNOWN');
  });
});

describe('what a bundle requires', () => {
  it.each([{}, { daemoneye: '1.2.3' }, { daemoneye: '0.999999999.0' }, { root: 1 }])('%j is here', (requires) => {
    expectTrusted(judge(makeBundle({ statement: { requires } })));
  });

  it.each([
    [{ daemoneye: '1.2.4' }, 'REQUIRES_TOOL'],
    [{ daemoneye: '1.10.0' }, 'REQUIRES_TOOL'],
    [{ daemoneye: '2.0.0' }, 'REQUIRES_TOOL'],
    [{ root: 2 }, 'REQUIRES_ROOT'],
    [{ daemoneye: '9.0.0', root: 2 }, 'REQUIRES_TOOL'],
  ])('%j is not here', (requires, code) => {
    expectRefused(judge(makeBundle({ statement: { requires } })), 'requires', code);
  });

  it('is a version of the chain, not of the pin', () => {
    const roots = [rootFile(rootDocument()), rootFile(rootDocument({ version: 2 }))];
    expectTrusted(judge(makeBundle({ roots, statement: { requires: { root: 2 } } })));
  });

  it.each(['', '1.2', 'dev', '1.2.x', '1.2.3-rc.1'])('is not met by a tool that calls itself %j', (toolVersion) => {
    const { statement } = judge(makeBundle({ statement: { requires: { daemoneye: '1.2.9' } } }));
    if (statement === undefined) throw new Error('the sample bundle is signed');
    expectCode(() => checkRequires(pinnedRoot(), statement, toolVersion), 'REQUIRES_TOOL');
  });

  it.each([
    ['1.2.3', '1.2.3', 0],
    ['1.2.3', '1.2.10', -1],
    ['1.10.0', '1.9.9', 1],
    ['2.0.0', '1.999.999', 1],
    ['0.0.1', '0.0.0', 1],
  ])('%s against %s is %i', (a, b, sign) => expect(Math.sign(compareVersions(a, b))).toBe(sign));
});
