import { isSameKey, type PrivateKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { Committer } from './committer-io.ts';
import { hostActor } from './composer.ts';
import { currentEpoch, type Epoch, isKeyOfLog } from './epochs.ts';
import { requireEpochs, writeEpochs } from './epochs-io.ts';
import { LedgerError } from './errors.ts';
import { LOG_ROTATE } from './format.ts';
import { readGenesis } from './open-io.ts';
import { addEpoch, rotationData } from './rotation.ts';
import { openCommitter, openLedgerWriter, type WriterOptions } from './writer-io.ts';

export type RotateOptions = WriterOptions & {
  /** Takes over from `key`. */
  readonly newKey: PrivateKey;
  readonly issuedAt: Time;
};

export type Rotated = {
  /** False when the log had the new key already: the same command given again. */
  readonly changed: boolean;
  /** Of the new key, from 1. */
  readonly number: number;
  readonly epoch: Epoch;
};

/**
 * Changes the key of a log that nobody has open: a `log.rotate` entry, signed by both keys, right after the last head of
 * the old one; every head that covers it is signed by the new key. The old key's last head goes into the entry, so that
 * the new key can't rewrite what came before. Killed anywhere, the log has the old key or the new one, and the same call
 * again ends with the new.
 * @throws LedgerError KEY_REUSED (the log had the new key before, so nothing was written); else as `openLedgerWriter`
 */
export async function rotateLedger(options: RotateOptions): Promise<Rotated> {
  const { newKey, ...writerOptions } = options;
  const { directory, key, issuedAt } = options;
  const genesis = readGenesis(directory);
  if (isSameKey(currentEpoch(requireEpochs(directory, genesis)).key, newKey.publicKey)) return await finish(options);
  await using opened = new AsyncDisposableStack();
  let prepared: Awaited<ReturnType<typeof openCommitter>>;
  try {
    prepared = await openCommitter(writerOptions, opened);
  } catch (cause) {
    // A crash may have left a rotation to the new key all but done.
    return await finish(options).catch(() => Promise.reject(cause));
  }
  const { parts, committer, epochs } = prepared;
  const head = await committer.head();
  await committer.settled();
  if (isKeyOfLog(epochs, newKey.publicKey)) throw reused(directory);
  // What a revocation of the old key has to name, should it turn out to be stolen: its slots will be overwritten.
  await parts.history.keep(head, options.clock.mono());
  const data = rotationData(genesis, epochs, { from: key, to: newKey }, head.checkpoint, issuedAt);
  const rotating = new Committer({ ...parts, key: newKey, head, frontier: committer.frontier });
  // Whatever fails below: nothing is written any more when the files are closed.
  opened.defer(() => rotating.settled());
  const { line } = await rotating.append({ type: LOG_ROTATE, actor: hostActor(genesis), data });
  // Readers find the new key's head unsigned, and the old one's, until this is there.
  const added = addEpoch(epochs, genesis, line);
  writeEpochs(directory, added);
  await rotating.head();
  await rotating.settled();
  return { changed: true, number: added.length - 1, epoch: currentEpoch(added) };
}

async function finish({ newKey, ...options }: RotateOptions): Promise<Rotated> {
  const writer = await openLedgerWriter({ ...options, key: newKey });
  await writer.close();
  const epochs = requireEpochs(options.directory, writer.genesis);
  return { changed: false, number: epochs.length - 1, epoch: currentEpoch(epochs) };
}

function reused(directory: string): LedgerError {
  const message = `the log in ${escapeForTerminal(directory)} had that key before; make a new one (keys generate)`;
  return new LedgerError('KEY_REUSED', message, { fault: 'refused' });
}
