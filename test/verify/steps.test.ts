import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CoreError } from '../../src/core/errors.ts';
import { BundleVerification } from '../../src/verify/bundle-verification.ts';
import { runs } from '../support/slow.ts';
import {
  findBlobs,
  makeBundle,
  pinnedRoot,
  rootDocument,
  rootFile,
  type SampleBundle,
  trustOf,
} from '../support/trust.ts';

/** Two bundles, both in order. What was found out about one must never speak for the other. */
const plan = { roles: { root: { keys: ['root-a'] }, rules: { keys: ['rules-a'] } } };
const common = { roots: [rootFile(rootDocument(plan), ['root-a'])], signers: ['rules-a'] };
const bundles: Readonly<Record<'A' | 'B', SampleBundle>> = {
  A: makeBundle({ ...common, files: { a: 'one' } }),
  B: makeBundle({ ...common, files: { b: 'two', c: 'three' } }),
};
const trust = trustOf({ pinned: pinnedRoot(plan) });

type Step = { readonly do: 'read' | 'refuse' | 'head' | 'index' | 'blobs' | 'content'; readonly with: 'A' | 'B' };

function take(verification: BundleVerification, step: Step): void {
  const { envelope, roots, index, blobs } = bundles[step.with];
  if (step.do === 'read') verification.containerRead('read');
  else if (step.do === 'refuse') verification.containerRefused(new CoreError('UTF8_MALFORMED', 'hostile'));
  else if (step.do === 'head') verification.head(envelope, roots);
  else if (step.do === 'index') verification.index(index);
  else if (step.do === 'blobs') verification.blobs(findBlobs(verification.entries, blobs));
  else verification.content({ ok: true, reason: 'fine' });
}

function judgeSteps(steps: readonly Step[]): BundleVerification {
  const verification = new BundleVerification(trust);
  for (const step of steps) take(verification, step);
  return verification;
}

const IN_ORDER = ['head', 'index', 'blobs', 'content'] as const;
const inOrder = (which: 'A' | 'B'): Step[] => [
  { do: 'read', with: which },
  ...IN_ORDER.map((one) => ({ do: one, with: which })),
];

/** What must hold for trust: each step once, in order, of one bundle; the container read, whenever, and never refused. */
function mayBeTrusted(steps: readonly Step[]): boolean {
  const judged = steps.filter((step) => step.do !== 'read');
  const [first] = judged;
  return (
    steps.some((step) => step.do === 'read') &&
    judged.length === IN_ORDER.length &&
    judged.every((step, i) => step.do === IN_ORDER[i] && (step.do === 'content' || step.with === first?.with))
  );
}

const timeout = runs(60_000, 86_400_000);
const verdict = (steps: readonly Step[]) => judgeSteps(steps).report('x').verdict;

describe('the steps of a verification', () => {
  it('in order are trusted', () => {
    expect(verdict(inOrder('A'))).toBe('trusted');
    expect(verdict(inOrder('B'))).toBe('trusted');
  });

  it('may say late that the container was read, and twice', () => {
    const [read, ...rest] = inOrder('A');
    if (read === undefined) throw new Error('it comes first');
    expect(verdict([...rest, read])).toBe('trusted');
    expect(verdict([read, ...rest.slice(0, 2), read, ...rest.slice(2)])).toBe('trusted');
  });

  it.each([
    ['the files before the index, so that nothing is missing', ['read', 'head', 'blobs', 'index', 'content']],
    ['the content first', ['read', 'content', 'head', 'index', 'blobs']],
    ['everything backwards', ['read', 'content', 'blobs', 'index', 'head']],
    ['the index before the statement', ['read', 'index', 'head', 'blobs', 'content']],
    ['no index', ['read', 'head', 'blobs', 'content']],
    ['no files', ['read', 'head', 'index', 'content']],
    ['a step twice', ['read', 'head', 'index', 'index', 'blobs', 'content']],
    ['everything twice', ['read', ...IN_ORDER, ...IN_ORDER]],
    ['a refused container that is read after all', ['refuse', 'read', ...IN_ORDER]],
    ['a refused container in the end', ['read', ...IN_ORDER, 'refuse']],
    ['a refused container that is read again', ['read', ...IN_ORDER, 'refuse', 'read']],
  ] satisfies [string, Step['do'][]][])('with %s are refused', (_what, steps) => {
    expect(verdict(steps.map((one) => ({ do: one, with: 'A' })))).toBe('refused');
  });

  it('out of turn say so, at the check that was out of turn', () => {
    const { checks } = judgeSteps([...inOrder('A'), { do: 'head', with: 'B' }]).report('x');
    expect(checks.find(({ status }) => status === 'fail')).toMatchObject({ name: 'root-chain', code: 'VERIFY_STAGE' });
  });

  it('made for one bundle do not speak for another whose statement comes late', () => {
    const verification = judgeSteps([...inOrder('A'), { do: 'head', with: 'B' }]);
    expect(verification.report('x').verdict).toBe('refused');
    expect(verification.payload).toBe(bundles.A.payload);
  });

  it('in any other order are never trusted', { timeout }, () => {
    const step: fc.Arbitrary<Step> = fc.record({
      do: fc.constantFrom('read', 'refuse', 'head', 'index', 'blobs', 'content'),
      with: fc.constantFrom('A', 'B'),
    });
    // Near misses: the right order with a few steps put in, left out or exchanged.
    const edit = fc.tuple(fc.constantFrom('insert', 'drop', 'replace', 'swap'), fc.nat(), step);
    const edited = fc.tuple(fc.constantFrom('A', 'B'), fc.array(edit, { maxLength: 3 })).map(([which, edits]) => {
      const steps = inOrder(which);
      for (const [what, where, other] of edits) {
        const at = where % (steps.length + 1);
        if (what === 'insert') steps.splice(at, 0, other);
        else if (what === 'drop') steps.splice(at, 1);
        else if (what === 'replace') steps.splice(at, 1, other);
        else steps.splice(at, 2, ...steps.slice(at, at + 2).reverse());
      }
      return steps;
    });
    fc.assert(
      fc.property(fc.oneof(edited, fc.array(step, { maxLength: 10 })), (steps) => {
        const expected = mayBeTrusted(steps) ? 'trusted' : 'refused';
        expect(verdict(steps)).toBe(expected);
      }),
      { numRuns: runs(300, 100_000) },
    );
  });
});
