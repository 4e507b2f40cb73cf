import { equalBytes } from '../core/bytes.ts';
import { type Checkpoint, parseCheckpoint, verifyCheckpoint } from '../core/checkpoint.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { parseNote } from '../core/signed-note.ts';
import { type Epochs, keyOfHead } from './epochs.ts';
import { LedgerError } from './errors.ts';
import type { HeadSlot } from './format.ts';
import type { Genesis } from './genesis.ts';

/** A checkpoint and the signed note it came in. */
export type SignedHead = { readonly checkpoint: Checkpoint; readonly note: Uint8Array };

/** What a slot holds: a head, or why not. */
export type SlotReading =
  | (SignedHead & { readonly slot: HeadSlot })
  | { readonly slot: HeadSlot; readonly problem: DaemonEyeError };

export type Heads = {
  readonly newest: SignedHead & { readonly slot: HeadSlot };
  /** The slot before it, where that is readable. */
  readonly older: SignedHead | undefined;
  /** In a copy, whose newest checkpoint may stand in the history: what else was signed. */
  readonly more?: readonly SignedHead[];
  /** A crash can tear the slot being written; never both. */
  readonly damaged: readonly HeadSlot[];
};

/** Why there is no head to go by. */
export type HeadsProblem = { readonly problem: DaemonEyeError };

/**
 * The checkpoint in a signed note of this log, signed by the key of its epoch.
 * @throws CoreError NOTE_MALFORMED, CHECKPOINT_MALFORMED, CHECKPOINT_ORIGIN or NOTE_SIGNATURE
 */
export function verifyHead(note: Uint8Array, { hash, origin }: Genesis, epochs: Epochs): Checkpoint {
  const { size } = parseCheckpoint(parseNote(note).text);
  return verifyCheckpoint(note, { key: keyOfHead(epochs, size), hash, origin });
}

/** Judges the bytes of one slot. */
export function readSlot(slot: HeadSlot, note: Uint8Array, genesis: Genesis, epochs: Epochs): SlotReading {
  try {
    return { slot, note, checkpoint: verifyHead(note, genesis, epochs) };
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError)) throw cause;
    return { slot, problem: cause };
  }
}

/** The newest of two slots; a problem where neither holds a head, or where both do and contradict each other. */
export function chooseHead(slots: readonly SlotReading[]): Heads | HeadsProblem {
  const heads = slots.filter((reading) => 'checkpoint' in reading);
  heads.sort((a, b) => b.checkpoint.size - a.checkpoint.size);
  const unreadable = slots.filter((reading) => 'problem' in reading);
  const [newest, older] = heads;
  if (newest === undefined) return { problem: unreadable[0]?.problem ?? fork('there is no head slot') };
  const [a, b] = [newest.checkpoint, older?.checkpoint];
  if (b !== undefined && a.size === b.size && !equalBytes(a.root, b.root)) {
    return { problem: fork(`its two heads give different roots for the same ${a.size} lines`) };
  }
  return { newest, older, damaged: unreadable.map(({ slot }) => slot) };
}

function fork(message: string): LedgerError {
  return new LedgerError('HEAD_FORK', message, { fault: 'tampered' });
}
