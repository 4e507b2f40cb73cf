import { join } from 'node:path';
import { DaemonEyeError } from '../core/errors.ts';
import type { Epochs } from './epochs.ts';
import { readEpochs } from './epochs-io.ts';
import { LedgerError } from './errors.ts';
import {
  CHECKPOINTS_DIRECTORY,
  ENTRIES_DIRECTORY,
  entriesFileName,
  HISTORY_FILE,
  MAX_HISTORY_LINE_BYTES,
  MAX_LINE_BYTES,
} from './format.ts';
import type { Genesis } from './genesis.ts';
import { type Heads, type SignedHead, verifyHead } from './heads.ts';
import { parseHistoryLine } from './history.ts';
import { readHeads } from './open-io.ts';
import { listEntries, scanLines } from './scan-io.ts';

/** What a copy can be judged by. */
export type CopiedHeads = Heads & {
  /** Lines of the newest head in the copy, which may be more than are there. */
  readonly signed: number;
};

/**
 * The newest checkpoint that a copy holds whole. Whoever copies a log file by file while it is written takes each file at
 * another moment: the heads may be ahead of the lines, or behind the history, or caught half written. The lines only
 * ever grow, so up to some checkpoint the copy is the log. That it is a copy is for the caller to say: a log that was cut
 * back looks the same.
 * @throws LedgerError HEAD_FORK, or LINES_MISSING where no checkpoint is covered; DurableError
 */
export function copiedHeads(directory: string, genesis: Genesis): CopiedHeads {
  const heads = readHeads(directory, genesis);
  // Two heads over one size are no matter of moments.
  if ('problem' in heads && heads.problem.code === 'HEAD_FORK') throw heads.problem;
  const slots = 'problem' in heads ? [] : [heads.newest, ...(heads.older === undefined ? [] : [heads.older])];
  const { epochs } = readEpochs(directory, genesis);
  const all = [...slots, ...history(directory, genesis, epochs)];
  const signed = Math.max(0, ...all.map(({ checkpoint }) => checkpoint.size));
  const lines = wholeLines(directory);
  const covered = all.filter(({ checkpoint }) => checkpoint.size <= lines);
  const newest = covered.reduce<SignedHead | undefined>(
    (best, head) => (best === undefined || head.checkpoint.size > best.checkpoint.size ? head : best),
    undefined,
  );
  if (newest === undefined) {
    const message = `${lines} lines are there, and no checkpoint that covers no more of them: copy the log again`;
    throw new LedgerError('LINES_MISSING', message, { fault: 'untrusted' });
  }
  const others = slots.filter(({ checkpoint }) => checkpoint.size <= lines);
  const [older, ...more] = others;
  return { newest: { ...newest, slot: 'a' }, older, more, damaged: [], signed };
}

/** Lines with their newline, by the last file. */
function wholeLines(directory: string): number {
  const firstSeq = listEntries(directory).firstSeqs.at(-1);
  if (firstSeq === undefined) return 0;
  let lines = firstSeq;
  for (const batch of scanLines(join(directory, ENTRIES_DIRECTORY, entriesFileName(firstSeq)), MAX_LINE_BYTES)) {
    lines += batch.filter(({ ended }) => ended).length;
  }
  return lines;
}

/** The checkpoints of the history, as far as they read: what is wrong with it, the check on it says. */
function history(directory: string, genesis: Genesis, epochs: Epochs): SignedHead[] {
  const found: SignedHead[] = [];
  try {
    for (const lines of scanLines(join(directory, CHECKPOINTS_DIRECTORY, HISTORY_FILE), MAX_HISTORY_LINE_BYTES)) {
      for (const { bytes, ended } of lines) {
        if (!ended) return found;
        const note = parseHistoryLine(bytes);
        found.push({ note, checkpoint: verifyHead(note, genesis, epochs) });
      }
    }
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError)) throw cause;
  }
  return found;
}
