import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { signCheckpoint } from '../core/checkpoint.ts';
import { HASHES, type HashName } from '../core/digest.ts';
import type { PrivateKey } from '../core/keys.ts';
import { emptyRoot } from '../core/merkle.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { errnoOf } from '../durable/errors.ts';
import { createDirectoryDurably, renameDurably, temporaryName, writeFileDurably } from '../durable/files-io.ts';
import { LedgerError } from './errors.ts';
import {
  CHECKPOINTS_DIRECTORY,
  ENTRIES_DIRECTORY,
  GENESIS_FILE,
  HEAD_SLOTS,
  HISTORY_FILE,
  QUARANTINE_DIRECTORY,
  TREE_DIRECTORY,
} from './format.ts';
import { encodeGenesis, type Genesis, parseGenesis } from './genesis.ts';
import { headFile } from './open-io.ts';

export type NewLedger = {
  /** Must not exist yet, or be empty. Missing parents are created. */
  readonly directory: string;
  /** The host's random id; see `Genesis`. */
  readonly host: string;
  /** The log's name in checkpoints: contains the host id, no spaces, no plus. */
  readonly origin: string;
  readonly hash: HashName;
  /** The log's own key. */
  readonly key: PrivateKey;
  readonly createdAt: Time;
  /** Lines in one entries file, 1 to 65,536; default 65,536. */
  readonly rotate?: number;
};

/**
 * Creates an empty log: genesis, and a signed head of size 0 in both slots. It appears whole or not at all.
 * @throws LedgerError LEDGER_EXISTS or GENESIS_MALFORMED; DurableError
 */
export function createLedger(options: NewLedger): Genesis {
  const { directory, key, hash, origin } = options;
  const genesis = encodeGenesis(options);
  createDirectoryDurably(dirname(directory));
  const temporary = temporaryName(directory);
  try {
    const head = signCheckpoint({ origin, size: 0, root: emptyRoot(HASHES[hash]) }, key, hash);
    fill(temporary, genesis, head);
    moveIntoPlace(temporary, directory);
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    throw cause;
  }
  return parseGenesis(genesis);
}

function fill(directory: string, genesis: Uint8Array, head: Uint8Array): void {
  const parts = [ENTRIES_DIRECTORY, TREE_DIRECTORY, CHECKPOINTS_DIRECTORY, QUARANTINE_DIRECTORY];
  createDirectoryDurably(directory);
  for (const part of parts) createDirectoryDurably(join(directory, part));
  for (const slot of HEAD_SLOTS) writeFileDurably(headFile(directory, slot), head);
  writeFileDurably(join(directory, CHECKPOINTS_DIRECTORY, HISTORY_FILE), new Uint8Array());
  writeFileDurably(join(directory, GENESIS_FILE), genesis);
}

function moveIntoPlace(temporary: string, directory: string): void {
  try {
    // rename(2) replaces an empty directory and refuses one that holds anything, in one step.
    renameDurably(temporary, directory);
  } catch (cause) {
    const errno = errnoOf(cause instanceof Error ? cause.cause : undefined);
    if (errno === undefined || !['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errno)) throw cause;
    const message = `${escapeForTerminal(directory)} is already there and not empty; choose another directory`;
    throw new LedgerError('LEDGER_EXISTS', message, { cause });
  }
}
