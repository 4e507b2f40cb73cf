import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatDigest, type HashFunction } from '../core/digest.ts';
import { writeFileDurably } from '../durable/files-io.ts';
import { attachLine, type ChainEnd, chainStart, leafOf } from './chain.ts';
import { EntryReader } from './entry-reader-io.ts';
import { currentEpoch, type Epochs, firstEpoch } from './epochs.ts';
import { LedgerError } from './errors.ts';
import { EPOCHS_FILE, LOG_ROTATE, MAX_EPOCHS_BYTES } from './format.ts';
import type { Genesis } from './genesis.ts';
import type { SignedHead } from './heads.ts';
import { addEpoch, encodeEpochs, parseEpochs } from './rotation.ts';
import { readPlainFile } from './scan-io.ts';

/** What epochs.ndjson holds: the epochs up to the first line in it that is none. */
export type EpochsReading = { readonly epochs: Epochs; readonly problem?: LedgerError };

/**
 * The epochs of a log from epochs.ndjson, which holds its `log.rotate` lines verbatim: so whoever has dropped the
 * beginning of a log still knows whose heads to believe. Each is checked against the one before; that the same lines
 * stand in the log is for verification to say.
 * @throws DurableError
 */
export function readEpochs(directory: string, genesis: Genesis): EpochsReading {
  const path = join(directory, EPOCHS_FILE);
  let epochs = firstEpoch(genesis);
  if (!existsSync(path)) return { epochs };
  try {
    parseEpochs(readPlainFile(path, MAX_EPOCHS_BYTES), genesis, (found) => {
      epochs = found;
    });
    return { epochs };
  } catch (cause) {
    if (!(cause instanceof LedgerError)) throw cause;
    const message = `${EPOCHS_FILE}: ${cause.message}`;
    return { epochs, problem: new LedgerError(cause.code, message, { cause, fault: 'tampered' }) };
  }
}

/** As {@link readEpochs}, for those who can't go on with some of them. @throws LedgerError TAMPERED; DurableError */
export function requireEpochs(directory: string, genesis: Genesis): Epochs {
  const { epochs, problem } = readEpochs(directory, genesis);
  if (problem === undefined) return epochs;
  const message = `the keys of the log can't be followed (${problem.message}); verify it, or restore it from a copy`;
  throw new LedgerError('TAMPERED', message, { cause: problem, fault: 'tampered' });
}

/** Replaces epochs.ndjson, whole or not at all. @throws DurableError */
export function writeEpochs(directory: string, epochs: Epochs): void {
  writeFileDurably(join(directory, EPOCHS_FILE), encodeEpochs(epochs));
}

/**
 * A crash can come when the `log.rotate` line was durable and the rest not: then it stands right after the last head,
 * attached to the line before, and signed by both keys. What else stands there is not looked at.
 * @returns the epochs with the one it begins; the same ones where there is nothing to finish
 * @throws DurableError
 */
export function unfinishedRotation(
  directory: string,
  genesis: Genesis,
  epochs: Epochs,
  { checkpoint }: SignedHead,
  hash: HashFunction,
): Epochs {
  const { size, root } = checkpoint;
  if (size <= currentEpoch(epochs).start && epochs.length > 1) return epochs;
  try {
    const entries = new EntryReader(directory, genesis.limits.rotate);
    const before: ChainEnd =
      size === 0
        ? chainStart(genesis)
        : { seq: size, prev: formatDigest(genesis.hash, leafOf(hash, entries.line(size - 1))) };
    const bytes = entries.line(size);
    if (attachLine(before, bytes).type !== LOG_ROTATE) return epochs;
    const added = addEpoch(epochs, genesis, bytes);
    const { last } = currentEpoch(added);
    return last?.root === formatDigest(genesis.hash, root) ? added : epochs;
  } catch (cause) {
    if (cause instanceof LedgerError || isAbsent(cause)) return epochs;
    throw cause;
  }
}

function isAbsent(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'NOT_FOUND';
}
