import { encodeBase64, parseBase64 } from '../core/bytes.ts';
import type { Checkpoint } from '../core/checkpoint.ts';
import { type HashFunction, parseDigest } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import { verifyConsistency } from '../core/merkle-proofs.ts';
import type { Epoch, Epochs, LastHead } from './epochs.ts';
import { LedgerError } from './errors.ts';

/**
 * For each change of a log's key, in order, the consistency proof (RFC 6962 section 2.1.2) from what the old key signed last
 * to a head, in base64; empty where there is nothing to prove. Whoever has only the newest key could else show other lines
 * in place of those that came before it.
 */
export type EpochLinks = readonly (readonly string[])[];

/** Whether a head reaches beyond what a key that gave way signed, so that it has something to extend. */
export function reachesBeyond(epoch: Epoch, size: number): epoch is Epoch & { readonly last: LastHead } {
  const { last } = epoch;
  return last !== undefined && last.size > 0 && last.size < size;
}

/** @param prove from the first `a` lines to the first `size` */
export async function proveEpochLinks(
  epochs: Epochs,
  size: number,
  prove: (a: number, size: number) => Promise<readonly Uint8Array[]>,
): Promise<EpochLinks> {
  const links: string[][] = [];
  for (const epoch of epochs.slice(1)) {
    const hashes = reachesBeyond(epoch, size) ? await prove(epoch.last.size, size) : [];
    links.push(hashes.map(encodeBase64));
  }
  return links;
}

/**
 * Whether a head extends what a key that gave way signed last.
 * @throws CoreError PROOF_MALFORMED
 */
export function extendsLastHead(
  hash: HashFunction,
  last: LastHead,
  { size, root }: Checkpoint,
  proof: readonly Uint8Array[],
): boolean {
  const root1 = parseDigest(last.root).hash;
  try {
    verifyConsistency(hash, { size1: last.size, size2: size, root1, root2: root, proof });
    return true;
  } catch (cause) {
    if (cause instanceof CoreError && cause.code === 'PROOF_MISMATCH') return false;
    throw cause;
  }
}

/**
 * No later key may rewrite what an earlier one signed: the head must extend the last head of each.
 * @throws LedgerError EPOCH_UNLINKED; CoreError PROOF_MALFORMED or BASE64_NOT_CANONICAL
 */
export function assertLinked(hash: HashFunction, epochs: Epochs, head: Checkpoint, links: EpochLinks): void {
  for (const [i, epoch] of epochs.slice(1).entries()) {
    if (!reachesBeyond(epoch, head.size)) continue;
    if (extendsLastHead(hash, epoch.last, head, (links[i] ?? []).map(parseBase64))) continue;
    const { size, root } = epoch.last;
    const message = `the checkpoint over ${head.size} lines does not extend the ${size} that an earlier key of the log signed last, root ${root}: they were rewritten, or the proof is damaged`;
    throw new LedgerError('EPOCH_UNLINKED', message, { fault: 'untrusted' });
  }
}
