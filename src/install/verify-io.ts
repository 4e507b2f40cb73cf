import { MAX_INDEX_BYTES } from '../bundle/format.ts';
import type { IndexEntry } from '../bundle/index-lines.ts';
import { expectedBlobs } from '../bundle/index-lines.ts';
import { type BlobSink, type BundleReader, openBundle } from '../bundle/read-io.ts';
import type { BundleStatement } from '../bundle/statement.ts';
import { watchedSink } from '../bundle/watched-sink.ts';
import type { Report } from '../core/checks.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { type BundleTrust, BundleVerification, type ContentVerdict } from '../verify/bundle-verification.ts';
import { attestedFiles } from '../verify/checks/attestations.ts';
import type { RootFile } from '../verify/root-chain.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { judgeAttestations, unjudged, unpackedIn } from './attested-files-io.ts';
import { type HeldBlobs, takeHeldBlobs } from './held-blobs-io.ts';
import { type ReadPin, readNoPins } from './pinned-files-io.ts';
import type { Staging } from './staging-io.ts';

/**
 * Judges what is in the files: for `rules`, that they compile and their samples pass. Injected, because verifying
 * runs no SQL itself. The files lie under `filesDirectory` at their install paths.
 */
export type ContentCheck = (
  statement: BundleStatement,
  entries: readonly IndexEntry[],
  filesDirectory: string,
  roots: ContentRoots,
) => Promise<ContentVerdict>;

/** What the content of a bundle of kind trust is held against. */
export type ContentRoots = {
  /** The chain that the bundle carries. */
  readonly carried: readonly RootFile[];
  /** Undefined where nothing is pinned, as when a bundle is built. */
  readonly pinned?: TrustRoot;
};

/** What was read of a bundle, verbatim; its files are in the staging directory. */
export type StagedBundle = {
  readonly envelope: Uint8Array;
  readonly rootChain: readonly RootFile[];
  readonly index: Uint8Array;
};

export type BundleJudgement = {
  readonly report: Report;
  readonly verification: BundleVerification;
  /** Present when everything was read, whatever the verdict of the last checks. */
  readonly staged?: StagedBundle;
};

/** Who waits for a verification: may end it, and hears how far it is. */
export type JudgeOptions = {
  readonly signal?: AbortSignal;
  /** Told with every piece: bytes gone through so far, and in all. A file in chunks, or with attestations, counts twice. */
  readonly progress?: (done: number, total: number) => void;
  /** Blobs that are here already and need not travel: a delta leaves them out. */
  readonly held?: HeldBlobs;
  /** Files that the trust root pins, for attestations that rest on one; none without it. */
  readonly readPin?: ReadPin;
};

/** What `bundle/read-io.ts` and `bundle/volumes` open. Called once, and what it opens is closed. */
export type OpenContainer = () => Promise<BundleReader>;

/**
 * Reads a bundle once, from a directory or tar, into private staging while it is hashed, and verifies it as it
 * arrives. Only the staged copy is ever used: a stick may answer differently the second time.
 * @throws BundleError, ArchiveError or DurableError when the bundle can't be read at all (missing, no permission, no
 *   space); everything hostile becomes a failed check instead
 */
export function judgeBundle(
  path: string,
  name: string,
  trust: BundleTrust,
  staging: Staging,
  content: ContentCheck,
  options: JudgeOptions = {},
): Promise<BundleJudgement> {
  return judgeContainer(() => openBundle(path), name, trust, staging, content, options);
}

/** The same for a container from anywhere. */
export async function judgeContainer(
  openContainer: OpenContainer,
  name: string,
  trust: BundleTrust,
  staging: Staging,
  content: ContentCheck,
  options: JudgeOptions = {},
): Promise<BundleJudgement> {
  const verification = new BundleVerification(trust);
  const watch = watching(options);
  let staged: StagedBundle | undefined;
  try {
    const reader = await openContainer();
    try {
      staged = await readInto(reader, verification, staging, watch, options.held);
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (!(error instanceof DaemonEyeError) || error.fault !== 'untrusted') throw error;
    verification.containerRefused(error);
  }
  const { statement, entries } = verification;
  if (staged !== undefined && statement !== undefined && verification.due !== undefined) {
    const roots = { carried: staged.rootChain, pinned: trust.pinned };
    await judgeFiles(
      verification,
      staging,
      () => content(statement, entries, staging.files, roots),
      watch,
      options.readPin,
    );
  }
  return { report: verification.report(name), verification, ...(staged === undefined ? {} : { staged }) };
}

/** What the files themselves are judged by, once they are laid out: who else signed them, and what their kind asks. */
async function judgeFiles(
  verification: BundleVerification,
  staging: Staging,
  judgeContent: () => Promise<ContentVerdict>,
  watch: Watch,
  readPin: ReadPin = readNoPins,
): Promise<void> {
  const { entries, attested } = verification;
  const refusal = await layOut(entries, staging);
  if (refusal !== undefined) {
    if (attested.length > 0) verification.attestations(unjudged(attested, refusal));
    else verification.content({ ok: false, reason: refusal.message });
    return;
  }
  watch.check();
  await judgeAttestations(verification, unpackedIn(staging.files), readPin, watch.gone);
  watch.check();
  if (verification.due === 'content') verification.content(await judgeContent());
}

/** What keeps the bundle's files from being laid out as they were signed. */
async function layOut(entries: readonly IndexEntry[], staging: Staging): Promise<DaemonEyeError | undefined> {
  try {
    await staging.materialise(entries);
    return undefined;
  } catch (error) {
    if (error instanceof DaemonEyeError && error.fault === 'untrusted') return error;
    throw error;
  }
}

async function readInto(
  reader: BundleReader,
  verification: BundleVerification,
  staging: Staging,
  watch: Watch,
  held: HeldBlobs | undefined,
): Promise<StagedBundle | undefined> {
  const { envelope, rootChain } = await reader.readHead();
  verification.containerOpened(`${reader.transport} in order, as far as it was read`);
  if (!verification.head(envelope, rootChain) || verification.statement === undefined) return undefined;
  watch.check();
  // The signed statement bounds the index; the fixed cap bounds the statement.
  const index = await reader.readIndex(Math.min(verification.statement.index.size, MAX_INDEX_BYTES));
  if (!verification.index(index)) return undefined;
  watch.check();
  const expected = expectedBlobs(verification.entries);
  const joined = verification.entries.filter(({ chunks }) => chunks !== undefined);
  const again = [...joined, ...attestedFiles(verification.entries)];
  watch.expect([...expected.values(), ...again.map(({ size }) => size)]);
  if (verification.payload !== undefined) staging.goOn(verification.payload, { envelope, index });
  const sink = watchedSink(staging.sink(verification.entries, watch.gone), watch.gone);
  const here = await blobsHere(expected, staging, sink, held, watch);
  const findings = await reader.readBlobs(expected, sink, here);
  verification.containerRead(`${reader.transport} read to its end, nothing in it that is not listed`);
  verification.blobs(findings);
  return { envelope, rootChain, index };
}

/** What need not be read: left by an interrupted run, or part of a bundle that is here. */
async function blobsHere(
  expected: ReadonlyMap<string, number>,
  staging: Staging,
  sink: BlobSink,
  held: HeldBlobs | undefined,
  watch: Watch,
): Promise<ReadonlySet<string>> {
  try {
    const left = await staging.recover(watch.gone);
    const wanted = [...expected].filter(([sha256]) => !left.has(sha256));
    const taken = held === undefined ? [] : await takeHeldBlobs(held, new Map(wanted), sink);
    return new Set([...left, ...taken]);
  } catch (thrown) {
    await sink.abandon?.();
    throw thrown;
  }
}

/** Counts bytes for who waits, and ends the work when they want it ended. */
type Watch = {
  readonly check: () => void;
  readonly expect: (sizes: readonly number[]) => void;
  readonly gone: (bytes: number) => void;
};

function watching({ signal, progress }: JudgeOptions): Watch {
  let [done, total] = [0, 0];
  return {
    check: () => signal?.throwIfAborted(),
    expect: (sizes) => {
      total = sizes.reduce((sum, size) => sum + size, 0);
    },
    gone: (bytes) => {
      signal?.throwIfAborted();
      done += bytes;
      progress?.(done, total);
    },
  };
}
