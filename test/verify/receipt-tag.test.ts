import { describe, expect, it } from 'vitest';
import { encodeReceiptTag, parseReceiptTag } from '../../src/verify/receipt-tag.ts';
import { expectCode } from '../support/expect-code.ts';

const payload = `sha256:${'0a'.repeat(32)}` as const;
const nonce = 'f0'.repeat(16);

describe('the tag of a receipt', () => {
  it('comes back as it went', () => {
    const text = encodeReceiptTag(payload, nonce);
    expect(text).toMatch(/^[0-9A-Z $%*+./:-]+$/);
    expect(parseReceiptTag(` ${text}\n`)).toEqual({ payload, nonce });
    expect(parseReceiptTag(payload)).toEqual({ payload });
  });

  it.each([
    ['nothing', ''],
    ['a short digest', payload.slice(0, -1)],
    ['another hash', payload.replace('sha256', 'blake3')],
    ['capitals in a fingerprint', payload.toUpperCase()],
    ['a tag without its nonce', encodeReceiptTag(payload, '')],
    ['a tag with more behind it', `${encodeReceiptTag(payload, nonce)}00`],
    ['two tags', `${encodeReceiptTag(payload, nonce)} ${encodeReceiptTag(payload, nonce)}`],
  ])('is not %s', (_what, text) => {
    expectCode(() => parseReceiptTag(text), 'RECEIPT_TAG');
  });
});
