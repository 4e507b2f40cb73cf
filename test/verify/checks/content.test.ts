import { describe, expect, it } from 'vitest';
import { checkContent } from '../../../src/verify/checks/content.ts';
import { expectCode } from '../../support/expect-code.ts';

describe('the content', () => {
  it('is what the injected check says', () => {
    expect(checkContent({ ok: true, reason: 'two rules compiled' })).toBe('two rules compiled');
    expectCode(() => checkContent({ ok: false, reason: 'line 3' }), 'CONTENT_REFUSED');
  });
});
