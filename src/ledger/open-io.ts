import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_ENVELOPE_BYTES } from '../core/dsse.ts';
import { MAX_NOTE_BYTES } from '../core/signed-note.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { DurableError } from '../durable/errors.ts';
import type { Epochs } from './epochs.ts';
import { readEpochs, requireEpochs } from './epochs-io.ts';
import { LedgerError } from './errors.ts';
import { CHECKPOINTS_DIRECTORY, GENESIS_FILE, HEAD_SLOTS, type HeadSlot } from './format.ts';
import { type Genesis, parseGenesis } from './genesis.ts';
import { chooseHead, type Heads, type HeadsProblem, readSlot, type SlotReading } from './heads.ts';
import { readPlainFile } from './scan-io.ts';

/** @throws LedgerError LEDGER_NOT_FOUND */
export function assertLedger(directory: string): void {
  if (existsSync(join(directory, GENESIS_FILE))) return;
  const message = `there is no log in ${escapeForTerminal(directory)}: it has no ${GENESIS_FILE}; check the path`;
  throw new LedgerError('LEDGER_NOT_FOUND', message);
}

/**
 * A log's genesis, checked only against itself.
 * @throws LedgerError LEDGER_NOT_FOUND, GENESIS_MALFORMED or GENESIS_SIGNATURE; DurableError
 */
export function readGenesis(directory: string): Genesis {
  assertLedger(directory);
  return parseGenesis(readGenesisBytes(directory));
}

/** genesis.json, verbatim. @throws DurableError */
export function readGenesisBytes(directory: string): Uint8Array {
  return readPlainFile(join(directory, GENESIS_FILE), MAX_ENVELOPE_BYTES);
}

export function headFile(directory: string, slot: HeadSlot): string {
  return join(directory, CHECKPOINTS_DIRECTORY, `head.${slot}`);
}

/** A writer may be overwriting a slot while we read it; the next look then finds it whole. */
const LOOKS = 3;

/** Both head slots, read and judged; a key may change meanwhile, so epochs.ndjson is read with them. */
export function readHeads(directory: string, genesis: Genesis): Heads | HeadsProblem {
  let heads = readOnce(directory, genesis);
  for (let look = 1; look < LOOKS && isTroubled(heads); look += 1) heads = readOnce(directory, genesis);
  return heads;
}

function readOnce(directory: string, genesis: Genesis): Heads | HeadsProblem {
  const { epochs } = readEpochs(directory, genesis);
  return chooseHead(HEAD_SLOTS.map((slot) => readSlotFile(directory, slot, genesis, epochs)));
}

function isTroubled(heads: Heads | HeadsProblem): boolean {
  return 'problem' in heads || heads.damaged.length > 0;
}

function readSlotFile(directory: string, slot: HeadSlot, genesis: Genesis, epochs: Epochs): SlotReading {
  let note: Uint8Array;
  try {
    note = readPlainFile(headFile(directory, slot), MAX_NOTE_BYTES);
  } catch (cause) {
    if (cause instanceof DurableError) return { slot, problem: cause };
    throw cause;
  }
  return readSlot(slot, note, genesis, epochs);
}

/** As {@link readHeads}, for those who can't go on without one. @throws LedgerError TAMPERED */
export function requireHeads(directory: string, genesis: Genesis): Heads {
  requireEpochs(directory, genesis);
  const heads = readHeads(directory, genesis);
  if (!('problem' in heads)) return heads;
  const where = `${escapeForTerminal(directory)}/${CHECKPOINTS_DIRECTORY}`;
  const message = `${where} holds no head to trust (${heads.problem.message}); restore the log from a copy, or start a new one`;
  throw new LedgerError('TAMPERED', message, { cause: heads.problem, fault: 'tampered' });
}
