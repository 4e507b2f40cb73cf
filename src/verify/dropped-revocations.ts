import type { Digest } from '../core/digest.ts';
import type { KeyId } from '../core/keys.ts';
import type { LogHead, RevokedKey, RootDocument } from './root-document.ts';

/** What one version of a trust root revoked and a later one no longer does. */
export type DroppedRevocations = {
  readonly keys: readonly KeyId[];
  readonly payloads: readonly Digest[];
  /** Keys that stay revoked, but for more log heads than before. */
  readonly spared: readonly KeyId[];
};

/**
 * Compares what two versions revoke. The newest version alone says what is revoked, so a revocation that is missing in
 * it is taken back: whoever can get a few lines lost from a draft that others sign unread could bring a stolen key back.
 * That has to be meant, and seen.
 * @returns undefined when nothing is taken back
 */
export function droppedRevocations(previous: RootDocument, next: RootDocument): DroppedRevocations | undefined {
  const now = new Map(next.revoked.keys.map((revoked) => [revoked.keyid, revoked]));
  const payloadsNow = new Set(next.revoked.payloads);
  const keys = previous.revoked.keys.flatMap(({ keyid }) => (now.has(keyid) ? [] : [keyid]));
  const payloads = previous.revoked.payloads.filter((payload) => !payloadsNow.has(payload));
  const spared = previous.revoked.keys.flatMap((before) => {
    const after = now.get(before.keyid);
    return after !== undefined && sparesMore(before, after) ? [before.keyid] : [];
  });
  return keys.length + payloads.length + spared.length === 0 ? undefined : { keys, payloads, spared };
}

function sparesMore(before: RevokedKey, after: RevokedKey): boolean {
  const heads = new Set(before.validThrough?.map(headOf));
  return (after.validThrough ?? []).some((head) => !heads.has(headOf(head)));
}

/** What tells heads apart. */
export function headOf({ origin, size, root }: LogHead): string {
  return JSON.stringify([origin, size, root]);
}

/** How many revocations are taken back over a chain of versions, oldest first. */
export function countDropped(chain: readonly RootDocument[]): number {
  return chain.reduce((sum, next, i) => {
    const previous = chain[i - 1];
    const dropped = previous === undefined ? undefined : droppedRevocations(previous, next);
    return sum + (dropped === undefined ? 0 : dropped.keys.length + dropped.payloads.length + dropped.spared.length);
  }, 0);
}
