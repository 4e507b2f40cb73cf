import { describe, expect, it } from 'vitest';
import { CoreError } from '../../../src/core/errors.ts';
import { BundleVerification } from '../../../src/verify/bundle-verification.ts';
import { checkContainer } from '../../../src/verify/checks/container.ts';
import { findBlobs, makeBundle, trustOf } from '../../support/trust.ts';

describe('the container', () => {
  it('passes once it was read to its end', () => {
    expect(checkContainer({ status: 'end', reason: 'all of it' }, undefined)).toMatchObject({ status: 'pass' });
  });

  it('is not judged before it was opened', () => {
    expect(checkContainer({ status: 'unopened' }, undefined)).toBeUndefined();
    expect(checkContainer({ status: 'unopened' }, 'signatures')).toBeUndefined();
  });

  it('read in part passes only beside the check that ended the reading, and never for trust', () => {
    const open = { status: 'open', reason: 'as far as it was read' } as const;
    expect(checkContainer(open, 'signatures')).toMatchObject({ status: 'pass' });
    expect(checkContainer(open, undefined)).toBeUndefined();
  });

  it('refused fails with its own code, in a line that a terminal survives', () => {
    const error = new CoreError('UTF8_MALFORMED', '\u001b[2J');
    const check = checkContainer({ status: 'refused', error }, undefined);
    expect(check).toEqual({ name: 'container', status: 'fail', code: 'UTF8_MALFORMED', reason: '\\x1b[2J' });
  });

  it('that nobody read to its end makes no bundle trusted, though all else was good', () => {
    const bundle = makeBundle();
    const verification = new BundleVerification(trustOf());
    verification.containerOpened('the head of it');
    verification.head(bundle.envelope, bundle.roots);
    verification.index(bundle.index);
    verification.blobs(findBlobs(verification.entries, bundle.blobs));
    expect(verification.content({ ok: true, reason: 'fine' })).toBe(true);
    const { verdict, checks } = verification.report('x');
    expect(verdict).toBe('refused');
    expect(checks.filter(({ status }) => status !== 'pass')).toMatchObject([{ name: 'container', status: 'skipped' }]);
    verification.containerRead('the rest of it');
    expect(verification.report('x').verdict).toBe('trusted');
    verification.containerOpened('again');
    expect(verification.report('x').verdict).toBe('trusted');
  });
});
