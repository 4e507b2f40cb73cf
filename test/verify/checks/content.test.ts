import { describe, expect, it } from 'vitest';
import { checkContent } from '../../../src/verify/checks/content.ts';
import { VerifyError } from '../../../src/verify/errors.ts';
import { expectCode } from '../../support/expect-code.ts';

describe('the content', () => {
  it('is what the injected check says', () => {
    expect(checkContent({ ok: true, reason: 'two rules compiled' })).toBe('two rules compiled');
    expectCode(() => checkContent({ ok: false, reason: 'line 3' }), 'CONTENT_REFUSED');
  });

  it('is refused by a closer code, where there is one', () => {
    const cause = new VerifyError('REQUIRES_TOOL', 'too old');
    expectCode(() => checkContent({ ok: false, reason: 'x', cause }), 'REQUIRES_TOOL');
  });
});
