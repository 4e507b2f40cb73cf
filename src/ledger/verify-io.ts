import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Checkpoint } from '../core/checkpoint.ts';
import { type Report, verdictOf } from '../core/checks.ts';
import type { PublicKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { count } from '../core/wording.ts';
import { DurableError } from '../durable/errors.ts';
import { Audit } from './audit.ts';
import { type Audited, judgeAudit, signedHeads } from './audit-checks.ts';
import { type Batch, Batches } from './batches-io.ts';
import { CheckList, type Outcome } from './check-list.ts';
import { copiedHeads } from './copied-io.ts';
import { currentEpoch, type Epochs, isKeyOfLog, lastHeads } from './epochs.ts';
import { type EpochsReading, readEpochs } from './epochs-io.ts';
import { LedgerError } from './errors.ts';
import {
  CHECKPOINTS_DIRECTORY,
  ENTRIES_DIRECTORY,
  entriesFileName,
  HISTORY_FILE,
  MAX_HISTORY_LINE_BYTES,
} from './format.ts';
import type { Genesis } from './genesis.ts';
import { createHashFunction } from './hashing.ts';
import type { Heads } from './heads.ts';
import { HistoryAudit } from './history-audit.ts';
import { batchSigners } from './line-batch.ts';
import { assertLedger, readGenesis, readHeads } from './open-io.ts';
import type { WalkedLine } from './place.ts';
import type { Prunes } from './prune-audit.ts';
import { firstKept, prunedLeaves } from './pruned-io.ts';
import { breathe, type EntriesListing, listEntries, scanLines } from './scan-io.ts';
import { TreeAudit } from './tree-audit.ts';
import { PASS_READ_AHEAD, StoredTree } from './tree-files-io.ts';
import { walkEntries } from './walk-io.ts';

export type VerifyLedgerOptions = {
  /**
   * The log's key as known from outside the log: an enrolment, or this host's own key file. Without it the report
   * refuses, because a key that is only found beside what it signed says nothing about who wrote it.
   */
  readonly key?: PublicKey;
  /** Other keys that may have signed lines; the log's own may always. */
  readonly signers?: readonly PublicKey[];
  /** Checkpoints of this log known from elsewhere, already verified. */
  readonly anchors?: readonly Checkpoint[];
  /** It is a copy that was made while the log was written: judged by the newest checkpoint that it holds whole. */
  readonly isCopy?: boolean;
  /** Judges who ordered that lines were dropped; without it a `log.prune` entry counts by itself. */
  readonly prunes?: Prunes;
  /** Cores to spread the checking of signatures over; default: all. */
  readonly cores?: number;
};

/** A thread takes as long to start as a thousand signatures to check. */
const WORTH_A_THREAD = 1000;

/**
 * Checks a whole log, reading only, in one pass and flat memory. A writer may be at work meanwhile: what it appends
 * after the start doesn't matter. The checks, in order: `genesis`, `epochs`, `head`, `lines`, `tree`, `history`, `signatures`,
 * `clock`, `anchors`. What passes was written by the key, in this order, and not changed since; that nothing was cut
 * off the end is known only up to the newest anchor.
 * @throws LedgerError LEDGER_NOT_FOUND (a wrong path is no verdict) or HASH_UNAVAILABLE
 */
export async function verifyLedger(directory: string, options: VerifyLedgerOptions = {}): Promise<Report> {
  assertLedger(directory);
  const list = new CheckList();
  let genesis: Genesis | undefined;
  let reading: EpochsReading | undefined;
  list.run('genesis', directory, () => {
    genesis = readGenesis(directory);
    reading = readEpochs(directory, genesis);
    return checkKey(genesis, reading, options.key);
  });
  // Without the key from outside, the rest is still worth knowing: whether the log agrees with itself.
  const usable =
    options.key === undefined || list.checks.every(({ status }) => status === 'pass') ? genesis : undefined;
  const historyEnd = historySize(directory);
  const epochs = list.run('epochs', usable === undefined ? undefined : reading, checkEpochs);
  const heads = list.run('head', epochs === undefined ? undefined : usable, (known) =>
    options.isCopy === true ? checkCopiedHead(directory, known) : checkHead(directory, known),
  );
  const start =
    usable === undefined || epochs === undefined || heads === undefined
      ? undefined
      : { genesis: usable, epochs: newest(epochs, readEpochs(directory, usable)), heads };
  const audited = start === undefined ? undefined : await audit(directory, start, options, historyEnd);
  judgeAudit(list, audited);
  return report(list, genesis, audited, directory);
}

function checkKey(genesis: Genesis, { epochs }: EpochsReading, key: PublicKey | undefined): Outcome<true> {
  const { host, origin, createdAt } = genesis;
  const what = `the log ${escapeForTerminal(origin)} of host ${escapeForTerminal(host)}, created ${createdAt}`;
  if (key === undefined) {
    const reason = `${what}, names its own key; that proves nothing about who wrote it: give the key you expect`;
    throw new LedgerError('KEY_NOT_GIVEN', reason, { fault: 'untrusted' });
  }
  // Any epoch's key will do: each was passed on by the one before, and vouches for all that was there when it came.
  if (!isKeyOfLog(epochs, key)) {
    throw new LedgerError('WRONG_KEY', `${what}, is of another key than the one expected`, { fault: 'untrusted' });
  }
  return { value: true, reason: `${what}, of the expected key` };
}

function checkEpochs({ epochs, problem }: EpochsReading): Outcome<Epochs> {
  if (problem !== undefined) throw problem;
  const rotations = epochs.length - 1;
  const reason =
    rotations === 0
      ? 'its key was never changed'
      : `its key was changed ${count(rotations, 'time')}, each time signed by the old key and the new; epoch ${rotations} began with line ${currentEpoch(epochs).start}`;
  return { value: epochs, reason, detail: { rotations } };
}

/** The key may have been changed before the head was read: its epoch is known after it. */
function newest(before: Epochs, { epochs }: EpochsReading): Epochs {
  return epochs.length > before.length ? epochs : before;
}

function checkHead(directory: string, genesis: Genesis): Outcome<Heads> {
  const heads = readHeads(directory, genesis);
  if ('problem' in heads) throw heads.problem;
  const { size } = heads.newest.checkpoint;
  const [slot] = heads.damaged;
  const torn = slot === undefined ? '' : `; the other slot, head.${slot}, is damaged, as a crash can leave it`;
  const detail = { size, ...(slot === undefined ? {} : { damagedSlot: slot }) };
  return { value: heads, reason: `signed by the log's key over ${size} lines${torn}`, detail };
}

function checkCopiedHead(directory: string, genesis: Genesis): Outcome<Heads> {
  const heads = copiedHeads(directory, genesis);
  const { size } = heads.newest.checkpoint;
  const beyond = heads.signed > size ? `; the newest in it covers ${heads.signed}, of which the rest is not here` : '';
  const reason = `as a copy: the newest checkpoint that it holds whole is signed by the log's key over ${size} lines${beyond}`;
  return { value: heads, reason, detail: { size, signed: heads.signed } };
}

function report(
  list: CheckList,
  genesis: Genesis | undefined,
  audited: Audited | undefined,
  directory: string,
): Report {
  const { checks } = list;
  const verdict = verdictOf(checks);
  const known = genesis === undefined ? {} : { digest: genesis.digest };
  const detail = audited === undefined ? {} : { detail: { lines: audited.audit.size, hash: audited.genesis.hash } };
  return {
    verdict,
    subject: { type: 'ledger', name: genesis?.origin ?? directory, ...known, ...detail },
    checks,
    freshness: {
      status: 'unknown',
      reason: 'only a checkpoint known elsewhere shows that nothing was cut off the end',
    },
    signers:
      verdict === 'trusted' && audited !== undefined
        ? [{ keyid: currentEpoch(audited.epochs).key.keyid, role: 'log' }]
        : [],
  };
}

type Start = { readonly genesis: Genesis; readonly epochs: Epochs; readonly heads: Heads };

async function audit(
  directory: string,
  { genesis, epochs, heads }: Start,
  { signers = [], anchors = [], isCopy = false, prunes, cores }: VerifyLedgerOptions,
  historyEnd: number | undefined,
): Promise<Audited> {
  using stored = new StoredTree(directory, PASS_READ_AHEAD);
  const tree = new TreeAudit((level, index, hash) => stored.holds(level, index, hash));
  const signedSize = heads.newest.checkpoint.size;
  // In a copy, the history may be from a later moment than the lines.
  const most = isCopy ? Number.MAX_SAFE_INTEGER : signedSize;
  const history = new HistoryAudit(historyLines(directory, historyEnd), genesis, epochs, most);
  const known = [...anchors, ...lastHeads(epochs, genesis)];
  const sizes = [...signedHeads(heads), ...known].map(({ size }) => size);
  const hash = await createHashFunction(genesis.hash);
  const pass = new Audit({ genesis, hash, signedSize, sizes, epochs, signers, tree, history, prunes });
  const context = { hash: genesis.hash, signers: batchSigners(epochs, signers) };
  await using batches = signedSize < WORTH_A_THREAD ? undefined : Batches.on(context, cores);
  const surplus = await walk(directory, genesis, { pass, stored, signedSize, batches });
  return { genesis, epochs, heads, audit: pass, tree, history, surplus, anchors };
}

type Walk = {
  readonly pass: Audit;
  readonly stored: StoredTree;
  readonly signedSize: number;
  readonly batches: Batches | undefined;
};

/** @returns the names in entries/ that the walk did not come to */
async function walk(
  directory: string,
  genesis: Genesis,
  { pass, stored, signedSize, batches }: Walk,
): Promise<string[]> {
  try {
    const listing = listEntries(directory);
    const { rotate } = genesis.limits;
    const first = firstKept(listing, genesis, signedSize);
    for (const leaf of prunedLeaves(stored, first)) if (!pass.takePruned(leaf)) return [];
    const walked = walkEntries(directory, rotate, listing, { seq: first, offset: 0 });
    walking: for await (const { plain, lines } of batches?.of(walked) ?? oneByOne(walked)) {
      if (plain === undefined || !pass.takePlain(plain)) {
        for (const line of lines()) if (!pass.take(line)) break walking;
      }
      await breathe();
    }
    return surplusNames(listing, pass.size, rotate);
  } catch (cause) {
    if (!(cause instanceof DurableError || cause instanceof LedgerError)) throw cause;
    pass.lines ??= { code: cause instanceof LedgerError ? cause.code : 'FILE_UNREADABLE', reason: cause.message };
    return [];
  }
}

function* oneByOne(walked: Iterable<readonly WalkedLine[]>): Generator<Batch, void, undefined> {
  for (const lines of walked) yield { plain: undefined, lines: () => lines };
}

/** A file may begin at most where the next line goes. */
function surplusNames({ firstSeqs, strangers }: EntriesListing, size: number, rotate: number): string[] {
  const beyond = firstSeqs.filter((firstSeq) => firstSeq > size || firstSeq % rotate !== 0).map(entriesFileName);
  return [...beyond, ...strangers].map((name) => `${ENTRIES_DIRECTORY}/${name}`);
}

/** How long the history is before anything else is read, so that what is added meanwhile stays out. */
function historySize(directory: string): number | undefined {
  return statSync(join(directory, CHECKPOINTS_DIRECTORY, HISTORY_FILE), { throwIfNoEntry: false })?.size;
}

function* historyLines(directory: string, end: number | undefined): Generator<Uint8Array, void, undefined> {
  if (end === undefined) throw new LedgerError('HISTORY_MISSING', `there is no ${HISTORY_FILE}`, { fault: 'tampered' });
  for (const lines of scanLines(join(directory, CHECKPOINTS_DIRECTORY, HISTORY_FILE), MAX_HISTORY_LINE_BYTES)) {
    for (const { bytes, offset, ended } of lines) {
      if (!ended || offset + bytes.length >= end) return;
      yield bytes;
    }
  }
}
