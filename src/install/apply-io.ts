import { type BundleDiff, type DiffSide, diffBundles } from '../bundle/diff.ts';
import { encodeMedia, type Medium } from '../bundle/medium.ts';
import { openBundle } from '../bundle/read-io.ts';
import type { BundleStatement } from '../bundle/statement.ts';
import { decidingCheck, type Report } from '../core/checks.ts';
import { type Envelope, payloadDigest } from '../core/dsse.ts';
import { embedEnvelope } from '../core/embedded-envelope.ts';
import type { CarriedData } from '../core/event-data.ts';
import { laterTime, type Time } from '../core/time.ts';
import type { BundleTrust } from '../verify/bundle-verification.ts';
import { DOWNGRADE } from '../verify/downgrade.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { parseDocumentEnvelope } from '../verify/signed-document.ts';
import { storeBundle, storeSignatures } from './activation-io.ts';
import { stagedSide, storedSide } from './comparison-io.ts';
import { allowing, type Downgrade, goingBack } from './going-back.ts';
import { heldBlobs } from './held-blobs-io.ts';
import type { LoggedEntry, WritableInstall } from './install-io.ts';
import { notingVolumes } from './noting-volumes.ts';
import { readPinsOf, storePinnedFiles } from './pinned-files-io.ts';
import { judgeStatement } from './refused-statement-io.ts';
import { loadPinnedRoot, storeRoots } from './root-store-io.ts';
import { createStaging, type Staging } from './staging-io.ts';
import { type RevokedBundle, revokedAt, revokedBundles } from './standing.ts';
import type { BundleAppliedEvent, BundleRefusedEvent, InstallState, TrustEvent } from './state.ts';
import {
  type BundleJudgement,
  type ContentCheck,
  type JudgeOptions,
  judgeContainer,
  type OpenContainer,
} from './verify-io.ts';

/** @typeParam C what `compare` finds */
export type ApplyOptions<C = unknown> = Omit<JudgeOptions, 'held'> & {
  readonly toolVersion: string;
  readonly content: ContentCheck;
  readonly acceptGap?: boolean;
  readonly requireFresh?: boolean;
  /** What this enclave answers to besides the name in its trust root. */
  readonly names?: readonly string[];
  readonly dryRun?: boolean;
  /** What the bundle came on, as far as it was read; noted in the log. Asked once all was read. */
  readonly media?: () => readonly Medium[];
  /** Names of the files that were opened so far, for people to be told what is lacking. */
  readonly volumes?: () => readonly string[];
  /** Envelope of a downgrade statement: lets one older bundle become active, once. */
  readonly downgrade?: Uint8Array;
  /** Asked with what would change, after everything was verified; false leaves all as it is. */
  readonly confirm: (plan: ApplyPlan<C>) => Promise<boolean>;
  /** What changes inside the files, for `plan.content`; injected, because what rules are is not known here. */
  readonly compare?: (before: DiffSide | undefined, after: DiffSide) => Promise<C>;
};

export type ApplyPlan<C = unknown> = {
  readonly statement: BundleStatement;
  readonly activeSeq?: number;
  readonly diff: BundleDiff;
  readonly content?: C;
};

export type ApplyOutcome<C = unknown> = {
  readonly report: Report;
  /** Active bundles that the newest trust root has taken back; with `dryRun`, the newest that the bundle brings. */
  readonly revoked: readonly RevokedBundle[];
} & (
  | { readonly status: 'refused'; readonly entry?: LoggedEntry }
  | { readonly status: 'unchanged' }
  | { readonly status: 'declined' | 'dry-run'; readonly plan: ApplyPlan<C> }
  | { readonly status: 'applied'; readonly plan: ApplyPlan<C>; readonly entry: LoggedEntry }
);

/**
 * Verifies a bundle and makes it the active one of its channel.
 *
 * The log entry `bundle.applied` is the commit: before it nothing is in use, after it the links only follow
 * (`activate`), by this run or, after a crash, by the next. So a power cut leaves the old or the new, never a mixture.
 * A refusal is logged as well, and newer verified trust roots are kept even when the bundle around them is refused.
 * @param bundle its path (a directory or tar), or what opens it; `name` is what the report calls it
 * @throws InstallError, BundleError, ArchiveError, LedgerError or DurableError; hostile input is a refusal instead
 */
export async function applyBundle<C = unknown>(
  install: WritableInstall,
  bundle: string | OpenContainer,
  name: string,
  options: ApplyOptions<C>,
): Promise<ApplyOutcome<C>> {
  const pinned = loadPinnedRoot(install.layout, install.state);
  await using staging = createStaging(install.layout.staging, true);
  const downgrade = options.downgrade && parseDocumentEnvelope(DOWNGRADE, options.downgrade);
  const trust = await judgeDowngrade(install, downgrade, options, () =>
    allowing(trustOf(install.state, pinned, options), install.state, downgrade),
  );
  const container = typeof bundle === 'string' ? () => openBundle(bundle) : bundle;
  const held = heldBlobs(install.layout, install.state);
  const readPin = readPinsOf(install.layout);
  const watch = { ...options, held, readPin };
  const judgement = await notingVolumes(staging, options.volumes, () =>
    judgeContainer(container, name, trust, staging, options.content, watch),
  );
  options.signal?.throwIfAborted();
  const { report, verification } = judgement;
  if (options.dryRun !== true) await keepNewerRoots(install, pinned, verification.chain, verification.floor);
  const root = verification.chain.at(-1) ?? pinned;
  const found = () => ({ report, revoked: revokedBundles(root, install.state) });

  const { statement, payload } = verification;
  const after = stagedSide(judgement, staging);
  const carried = encodeMedia(options.media?.() ?? []);
  if (report.verdict !== 'trusted' || statement === undefined || after === undefined) {
    if (options.dryRun === true) return { status: 'refused', ...found() };
    return {
      status: 'refused',
      ...found(),
      entry: await install.append({
        type: 'bundle.refused',
        data: { ...refusalOf(judgement, install.state), ...carried },
      }),
    };
  }
  const channel = install.state.channels.get(statement.channel);
  // Taken back, and then signed anew by others: it may come again.
  const isRevoked = channel !== undefined && revokedAt(root, install.state, statement.channel, channel.active);
  if (channel?.active.payload === payload && !isRevoked) {
    // What was lost or damaged since is put back.
    if (options.dryRun !== true) storePinnedFiles(install.layout, root, after);
    return { status: 'unchanged', ...found() };
  }

  const back = await judgeDowngrade(install, downgrade, options, () =>
    goingBack(install.state, verification, downgrade),
  );
  const before = channel && storedSide(install.layout, statement.channel, channel.active, pinned);
  const plan: ApplyPlan<C> = {
    statement,
    ...(channel === undefined ? {} : { activeSeq: channel.active.seq }),
    diff: diffBundles(before, after),
    ...(options.compare === undefined ? {} : { content: await options.compare(before, after) }),
  };
  if (options.dryRun === true) return { status: 'dry-run', ...found(), plan };
  if (!(await options.confirm(plan))) return { status: 'declined', ...found(), plan };
  options.signal?.throwIfAborted();
  // By their digest, before the bundle moves on; a cut before the log entry leaves nothing but files that a pin names.
  storePinnedFiles(install.layout, root, after);
  const entry = await commit(install, judgement, statement, staging, { back, carried });
  return { status: 'applied', ...found(), plan, entry };
}

/** A downgrade statement that does not count is logged, unless nothing is to be changed. */
async function judgeDowngrade<T>(
  install: WritableInstall,
  downgrade: Envelope | undefined,
  { dryRun = false }: Pick<ApplyOptions, 'dryRun'>,
  judge: () => T,
): Promise<T> {
  if (downgrade === undefined || dryRun) return judge();
  return await judgeStatement(install, 'downgrade', (seen) => {
    seen.payload = payloadDigest(downgrade);
    return judge();
  });
}

/** What a verdict at this enclave rests on. */
export function trustOf(
  state: InstallState,
  pinned: TrustRoot,
  options: Pick<ApplyOptions<never>, 'toolVersion' | 'acceptGap' | 'requireFresh' | 'names'>,
): BundleTrust {
  return {
    pinned,
    floor: state.floor,
    toolVersion: options.toolVersion,
    acceptGap: options.acceptGap ?? false,
    requireFresh: options.requireFresh ?? false,
    names: options.names ?? [],
    channelMemory: (channel) => {
      const highest = state.channels.get(channel)?.highest;
      return highest && { highestSeq: highest.seq, payload: highest.payload };
    },
    heads: state.heads?.envelope,
  };
}

async function commit(
  install: WritableInstall,
  { verification, report, staged }: BundleJudgement,
  statement: BundleStatement,
  staging: Staging,
  { back, carried }: { readonly back: Downgrade | undefined; readonly carried: CarriedData },
): Promise<LoggedEntry> {
  const { payload, chain, floor, entries } = verification;
  const root = chain.at(-1);
  if (staged === undefined || payload === undefined || root === undefined) {
    throw new Error('a bundle can be trusted only when all of it was read');
  }
  const active = install.state.channels.get(statement.channel)?.active;
  if (active?.payload === payload) storeSignatures(install.layout, statement.channel, statement.seq, staged);
  else storeBundle(install.layout, statement.channel, statement.seq, staged, staging);
  const signers = report.signers.map(({ keyid }) => keyid);
  if (back !== undefined && active !== undefined) {
    const { channel, seq } = statement;
    const document = embedEnvelope(back.envelope);
    const from = { from_seq: active.seq, from_payload: active.payload };
    const raised = { root_version: root.version, floor: laterTime(floor, back.document.issuedAt) };
    const { reason } = back.document;
    const data = { channel, seq, payload, ...from, ...raised, reason, signers, document, ...carried };
    return install.append({ type: 'bundle.rolled-back', data });
  }
  const applied: BundleAppliedEvent = {
    kind: statement.kind,
    channel: statement.channel,
    seq: statement.seq,
    payload,
    root_version: root.version,
    floor,
    files: entries.length,
    bytes: statement.bytes,
    ...(active === undefined ? {} : { prev_active: active.payload }),
    signers,
    ...carried,
  };
  return install.append({ type: 'bundle.applied', data: applied });
}

async function keepNewerRoots(
  install: WritableInstall,
  pinned: TrustRoot,
  chain: readonly TrustRoot[],
  floor: Time,
): Promise<void> {
  const newer = chain.filter(({ version }) => version > pinned.version);
  const newest = newer.at(-1);
  if (newest === undefined) return;
  storeRoots(install.layout, newer);
  const rotated: TrustEvent = { version: newest.version, payload: newest.digest, expires: newest.expires, floor };
  await install.append({ type: 'trust.rotated', data: rotated });
  const before = new Set(revokedBundles(pinned, install.state).map(({ channel }) => channel));
  for (const revoked of revokedBundles(newest, install.state)) {
    if (before.has(revoked.channel)) continue;
    await install.append({ type: 'bundle.revoked', data: { ...revoked, root_version: newest.version } });
  }
}

/** What the log says of a refusal. A verified statement raises the floor also when its files are refused. */
export function refusalOf(
  { report, verification }: Pick<BundleJudgement, 'report' | 'verification'>,
  state: InstallState,
): BundleRefusedEvent {
  const check = decidingCheck(report);
  const { payload, statement, floor } = verification;
  return {
    check: check?.name ?? 'container',
    code: check?.code ?? 'CHECK_SKIPPED',
    reason: check?.reason ?? 'a required check was skipped',
    ...(payload === undefined ? {} : { payload }),
    ...(statement === undefined ? {} : { channel: statement.channel, seq: statement.seq }),
    ...(floor > state.floor ? { floor } : {}),
  };
}
