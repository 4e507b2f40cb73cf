import type { Digest } from '../core/digest.ts';
import { VerifyError } from './errors.ts';
import type { VerifiedReceipt } from './receipt.ts';

/**
 * What of a receipt fits into one small QR code: the digest of its payload, and its nonce, as
 *
 *     DEYE-RECEIPT:SHA256:<64 hex digits>:<32 hex digits>
 *
 * in capitals, since QR's alphanumeric alphabet has no others. It proves nothing by itself: who got it another way than
 * the receipt's file (by a photograph, by telephone) can tell that the file is the one that was meant.
 */
const PREFIX = 'DEYE-RECEIPT:SHA256:';
const TAG = /^DEYE-RECEIPT:SHA256:([0-9A-F]{64}):([0-9A-F]{32})$/;
const FINGERPRINT = /^sha256:[0-9a-f]{64}$/;

export type ReceiptTag = {
  readonly payload: Digest;
  /** Absent where somebody has only the fingerprint. */
  readonly nonce?: string;
};

/** @param payload `sha256:<hex>` @param nonce 32 hex digits */
export function encodeReceiptTag(payload: Digest, nonce: string): string {
  return `${PREFIX}${payload.slice('sha256:'.length)}:${nonce}`.toUpperCase();
}

/** A code's text, or a fingerprint `sha256:<hex>`; white space around it does no harm. @throws VerifyError RECEIPT_TAG */
export function parseReceiptTag(text: string): ReceiptTag {
  const word = text.trim();
  if (FINGERPRINT.test(word)) return { payload: word as Digest };
  const [, payload, nonce] = TAG.exec(word) ?? [];
  if (payload === undefined || nonce === undefined) {
    const message = 'neither sha256:<64 hex digits> nor the code of a receipt (DEYE-RECEIPT:SHA256:…)';
    throw new VerifyError('RECEIPT_TAG', message, { fault: 'usage' });
  }
  return { payload: `sha256:${payload.toLowerCase()}` as Digest, nonce: nonce.toLowerCase() };
}

/**
 * Each receipt is one of those that were announced, and none that was announced is lacking.
 * @throws VerifyError RECEIPT_MISMATCH
 */
export function assertAnnounced(receipts: readonly VerifiedReceipt[], tags: readonly ReceiptTag[]): void {
  const fits = ({ payload, document }: VerifiedReceipt, tag: ReceiptTag): boolean =>
    payload === tag.payload && (tag.nonce === undefined || tag.nonce === document.nonce);
  const stranger = receipts.find((receipt) => !tags.some((tag) => fits(receipt, tag)));
  if (stranger !== undefined) {
    const message = `the receipt of the host ${stranger.document.host} is ${stranger.payload}, not the one that was announced`;
    throw new VerifyError('RECEIPT_MISMATCH', message);
  }
  const lacking = tags.find((tag) => !receipts.some((receipt) => fits(receipt, tag)));
  if (lacking !== undefined) {
    throw new VerifyError('RECEIPT_MISMATCH', `no receipt given is the announced ${lacking.payload}`);
  }
}
