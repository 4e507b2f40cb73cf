import { equalBytes } from '../core/bytes.ts';
import { type Checkpoint, parseCheckpoint, verifyCheckpoint } from '../core/checkpoint.ts';
import { type Check, type Report, verdictOf } from '../core/checks.ts';
import type { Cosignature } from '../core/cosignature.ts';
import { formatDigest, HASHES, type HashName } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import { verifyConsistency } from '../core/merkle-proofs.ts';
import { parseNote } from '../core/signed-note.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { parseTime, type Time } from '../core/time.ts';
import { CheckList, type Outcome, type Problem } from './check-list.ts';
import { LedgerError, type LedgerErrorCode } from './errors.ts';
import type { Genesis } from './genesis.ts';
import type { SignedHead } from './heads.ts';
import { malformedRequest, parseRequest, type WitnessRequest } from './witness-request.ts';

/** What a witness knows of a log. */
export type WatchedLog = {
  readonly genesis: Genesis;
  /** What it cosigned last, and when; undefined before the first time. */
  readonly seen: (SignedHead & { readonly cosignature: Cosignature }) | undefined;
};

export type WitnessJudgement = {
  readonly report: Report;
  /** To cosign; only of a trusted report. */
  readonly accepted: (SignedHead & { readonly log: WatchedLog }) | undefined;
  /** The log signed something that does not go with what was seen: worth keeping as evidence. */
  readonly isConflict: boolean;
};

type Asked = { readonly request: WitnessRequest };
type Known = Asked & { readonly log: WatchedLog };
type Signed = Known & { readonly checkpoint: Checkpoint };

const CONFLICTS: readonly string[] = [
  'WITNESS_ROLLBACK',
  'WITNESS_FORK',
  'WITNESS_INCONSISTENT',
] satisfies LedgerErrorCode[];

/**
 * Decides whether a witness may cosign. Pure. The checks, in order: `request`, `log` (one it was told to watch),
 * `signature` (of that log's key), `extension` (of what it saw last), `clock`.
 * @param find the log of an origin, if it is watched
 * @param now the clock of the witness
 */
export function judgeRequest(
  bytes: Uint8Array,
  find: (origin: string) => WatchedLog | undefined,
  now: Time,
): WitnessJudgement {
  const list = new CheckList();
  const asked = list.run('request', bytes, checkRequest);
  const known = list.run('log', asked, (given) => checkLog(given, find));
  const signed = list.run('signature', known, checkSignature);
  const extending = list.run('extension', signed, checkExtension);
  list.run('clock', extending, (given) => checkClock(given, now));
  const { checks } = list;
  const verdict = verdictOf(checks);
  const accepted =
    verdict === 'trusted' && signed !== undefined
      ? { log: signed.log, checkpoint: signed.checkpoint, note: signed.request.note }
      : undefined;
  return {
    report: {
      verdict,
      subject: subjectOf(known, signed),
      checks,
      freshness: { status: 'unknown', reason: 'a witness knows what it was shown, not what it was not shown' },
      signers: known !== undefined && signed !== undefined ? [{ keyid: known.log.genesis.key.keyid, role: 'log' }] : [],
    },
    accepted,
    isConflict: checks.some(({ code }) => code !== undefined && CONFLICTS.includes(code)),
  };
}

function subjectOf(known: Known | undefined, signed: Signed | undefined): Report['subject'] {
  if (known === undefined) return { type: 'ledger', name: 'unknown log' };
  const { origin, digest } = known.log.genesis;
  const detail = signed === undefined ? {} : { detail: { lines: signed.checkpoint.size } };
  return { type: 'ledger', name: origin, digest, ...detail };
}

function checkRequest(bytes: Uint8Array): Outcome<Asked> {
  const request = parseRequest(bytes);
  const { old, proof } = request;
  return { value: { request }, reason: `since ${old} entries, with ${proof.length} hashes` };
}

function checkLog({ request }: Asked, find: (origin: string) => WatchedLog | undefined): Outcome<Known> {
  const { origin } = parseCheckpoint(parseNote(request.note).text);
  const log = find(origin);
  if (log === undefined) {
    const message = `no log ${escapeForTerminal(origin)} is watched here; begin with "ledger witness watch GENESIS --fingerprint F"`;
    throw new LedgerError('WITNESS_LOG_UNKNOWN', message, { fault: 'untrusted' });
  }
  return { value: { request, log }, reason: `${escapeForTerminal(origin)}, watched under ${log.genesis.digest}` };
}

function checkSignature({ request, log }: Known): Outcome<Signed> {
  const { key, hash, origin } = log.genesis;
  const checkpoint = verifyCheckpoint(request.note, { key, hash, origin });
  return { value: { request, log, checkpoint }, reason: `by the log's key, over ${checkpoint.size} entries` };
}

/** A head as people compare it. */
function shownHead({ size, root }: Checkpoint, hash: HashName): string {
  return `${size} entries, root ${formatDigest(hash, root)}`;
}

function checkExtension(signed: Signed): Outcome<Signed> | Problem {
  const { request, checkpoint } = signed;
  const { genesis, seen } = signed.log;
  const { size } = checkpoint;
  if (size === 0 || request.old > size)
    throw malformedRequest(`nothing can be said about ${size} entries since ${request.old}`);
  if (seen === undefined) {
    if (request.old !== 0 || request.proof.length > 0) {
      return problem('WITNESS_STALE', 'nothing of this log was cosigned here yet; ask with --since 0');
    }
    return { value: signed, reason: `the first checkpoint seen: ${shownHead(checkpoint, genesis.hash)}` };
  }
  const before = seen.checkpoint;
  const heads = `seen ${seen.cosignature.time}: ${shownHead(before, genesis.hash)}; given now: ${shownHead(checkpoint, genesis.hash)}`;
  const refused = (code: LedgerErrorCode, reason: string): Problem =>
    problem(code, `${reason}; ${heads}`, detailOf(signed, before));
  if (size < before.size) {
    return refused('WITNESS_ROLLBACK', 'the log is shorter than it was: it was cut back, or this is an old checkpoint');
  }
  if (size === before.size && !equalBytes(checkpoint.root, before.root)) {
    return refused('WITNESS_FORK', 'the log has two histories of one length: it was forked or rewritten');
  }
  if (request.old !== before.size) {
    const reason = `the proof is since ${request.old} entries, and ${before.size} were seen here; ask with --since ${before.size}`;
    return problem('WITNESS_STALE', reason, detailOf(signed, before));
  }
  try {
    const claim = { size1: before.size, size2: size, root1: before.root, root2: checkpoint.root, proof: request.proof };
    verifyConsistency(HASHES[genesis.hash], claim);
  } catch (cause) {
    if (!(cause instanceof CoreError) || cause.code !== 'PROOF_MISMATCH') throw cause;
    return refused(
      'WITNESS_INCONSISTENT',
      'what is given does not extend what was seen: the log was rewritten, or the proof is damaged',
    );
  }
  return { value: signed, reason: `it extends what was seen; ${heads}`, detail: detailOf(signed, before) };
}

function detailOf({ checkpoint, log }: Signed, before: Checkpoint): NonNullable<Check['detail']> {
  const { hash } = log.genesis;
  return {
    seenSize: before.size,
    seenRoot: formatDigest(hash, before.root),
    size: checkpoint.size,
    root: formatDigest(hash, checkpoint.root),
  };
}

/** A witness whose clock went back would contradict itself. */
function checkClock({ log }: Signed, now: Time): Outcome<true> | Problem {
  const last = log.seen?.cosignature.time;
  if (last !== undefined && parseTime(now) < parseTime(last)) {
    return problem(
      'WITNESS_CLOCK',
      `the last cosignature was made at ${last}, and this clock says ${now}; set the clock`,
    );
  }
  return { value: true, reason: `${now}, by the clock of this machine` };
}

function problem(code: LedgerErrorCode, reason: string, detail?: Check['detail']): Problem {
  return { code, reason, ...(detail === undefined ? {} : { detail }) };
}
