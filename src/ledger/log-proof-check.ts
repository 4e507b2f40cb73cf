import { utf8 } from '../core/bytes.ts';
import { type Checkpoint, verifyCheckpoint } from '../core/checkpoint.ts';
import { type Report, verdictOf } from '../core/checks.ts';
import { HASHES, type HashFunction } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import type { PublicKey } from '../core/keys.ts';
import { countShown, verifyRange, withheldOf } from '../core/range-proof.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { count } from '../core/wording.ts';
import { CheckList, type Outcome, type Problem } from './check-list.ts';
import { assertLinked } from './epoch-links.ts';
import { type Epochs, isKeyOfLog, keyOfHead } from './epochs.ts';
import { LedgerError } from './errors.ts';
import { parseGenesis } from './genesis.ts';
import { type LogProof, parseLogProof } from './log-proof.ts';
import { RangeAudit } from './range-audit.ts';
import { epochsFromLines } from './rotation.ts';
import { checkTrace } from './trace-check.ts';

export type LogProofClaim = {
  /** The proof file. */
  readonly proof: Uint8Array;
  /** The shown lines, each with its newline. */
  readonly lines: Uint8Array;
  /** The log's key, known from an enrolment or otherwise from outside the proof. */
  readonly key: PublicKey;
  /** Other keys that may have signed lines; the log's own may always. */
  readonly signers?: readonly PublicKey[];
  /** The log it must be of; without it any log of this key. */
  readonly origin?: string;
  /** A faster BLAKE3 than the reference, where there is one. */
  readonly blake3?: HashFunction;
};

type Signed = { readonly proof: LogProof; readonly checkpoint: Checkpoint; readonly epochs: Epochs };
type Read = Signed & { readonly audit: RangeAudit };

/** What to say before it becomes a list: where it is withheld stands in `detail`. */
const MAX_LISTED = 8;
const NEWLINE = 0x0a;

/**
 * Checks what is shown of a range of a log, without the log. Pure. The checks are `proof`, `checkpoint`, `lines`,
 * `line-signatures`, `range` and `trace`; after a failure what builds on it is skipped. What passes: these lines, byte
 * for byte, stand at their places in the log that the key signed, all others of the range are withheld, so many and
 * there, and, where the proof names a trace, none of those belongs to it.
 */
export function verifyLogProof(claim: LogProofClaim): Report {
  const list = new CheckList();
  const proof = list.run('proof', claim, checkProof);
  const signed = list.run('checkpoint', proof, (known) => checkCheckpoint(known, claim));
  const read = list.run('lines', signed, (known) => checkLines(known, claim));
  list.run('line-signatures', read, checkSignatures);
  const placed = list.run('range', read, checkRange);
  list.run('trace', placed === undefined ? undefined : read, checkWhole);
  const verdict = verdictOf(list.checks);
  const detail = read === undefined ? {} : { detail: detailOf(read) };
  return {
    verdict,
    subject: { type: 'ledger', name: signed?.checkpoint.origin ?? claim.origin ?? 'unknown log', ...detail },
    checks: list.checks,
    freshness: { status: 'unknown', reason: 'a proof says what a log held, not that nothing came after' },
    signers:
      signed === undefined ? [] : [{ keyid: keyOfHead(signed.epochs, signed.checkpoint.size).keyid, role: 'log' }],
  };
}

function checkProof({ proof: bytes }: LogProofClaim): Outcome<LogProof> {
  const proof = parseLogProof(bytes);
  const { from, to } = proof.range;
  const what = proof.trace === undefined ? '' : `, claimed to be all of the trace ${escapeForTerminal(proof.trace)}`;
  return { value: proof, reason: `about the range ${from}..${to}${what}` };
}

function checkCheckpoint(proof: LogProof, { key, origin }: LogProofClaim): Outcome<Signed> {
  const { hash, origin: named, size } = proof.range;
  // The kind of hash is part of the signature's type, so a proof can't lie about it.
  const epochs = epochsOf(proof, key);
  const checkpoint = verifyCheckpoint(proof.checkpoint, {
    key: keyOfHead(epochs, size),
    hash,
    origin: origin ?? named,
  });
  if (checkpoint.origin !== named || checkpoint.size !== size) {
    const message = `the checkpoint is over ${checkpoint.size} lines of ${escapeForTerminal(checkpoint.origin)}, the proof over ${size} of ${escapeForTerminal(named)}`;
    throw new CoreError('PROOF_MISMATCH', message, { fault: 'untrusted' });
  }
  assertLinked(HASHES[hash], epochs, checkpoint, proof.keys?.links ?? []);
  const reason = `signed by the key of the log ${escapeForTerminal(named)} over ${count(size, 'line')}`;
  return { value: { proof, checkpoint, epochs }, reason };
}

/** How the key that is known leads to the one that signed: nothing that the proof says of keys counts without it. */
function epochsOf({ keys, range }: LogProof, key: PublicKey): Epochs {
  if (keys === undefined) return [{ key, start: 0 }];
  const genesis = parseGenesis(utf8(keys.genesis));
  const epochs = epochsFromLines(keys.rotations, genesis);
  if (genesis.origin !== range.origin || genesis.hash !== range.hash || !isKeyOfLog(epochs, key)) {
    const message = `the keys of ${escapeForTerminal(genesis.origin)} in the proof do not lead from the key that is known`;
    throw new LedgerError('WRONG_KEY', message, { fault: 'untrusted' });
  }
  return epochs;
}

function checkLines(signed: Signed, { lines, signers = [], blake3 }: LogProofClaim): Outcome<Read> | Problem {
  const { range, trace } = signed.proof;
  const expected = countShown(range);
  const audit = new RangeAudit({
    name: 'the lines',
    range,
    // A hostile count reserves no more than the lines that are there.
    lines: Math.max(0, Math.min(expected, lines.length)),
    hash: range.hash === 'blake3' ? (blake3 ?? HASHES.blake3) : HASHES.sha256,
    epochs: signed.epochs,
    signers,
    ...(trace === undefined ? {} : { traceId: trace }),
  });
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf(NEWLINE, at);
    const ended = end >= 0;
    if (!audit.take(lines.subarray(at, ended ? end : lines.length), ended)) break;
    at = ended ? end + 1 : lines.length;
  }
  audit.finish();
  if (audit.lineFlaw !== undefined) return audit.lineFlaw;
  const reason = `${count(audit.lines, 'line')} shown, canonical, in order, and linked where they stand side by side`;
  return { value: { ...signed, audit }, reason };
}

function checkSignatures({ audit }: Read): Outcome<true> | Problem {
  if (audit.signatureFlaw !== undefined) return audit.signatureFlaw;
  return { value: true, reason: `${count(audit.signed, 'line')} signed, each by a key known for this log` };
}

function checkRange({ proof, checkpoint, audit }: Read): Outcome<true> {
  const { range } = proof;
  verifyRange(audit.hash, { ...range, root: checkpoint.root, leafAt: audit.leaves() });
  const stretches = withheldOf(range);
  const withheld = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
  const listed = stretches.slice(0, MAX_LISTED).map(({ from, to }) => `${from}..${to}`);
  const more = stretches.length > MAX_LISTED ? ` and ${stretches.length - MAX_LISTED} stretches more` : '';
  const where = withheld === 0 ? '' : `: ${listed.join(', ')}${more}`;
  const total = range.to - range.from;
  const reason = `${audit.lines} of ${count(total, 'line')} shown, each in its place, and ${withheld} withheld${where}`;
  return { value: true, reason, detail: { shown: audit.lines, withheld, stretches: stretches.length } };
}

function checkWhole({ proof, audit }: Read): Outcome<true> {
  const { trace } = proof;
  if (trace === undefined) {
    return { value: true, reason: 'no whole trace is claimed: nothing is said about what is withheld' };
  }
  const stranger = audit.traced.length === 0;
  if (stranger) {
    const message = `no shown line is of the trace ${escapeForTerminal(trace)}`;
    throw new LedgerError('TRACE_NOT_WHOLE', message, { fault: 'untrusted' });
  }
  return { value: true, reason: checkTrace(trace, audit.traced) };
}

function detailOf({ proof }: Read): { [key: string]: string | number } {
  const { size, from, to, hash } = proof.range;
  const shown = countShown(proof.range);
  const trace = proof.trace === undefined ? {} : { trace: proof.trace };
  return { size, from, to, shown, withheld: to - from - shown, hash, ...trace };
}
