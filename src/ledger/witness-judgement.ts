import { equalBytes } from '../core/bytes.ts';
import { type Checkpoint, parseCheckpoint } from '../core/checkpoint.ts';
import { type Check, type Report, verdictOf } from '../core/checks.ts';
import type { Cosignature } from '../core/cosignature.ts';
import { formatDigest, HASHES, type HashName } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import { verifyConsistency } from '../core/merkle-proofs.ts';
import { parseNote } from '../core/signed-note.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { parseTime, type Time } from '../core/time.ts';
import { CheckList, type Outcome, type Problem } from './check-list.ts';
import { currentEpoch, type Epochs, keyOfHead } from './epochs.ts';
import { LedgerError, type LedgerErrorCode } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { type SignedHead, verifyHead } from './heads.ts';
import { followRotations, unextendedHead, wrongEpoch } from './witness-epochs.ts';
import { malformedRequest, parseRequest, type WitnessRequest } from './witness-request.ts';

/** What a witness knows of a log. */
export type WatchedLog = {
  readonly genesis: Genesis;
  /** Its keys, as far as what was cosigned goes. */
  readonly epochs: Epochs;
  /** What it cosigned last, and when; undefined before the first time. */
  readonly seen: (SignedHead & { readonly cosignature: Cosignature }) | undefined;
};

export type WitnessJudgement = {
  readonly report: Report;
  /** To cosign; only of a trusted report. */
  readonly accepted: (SignedHead & { readonly log: WatchedLog; readonly epochs: Epochs }) | undefined;
  /** The log signed something that does not go with what was seen: worth keeping as evidence. */
  readonly isConflict: boolean;
};

type Asked = { readonly request: WitnessRequest };
type Known = Asked & { readonly log: WatchedLog };
/** @property epochs with those that the request brought */
type Signed = Known & { readonly checkpoint: Checkpoint; readonly epochs: Epochs };

const CONFLICTS: readonly string[] = [
  'WITNESS_ROLLBACK',
  'WITNESS_FORK',
  'WITNESS_INCONSISTENT',
  'EPOCH_MISMATCH',
] satisfies LedgerErrorCode[];

/**
 * Decides whether a witness may cosign. Pure. The checks, in order: `request`, `log` (one it was told to watch),
 * `signature` (of the key the log has at that size), `extension` (of what it saw last, and of what each key
 * that gave way signed last), `clock`.
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
      ? { log: signed.log, epochs: signed.epochs, checkpoint: signed.checkpoint, note: signed.request.note }
      : undefined;
  return {
    report: {
      verdict,
      subject: subjectOf(known, signed),
      checks,
      freshness: { status: 'unknown', reason: 'a witness knows what it was shown, not what it was not shown' },
      signers:
        signed === undefined ? [] : [{ keyid: keyOfHead(signed.epochs, signed.checkpoint.size).keyid, role: 'log' }],
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

function checkSignature({ request, log }: Known): Outcome<Signed> | Problem {
  const epochs = followRotations(request, log.genesis, log.epochs);
  try {
    const checkpoint = verifyHead(request.note, log.genesis, epochs);
    const isChanged = epochs.length > log.epochs.length;
    const since = isChanged
      ? `; its key was changed at entry ${currentEpoch(epochs).start}, as the old key signed`
      : '';
    const reason = `by the log's key, over ${checkpoint.size} entries${since}`;
    return { value: { request, log, checkpoint, epochs }, reason };
  } catch (cause) {
    if (!(cause instanceof CoreError) || cause.code !== 'NOTE_SIGNATURE') throw cause;
    const found = wrongEpoch(request.note, log.genesis, epochs) ?? staleKey(request, log);
    if (found === undefined) throw cause;
    return found;
  }
}

/** A request since more than was seen here lacks the changes of the key in between. */
function staleKey({ old }: WitnessRequest, { seen }: WatchedLog): Problem | undefined {
  const size = seen?.checkpoint.size ?? 0;
  if (old === size) return undefined;
  const reason = `the key that signed it is not known here; the request is since ${old} entries, and ${size} were seen: ask with --since ${size}`;
  return problem('WITNESS_STALE', reason);
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
    const reason = `the first checkpoint seen: ${shownHead(checkpoint, genesis.hash)}`;
    return unextendedHead(signed, 0) ?? { value: signed, reason };
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
  const reason = `it extends what was seen; ${heads}`;
  return unextendedHead(signed, before.size) ?? { value: signed, reason, detail: detailOf(signed, before) };
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
