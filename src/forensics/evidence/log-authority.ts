import { verifyCheckpoint } from '../../core/checkpoint.ts';
import { formatDigest } from '../../core/digest.ts';
import { isSameKey, type PublicKey } from '../../core/keys.ts';
import { type Admissions, keysOfHost } from '../../verify/enrolment-admission.ts';
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
  for (const { place, genesis } of logs) {
    const named = admissions.logs.filter(({ origin }) => origin === genesis.origin);
    if (named.length === 0) throw unknownKey(admissions, genesis.key.keyid, describeLog(place));
    const admitted = named.some(
      ({ host, genesis: digest, hash, key }) =>
        host === genesis.host && digest === genesis.digest && hash === genesis.hash && isSameKey(key, genesis.key),
    );
    if (!admitted) {
      const message = `${describeLog(place)} is not the one that was enrolled under its name: another host, genesis or key`;
      throw untrusted('LOG_NOT_ENROLLED', message);
    }
  }
}

/**
 * Each log's own key, admitted before this, signed the checkpoint over the size that the proof is for. A revoked key
 * counts only for the very heads that its revocation names (`validThrough`).
 * @throws CoreError NOTE_MALFORMED, NOTE_SIGNATURE, CHECKPOINT_MALFORMED or CHECKPOINT_ORIGIN; ForensicsError
 *   CHECKPOINT_SIZE or KEY_REVOKED
 * @returns the roots, in the order of the logs
 */
export function checkCheckpoints(logs: readonly PackageLog[], root: TrustRoot): readonly Uint8Array[] {
  return logs.map(({ place, packaged, genesis, checkpoint: note }) => {
    const { key, hash, origin } = genesis;
    const checkpoint = verifyCheckpoint(note, { key, hash, origin });
    const { size } = checkpoint;
    if (size !== packaged.size) {
      const message = `the checkpoint of ${describeLog(place)} is over ${size} lines, and its proof over ${packaged.size}`;
      throw untrusted('CHECKPOINT_SIZE', message);
    }
    const revoked = root.document.revoked.keys.find(({ keyid }) => keyid === key.keyid);
    const digest = formatDigest(hash, checkpoint.root);
    const isSpared = revoked?.validThrough?.some(
      (head) => head.origin === origin && head.size === size && head.root === digest,
    );
    if (revoked !== undefined && isSpared !== true) {
      throw untrusted('KEY_REVOKED', `the key of ${describeLog(place)} is revoked, and not for this checkpoint spared`);
    }
    return checkpoint.root;
  });
}

/** The keys that may sign lines in a log: those of its host's enrolled logs, without revoked ones. */
export function lineSigners({ genesis }: PackageLog, admissions: Admissions, root: TrustRoot): PublicKey[] {
  // A revoked log key got this far only for a head that its revocation spares, and so do the lines under it.
  return keysOfHost(admissions, genesis.host).filter(
    (key) => !root.revokedKeys.has(key.keyid) || isSameKey(key, genesis.key),
  );
}
