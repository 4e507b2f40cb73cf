import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { type Digest, formatDigest } from '../../src/core/digest.ts';
import { signEnvelope } from '../../src/core/dsse.ts';
import { encodeOrder, PRUNE_ORDER, type PruneOrder, parseOrder } from '../../src/ledger/orders.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { systemRandom } from '../../src/ledger/surroundings-io.ts';
import { SealError } from '../../src/seal/errors.ts';
import { findSealed } from '../../src/seal/reader-io.ts';
import { openSealer } from '../../src/seal/writer-io.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { actor, open, origin, testLedger } from './ledger-support.ts';

/** An approval of dropping the lines before `to`, by an operator. */
export async function pruneApproval(directory: string, to: number, changes: Partial<PruneOrder> = {}) {
  using reader = await openLedgerReader(directory);
  const { genesis } = reader;
  const root = formatDigest(genesis.hash, await reader.rootAt(Math.min(to, reader.size)));
  const order = { v: 1, genesis: genesis.digest, origin, to, root, reason: 'a year has passed' } as const;
  const envelope = encodeOrder(PRUNE_ORDER, { ...order, issuedAt: '2026-03-01T00:00:00.000Z', ...changes });
  return parseOrder(PRUNE_ORDER, signEnvelope(envelope, testKey('approver')));
}

/** A log of lines, each with a sealed value; a new file of values begins at each of these seqs. */
export async function sealedValuesLog(starts: readonly number[], size = 12) {
  const { directory } = await testLedger({ rotate: 4 });
  const sealed = join(tempDirectory(), 'sealed');
  mkdirSync(sealed);
  const recipients = [await identityToRecipient(await generateX25519Identity())];
  const commits: Digest[] = [];
  await using writer = await open(directory);
  for (const [i, start] of starts.entries()) {
    await using sealer = await openSealer({ directory: sealed, recipients, random: systemRandom, mono: () => 0 });
    for (let seq = start; seq < (starts[i + 1] ?? size); seq += 1) {
      const commit = sealer.seal('argv', Buffer.from(`secret ${seq}\0`));
      await sealer.flush(seq);
      commits.push(commit);
      await writer.append({ type: 'process.exec', actor, data: { argv_commit: commit } });
    }
  }
  return { directory, sealed, commits };
}

/** The seqs of which the store has a value. */
export function keptValues(sealed: string, commits: readonly Digest[]): number[] {
  return commits.flatMap((commit, seq) => {
    try {
      return findSealed(sealed, commit).record.key === undefined ? [] : [seq];
    } catch (cause) {
      if (cause instanceof SealError && cause.code === 'SEALED_NOT_FOUND') return [];
      throw cause;
    }
  });
}
