import { diffBundles } from '../bundle/diff.ts';
import type { Report } from '../core/checks.ts';
import { BundleVerification } from '../verify/bundle-verification.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { type ApplyOptions, type ApplyPlan, refusalOf, trustOf } from './apply-io.ts';
import { judgeAttestations, unpackedIn } from './attested-files-io.ts';
import { storedSide } from './comparison-io.ts';
import { InstallError } from './errors.ts';
import type { LoggedEntry, WritableInstall } from './install-io.ts';
import { readPinsOf } from './pinned-files-io.ts';
import { loadPinnedRoot } from './root-store-io.ts';
import type { ChannelState, HeldBundle, InstallState } from './state.ts';
import { openStoredBundle, type StoredBundle } from './stored-bundle-io.ts';
import { assertFilesUnchanged } from './stored-files-io.ts';

/** @typeParam C what `compare` finds */
export type RollbackOptions<C = unknown> = Pick<
  ApplyOptions<C>,
  'toolVersion' | 'content' | 'names' | 'compare' | 'dryRun' | 'signal' | 'confirm'
> & {
  /** One sentence for the log, at most 1,024 characters. */
  readonly reason: string;
};

export type RollbackOutcome<C = unknown> = { readonly report: Report } & (
  | { readonly status: 'refused'; readonly entry?: LoggedEntry }
  | { readonly status: 'declined' | 'dry-run'; readonly plan: ApplyPlan<C> }
  | { readonly status: 'rolled-back'; readonly plan: ApplyPlan<C>; readonly entry: LoggedEntry }
);

/**
 * Makes the bundle active again that was active before. It is judged anew, by the trust root that is pinned now: what
 * was revoked or has expired since does not come back. The files are hashed again, and signatures over
 * them and their content judged again.
 * The entry `bundle.rolled-back` is the commit, as `bundle.applied` is for an apply. The highest seq stays, so what is
 * rolled back from is no replay when it is applied again.
 * @throws InstallError CHANNEL_UNKNOWN, NOTHING_BEFORE, STATE_TAMPERED when a stored file is not as signed;
 *   LedgerError or DurableError
 */
export async function rollBack<C = unknown>(
  install: WritableInstall,
  channel: string,
  options: RollbackOptions<C>,
): Promise<RollbackOutcome<C>> {
  const { layout, state } = install;
  const { held, previous } = requirePrevious(state, channel);
  const pinned = loadPinnedRoot(layout, state);
  const stored = openStoredBundle(layout, channel, previous);
  await assertFilesUnchanged(stored, options.signal);
  const verification = judgeAgain(state, pinned, channel, previous, stored, options);
  const { statement } = verification;
  const name = `${channel} seq ${previous.seq}`;
  await judgeAttestations(verification, unpackedIn(stored.files), readPinsOf(layout), () =>
    options.signal?.throwIfAborted(),
  );
  if (statement !== undefined && verification.due === 'content') {
    verification.content(
      await options.content(statement, stored.entries, stored.files, { carried: stored.readRoots(), pinned }),
    );
  }
  options.signal?.throwIfAborted();
  const report = verification.report(name);
  if (report.verdict !== 'trusted' || statement === undefined) {
    if (options.dryRun === true) return { status: 'refused', report };
    const data = refusalOf({ report, verification }, state);
    return { status: 'refused', report, entry: await install.append({ type: 'bundle.refused', data }) };
  }
  const before = storedSide(layout, channel, held.active, pinned);
  const after = storedSide(layout, channel, previous, pinned);
  const plan: ApplyPlan<C> = {
    statement,
    activeSeq: held.active.seq,
    diff: diffBundles(before, after),
    ...(options.compare === undefined ? {} : { content: await options.compare(before, after) }),
  };
  if (options.dryRun === true) return { status: 'dry-run', report, plan };
  if (!(await options.confirm(plan))) return { status: 'declined', report, plan };
  options.signal?.throwIfAborted();
  const from = { from_seq: held.active.seq, from_payload: held.active.payload };
  const data = { channel, ...previous, ...from, reason: options.reason };
  return { status: 'rolled-back', report, plan, entry: await install.append({ type: 'bundle.rolled-back', data }) };
}

function requirePrevious(state: InstallState, channel: string): { held: ChannelState; previous: HeldBundle } {
  const held = state.channels.get(channel);
  if (held === undefined) {
    throw new InstallError('CHANNEL_UNKNOWN', 'nothing was ever applied on this channel; see "daemoneye bundle list"');
  }
  if (held.previous === undefined) {
    const message = `nothing before seq ${held.active.seq} is kept; an older one needs its bundle and a downgrade statement`;
    throw new InstallError('NOTHING_BEFORE', message, { fault: 'refused' });
  }
  return { held, previous: held.previous };
}

/** Every check of an apply up to the files, under the pinned root as it is now. */
function judgeAgain(
  state: InstallState,
  pinned: TrustRoot,
  channel: string,
  previous: HeldBundle,
  stored: StoredBundle,
  options: Pick<RollbackOptions<never>, 'toolVersion' | 'names'>,
): BundleVerification {
  const trust = trustOf(state, pinned, options);
  const readmitted = { payload: previous.payload, why: 'the one that was active before' };
  const verification = new BundleVerification({
    ...trust,
    channelMemory: (name) => {
      const memory = trust.channelMemory(name);
      return memory && name === channel ? { ...memory, readmitted } : memory;
    },
  });
  verification.containerRead('as it was stored here when it was applied');
  if (verification.head(stored.envelopeBytes) && verification.index(stored.index)) {
    // `assertFilesUnchanged` has looked at all of them.
    verification.blobs({ missing: [], mismatched: [] });
  }
  return verification;
}
