import type { Envelope } from '../core/dsse.ts';
import type { Time } from '../core/time.ts';
import type { BundleTrust, BundleVerification } from '../verify/bundle-verification.ts';
import { checkDowngrade, DOWNGRADE, type DowngradeDocument } from '../verify/downgrade.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { type Verified, verifyDocument } from '../verify/signed-document.ts';
import { InstallError } from './errors.ts';
import type { InstallState } from './state.ts';

export type Downgrade = Verified<DowngradeDocument>;

/**
 * The same trust, except that it lets the one bundle pass the sequence that a downgrade statement names.
 * @throws VerifyError as `verifyDocument` and `checkDowngrade`
 */
export function allowing(trust: BundleTrust, state: InstallState, downgrade: Envelope | undefined): BundleTrust {
  if (downgrade === undefined) return trust;
  const { document } = judgeDowngrade(trust.pinned, state, downgrade, state.floor);
  const readmitted = { payload: document.to, why: 'a downgrade statement names it' };
  return {
    ...trust,
    channelMemory: (channel) => {
      const memory = trust.channelMemory(channel);
      return memory && channel === document.channel ? { ...memory, readmitted } : memory;
    },
  };
}

function judgeDowngrade(root: TrustRoot, state: InstallState, envelope: Envelope, floor: Time): Downgrade {
  const verified = verifyDocument(DOWNGRADE, root, envelope, floor);
  checkDowngrade(root, verified, state.channels.get(verified.document.channel)?.active.payload, state.spent);
  return verified;
}

/**
 * The downgrade statement that lets this bundle become active though a newer one was accepted. Judged once more, under
 * the newest root that the bundle brought: it may have revoked who signed the statement.
 * @throws VerifyError as `allowing`; InstallError USE_ROLLBACK
 */
export function goingBack(
  { channels, ...state }: InstallState,
  { statement, payload, chain, floor }: BundleVerification,
  envelope: Envelope | undefined,
): Downgrade | undefined {
  const root = chain.at(-1);
  const held = statement && channels.get(statement.channel);
  if (envelope === undefined || root === undefined || statement === undefined || held === undefined) return undefined;
  if (held.previous?.payload === payload) {
    const { channel } = statement;
    const message = `it is the bundle that was active before: "daemoneye bundle rollback ${channel}" goes back to it`;
    throw new InstallError('USE_ROLLBACK', message, { fault: 'refused' });
  }
  if (statement.seq >= held.highest.seq) return undefined;
  return judgeDowngrade(root, { channels, ...state }, envelope, floor);
}
