import { type Checkpoint, verifyCheckpoint } from '../core/checkpoint.ts';
import { type Report, verdictOf } from '../core/checks.ts';
import { HASHES, type HashName } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import type { PublicKey } from '../core/keys.ts';
import { verifyInclusion } from '../core/merkle-proofs.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { parseTlogProof, type TlogProof } from '../core/tlog-proof.ts';
import { leafOf } from './chain.ts';
import { CheckList, type Outcome } from './check-list.ts';
import { type Line, parseLine } from './line.ts';

export type EntryProofClaim = {
  /** The `.tlog-proof` file. */
  readonly proof: Uint8Array;
  /** The line, with or without its newline. */
  readonly line: Uint8Array;
  /** The log's key, known from an enrolment or otherwise from outside the proof. */
  readonly key: PublicKey;
  readonly hash: HashName;
  /** The log it must be of; without it any log of this key. */
  readonly origin?: string;
};

type WithLine = { readonly bytes: Uint8Array; readonly line: Line };
type WithProof = WithLine & { readonly proof: TlogProof };
type WithCheckpoint = WithProof & { readonly checkpoint: Checkpoint };

/**
 * Checks one line against one proof, without the log: is it, byte for byte, entry number N of the log whose key this
 * is? Pure. The checks are `line`, `proof`, `checkpoint`, `inclusion`; after a failure the rest is skipped.
 */
export function verifyEntryProof(claim: EntryProofClaim): Report {
  const list = new CheckList();
  const line = list.run('line', claim, checkLine);
  const proof = list.run('proof', line, (known) => checkProof(known, claim));
  const signed = list.run('checkpoint', proof, (known) => checkCheckpoint(known, claim));
  list.run('inclusion', signed, (known) => checkInclusion(known, claim));
  const verdict = verdictOf(list.checks);
  return {
    verdict,
    subject: { type: 'ledger', name: signed?.checkpoint.origin ?? claim.origin ?? 'unknown log' },
    checks: list.checks,
    freshness: { status: 'unknown', reason: 'a proof says what a log held, not that nothing came after' },
    signers: signed === undefined ? [] : [{ keyid: claim.key.keyid, role: 'log' }],
  };
}

function checkLine({ line: given }: EntryProofClaim): Outcome<WithLine> {
  const bytes = given.at(-1) === 0x0a ? given.subarray(0, -1) : given;
  const line = parseLine(bytes);
  return { value: { bytes, line }, reason: `a canonical line of type ${line.type} that says it is entry ${line.seq}` };
}

function checkProof(known: WithLine, claim: EntryProofClaim): Outcome<WithProof> {
  const proof = parseTlogProof(claim.proof);
  if (proof.index !== known.line.seq) {
    throw new CoreError(
      'PROOF_MISMATCH',
      `the proof is about entry ${proof.index}, the line is entry ${known.line.seq}`,
    );
  }
  return { value: { ...known, proof }, reason: `a proof about entry ${proof.index}` };
}

function checkCheckpoint(known: WithProof, claim: EntryProofClaim): Outcome<WithCheckpoint> {
  const checkpoint = verifyCheckpoint(known.proof.checkpoint, claim);
  const reason = `signed by the key of the log ${escapeForTerminal(checkpoint.origin)} over ${checkpoint.size} entries`;
  return { value: { ...known, checkpoint }, reason };
}

function checkInclusion(known: WithCheckpoint, claim: EntryProofClaim): Outcome<true> {
  const hash = HASHES[claim.hash];
  const { index, hashes } = known.proof;
  const { size, root } = known.checkpoint;
  verifyInclusion(hash, { index, size, leaf: leafOf(hash, known.bytes), root, proof: hashes });
  return { value: true, reason: `the line, byte for byte, is entry ${index} of those ${size}` };
}
