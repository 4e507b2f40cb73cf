import { ReleaseError } from '../errors.ts';
import type { ReleaseKey } from '../release-key.ts';
import type { IdentityExpectation } from './identity.ts';
import type { SigstoreRoot } from './trusted-root.ts';

/** Whom to believe, and how much evidence there must be. */
export type SigstoreTrust = {
  readonly root: SigstoreRoot;
  /** The bundle must be signed with a certificate of this identity. */
  readonly identity?: IdentityExpectation;
  /** Or with this key, however the bundle calls it. Give one of the two. */
  readonly key?: ReleaseKey;
  readonly thresholds?: Thresholds;
};

/** Distinct ones of each. A certificate always needs a proven time: without one, nothing says that it had not ended. */
export type Thresholds = {
  /** Transparency logs that have the signature; default 1. 0 trusts the signature alone. */
  readonly logs?: number;
  /** Certificate transparency logs that have the certificate; default 1. */
  readonly certificateLogs?: number;
  /** Logs and timestamp authorities that say when; default 1 with a certificate, 0 with a key without validity. */
  readonly times?: number;
};

/** How many distinct sources of time a verification needs. */
export function wantedTimes({ key, thresholds }: SigstoreTrust): number {
  // Without a certificate's or a key's end there is nothing that a time would be compared with.
  const needed = key === undefined || key.validFor !== undefined ? 1 : 0;
  return Math.max(needed, thresholds?.times ?? needed);
}

/** @param time Unix milliseconds */
export function isInTime({ validFor }: ReleaseKey, time: number): boolean {
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = validFor ?? {};
  return start <= time && time <= end;
}

/**
 * The library accepts a key whose end has passed when nothing says when it signed: here that needs a time.
 * @throws ReleaseError KEY_EXPIRED
 */
export function assertKeyInTime(key: ReleaseKey, times: readonly number[]): void {
  if (key.validFor === undefined) return;
  if (times.length > 0 && times.every((time) => isInTime(key, time))) return;
  throw new ReleaseError('KEY_EXPIRED', 'the key has an end, and nothing proves that it signed before it');
}
