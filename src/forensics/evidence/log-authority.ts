import { type Digest, formatDigest, HASHES } from '../../core/digest.ts';
import { isSameKey, type KeyId } from '../../core/keys.ts';
import { assertLinked } from '../../ledger/epoch-links.ts';
import { currentEpoch, type Epochs, keyOfHead } from '../../ledger/epochs.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { verifyHead } from '../../ledger/heads.ts';
import type { Admissions } from '../../verify/enrolment-admission.ts';
import type { TrustRoot } from '../../verify/root-document.ts';
import { untrusted } from '../errors.ts';
import type { PackageLog } from './contents.ts';
import { describeLog } from './layout.ts';
import { unknownKey } from './seal.ts';

/**
 * Every log is admitted by an enrolment: this host, this genesis, this key. What a package says of its own keys is no
 * authority, so a log that nobody enrolled is refused however well it agrees with itself.
 * @throws ForensicsError KEY_ONLY_INSIDE (no enrolment names the log) or LOG_NOT_ENROLLED (one names it with another
 *   host, genesis or key); or the reason why its enrolment does not count
 */
export function assertLogsEnrolled(logs: readonly PackageLog[], admissions: Admissions): void {
  for (const log of logs) {
    const { place, genesis } = log;
    const named = admissions.logs.filter(({ origin }) => origin === genesis.origin);
    if (named.length === 0) throw unknownKey(admissions, genesis.key.keyid, describeLog(place));
    if (enrolledEpoch(log, admissions) === undefined) {
      const message = `${describeLog(place)} is not the one that was enrolled under its name: another host, genesis or key`;
      throw untrusted('LOG_NOT_ENROLLED', message);
    }
  }
}

/**
 * The newest epoch whose key an enrolment of this very log names. From there on one key passed the log on to the next, in
 * entries that both signed.
 */
export function enrolledEpoch(
  { genesis, epochs }: { readonly genesis: Genesis; readonly epochs: Epochs },
  admissions: Admissions,
): number | undefined {
  const own = admissions.logs.filter(
    ({ origin, host, genesis: digest, hash }) =>
      origin === genesis.origin && host === genesis.host && digest === genesis.digest && hash === genesis.hash,
  );
  const index = epochs.findLastIndex((epoch) => own.some(({ key }) => isSameKey(key, epoch.key)));
  return index === -1 ? undefined : index;
}

/**
 * Each log's own key, admitted before this, signed the checkpoint over the size that the proof is for. A revoked key
 * counts only for the very heads that its revocation names (`validThrough`).
 * @throws CoreError NOTE_MALFORMED, NOTE_SIGNATURE, CHECKPOINT_MALFORMED or CHECKPOINT_ORIGIN; ForensicsError
 *   CHECKPOINT_SIZE or KEY_REVOKED; LedgerError EPOCH_UNLINKED
 * @returns the roots, in the order of the logs
 */
export function checkCheckpoints(
  logs: readonly PackageLog[],
  admissions: Admissions,
  root: TrustRoot,
): readonly Uint8Array[] {
  return logs.map((log) => {
    const { place, packaged, genesis, epochs, checkpoint: note } = log;
    const { hash, origin } = genesis;
    const checkpoint = verifyHead(note, genesis, epochs);
    const { size } = checkpoint;
    if (size !== packaged.size) {
      const message = `the checkpoint of ${describeLog(place)} is over ${size} lines, and its proof over ${packaged.size}`;
      throw untrusted('CHECKPOINT_SIZE', message);
    }
    assertLinked(HASHES[hash], epochs, checkpoint, packaged.links ?? []);
    const { keyid } = keyOfHead(epochs, size);
    if (!isSpared(root, keyid, { origin, size, root: formatDigest(hash, checkpoint.root) })) {
      throw untrusted('KEY_REVOKED', `the key of ${describeLog(place)} is revoked, and not for this checkpoint spared`);
    }
    // A revoked key may be in a thief's hands: it passed its log on only with a head that its revocation knows.
    for (const [i, { last }] of epochs.entries()) {
      const before = epochs[i - 1];
      if (before === undefined || last === undefined || i <= (enrolledEpoch(log, admissions) ?? 0)) continue;
      if (last.size >= size || isSpared(root, before.key.keyid, { origin, ...last })) continue;
      const problem = `was given to its next key by one that is revoked, and not for its head over ${last.size} lines spared`;
      throw untrusted('KEY_REVOKED', `${describeLog(place)} ${problem}`);
    }
    return checkpoint.root;
  });
}

/** Whose checkpoints these are, once they hold: names the epoch where the key isn't a log's first one. */
export function describeSigners(logs: readonly PackageLog[]): string {
  const rotated = logs.flatMap(({ place, epochs }) => {
    const { start } = currentEpoch(epochs);
    return epochs.length === 1
      ? []
      : [`${describeLog(place)} by that of epoch ${epochs.length - 1}, since line ${start}`];
  });
  return ["each signed by its log's enrolled key", ...rotated].join('; ');
}

/** Not revoked, or revoked with this very head excepted (`validThrough`). */
function isSpared(root: TrustRoot, keyid: KeyId, head: { origin: string; size: number; root: Digest }): boolean {
  const revoked = root.document.revoked.keys.find((one) => one.keyid === keyid);
  if (revoked === undefined) return true;
  const { origin, size, root: digest } = head;
  return (
    revoked.validThrough?.some((one) => one.origin === origin && one.size === size && one.root === digest) === true
  );
}
