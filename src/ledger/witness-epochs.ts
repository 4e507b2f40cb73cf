import { equalBytes } from '../core/bytes.ts';
import { type Checkpoint, parseCheckpoint, verifyCheckpoint } from '../core/checkpoint.ts';
import { HASHES } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import { parseNote } from '../core/signed-note.ts';
import type { Problem } from './check-list.ts';
import type { LogIdentity } from './cosigned.ts';
import { extendsLastHead } from './epoch-links.ts';
import { currentEpoch, type Epochs, keyOfHead } from './epochs.ts';
import type { Genesis } from './genesis.ts';
import { addEpoch } from './rotation.ts';
import { malformedRequest, type WitnessRequest } from './witness-request.ts';

/**
 * The epochs that a witness knows of a log, with those that a request brings.
 * @throws LedgerError as `addEpoch`; REQUEST_MALFORMED for one that stands beyond the checkpoint
 */
export function followRotations({ rotations, note }: WitnessRequest, genesis: Genesis, known: Epochs): Epochs {
  const { size } = parseCheckpoint(parseNote(note).text);
  let epochs = known;
  for (const { line } of rotations) {
    if (known.some((epoch) => epoch.line !== undefined && equalBytes(epoch.line, line))) continue;
    epochs = addEpoch(epochs, genesis, line);
    const { start } = currentEpoch(epochs);
    if (start >= size) throw malformedRequest(`its key was changed at entry ${start}, beyond the ${size} it is about`);
  }
  return epochs;
}

/** A key of the log that signed for lines that weren't its own: it was stolen, or the change of the key was undone. */
export function wrongEpoch(note: Uint8Array, { hash, origin }: Genesis, epochs: Epochs): Problem | undefined {
  for (const { key } of epochs) {
    try {
      const { size } = verifyCheckpoint(note, { key, hash, origin });
      const due = keyOfHead(epochs, size).keyid;
      const reason = `${size} entries are signed by the log's key ${key.keyid}; due there is ${due}`;
      return { code: 'EPOCH_MISMATCH', reason };
    } catch (cause) {
      if (!(cause instanceof CoreError) || cause.code !== 'NOTE_SIGNATURE') throw cause;
    }
  }
  return undefined;
}

/** What a request claims: this head, under these epochs. */
export type ClaimedHead = {
  readonly request: WitnessRequest;
  /** As the witness knows it. */
  readonly log: LogIdentity;
  readonly checkpoint: Checkpoint;
  readonly epochs: Epochs;
};

/**
 * Looks whether the head extends what each key that gave way signed last: no later key may rewrite that. Nor may a change
 * of the key come before what was seen.
 * @param seen entries that the witness saw
 * @throws CoreError PROOF_MALFORMED
 */
export function unextendedHead({ request, log, checkpoint, epochs }: ClaimedHead, seen: number): Problem | undefined {
  const hash = HASHES[log.genesis.hash];
  for (const { line, last } of epochs.slice(log.epochs.length)) {
    if (line === undefined || last === undefined) continue;
    const { size } = last;
    if (size < seen) {
      const reason = `its key is said to have changed at entry ${size}, and the key before it signed ${seen} entries`;
      return { code: 'WITNESS_FORK', reason };
    }
    if (size === 0) continue;
    const proof = request.rotations.find((one) => equalBytes(one.line, line))?.proof ?? [];
    if (!extendsLastHead(hash, last, checkpoint, proof)) {
      const reason = `it does not extend the ${size} entries that an earlier key signed last, root ${last.root}: the log was rewritten, or the proof is damaged`;
      return { code: 'WITNESS_INCONSISTENT', reason };
    }
  }
  return undefined;
}
