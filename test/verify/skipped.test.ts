import { describe, expect, it } from 'vitest';
import { decidingCheck, skipped, verdictOf } from '../../src/core/checks.ts';
import { BUNDLE_CHECKS, BundleVerification } from '../../src/verify/bundle-verification.ts';
import { findBlobs, judge, makeBundle, trustOf } from '../support/trust.ts';

/** A required check that was skipped is a refusal: each of them, however good the others are. */

const bundle = makeBundle();
const trusted = judge(bundle).report('x');

describe('a report in which one check was skipped', () => {
  it('is the only thing that keeps it from trust', () => expect(trusted.verdict).toBe('trusted'));

  it.each(BUNDLE_CHECKS)('%s: is a refusal, and names it', (name) => {
    const checks = trusted.checks.map((check) => (check.name === name ? skipped(name, 'nobody asked') : check));
    expect(verdictOf(checks)).toBe('refused');
    expect(decidingCheck({ ...trusted, checks })?.name).toBe(name);
  });

  it('has no check at all: is a refusal', () => expect(verdictOf([])).toBe('refused'));
});

describe('a verification whose caller leaves a step out', () => {
  const steps = {
    container: (verification: BundleVerification) => verification.containerRead('all of it'),
    head: (verification: BundleVerification) => verification.head(bundle.envelope, bundle.roots),
    index: (verification: BundleVerification) => verification.index(bundle.index),
    blobs: (verification: BundleVerification) => verification.blobs(findBlobs(verification.entries, bundle.blobs)),
    content: (verification: BundleVerification) => verification.content({ ok: true, reason: 'fine' }),
  };

  it.each(Object.keys(steps))('%s: is refused, every check still named in its place', (left) => {
    const verification = new BundleVerification(trustOf());
    for (const [name, step] of Object.entries(steps)) if (name !== left) step(verification);
    const { verdict, checks } = verification.report('x');
    expect(verdict).toBe('refused');
    expect(checks.map(({ name }) => name)).toEqual(BUNDLE_CHECKS);
    expect(checks.some(({ status }) => status === 'skipped')).toBe(true);
  });

  it('and makes none: is refused', () => {
    const { verdict, checks } = new BundleVerification(trustOf()).report('x');
    expect(verdict).toBe('refused');
    expect(checks.every(({ status }) => status === 'skipped')).toBe(true);
  });
});
