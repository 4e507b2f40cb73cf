import type { Checkpoint } from '../core/checkpoint.ts';
import { type Digest, parseDigest } from '../core/digest.ts';
import { isSameKey, type KeyId, type PublicKey } from '../core/keys.ts';
import type { Genesis } from './genesis.ts';

/** The old key's last word: the head it signed before it gave way. What it covers, no later key can rewrite. */
export type LastHead = { readonly size: number; readonly root: Digest };

/** The time of one key of a log: the lines from `start` on, and the heads that cover more than `start` lines. */
export type Epoch = {
  readonly key: PublicKey;
  /** The first line of the epoch: its `log.rotate` entry; 0 for the first epoch, which has none. */
  readonly start: number;
  /** The `log.rotate` line, verbatim, without its newline. */
  readonly line?: Uint8Array;
  readonly last?: LastHead;
};

/** All epochs of a log so far, the first from its genesis. */
export type Epochs = readonly [Epoch, ...Epoch[]];

export function firstEpoch({ key }: Genesis): Epochs {
  return [{ key, start: 0 }];
}

export function currentEpoch(epochs: Epochs): Epoch {
  return epochs.at(-1) ?? epochs[0];
}

/** The key that signs a head over `size` lines: the one of its last line. */
export function keyOfHead(epochs: Epochs, size: number): PublicKey {
  return (epochs.findLast(({ start }, i) => i === 0 || start < size) ?? epochs[0]).key;
}

/** The log's key when that line was written: the one that signed the head before it, also for a rotation's own line. */
export function keyOfLine(epochs: Epochs, seq: number): PublicKey {
  return keyOfHead(epochs, seq);
}

/** Whether a key of the log, at that line, was the log's key: a later one can't vouch for what it never saw. */
export function isKeyOfLine(epochs: Epochs, keyid: KeyId, seq: number): boolean {
  return keyOfLine(epochs, seq).keyid === keyid;
}

/** The last heads of the keys that gave way: what the newer keys vouch for, and can't rewrite. */
export function lastHeads(epochs: Epochs, { origin }: Genesis): Checkpoint[] {
  return epochs.flatMap(({ last }) =>
    last === undefined ? [] : [{ origin, size: last.size, root: parseDigest(last.root).hash }],
  );
}

/** Whether it is the key of any epoch: all of them are linked by signatures in both directions. */
export function isKeyOfLog(epochs: Epochs, key: PublicKey): boolean {
  return epochs.some((epoch) => isSameKey(epoch.key, key));
}
