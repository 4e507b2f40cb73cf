import type { PublicKey } from '../../core/keys.ts';
import { currentEpoch } from '../../ledger/epochs.ts';
import { parseGenesis } from '../../ledger/genesis.ts';
import { epochsFromLines } from '../../ledger/rotation.ts';
import type { Admissions } from '../../verify/enrolment-admission.ts';
import { attempt } from './attempt.ts';
import type { Documents } from './contents.ts';
import { PACKAGE_NAME } from './format.ts';
import { type LogPlace, logPath } from './layout.ts';
import { enrolledEpoch } from './log-authority.ts';
import { type PackageDocument, parsePackage } from './package-document.ts';

/**
 * The keys that the logs in a package have, as far as enrolments admit them: the enrolled one or, where the log's key
 * was changed since, the one that it was passed on to. A key that gave way seals nothing any more: it may be in the hands
 * of whoever it was changed for.
 *
 * These documents are read before the seal over them is checked, since they say by whom it may be. Nothing is believed
 * for that: from the enrolled key to the one returned each step is signed by both keys.
 */
export function sealingLogKeys(places: readonly LogPlace[], documents: Documents, admissions: Admissions): PublicKey[] {
  const document = attempt(() => parsePackage(documents.get(PACKAGE_NAME) ?? new Uint8Array()));
  const keys = places.flatMap((place) => attempt(() => keyOf(place, document, documents, admissions)) ?? []);
  // Several logs may share one key, and checking a signature is not cheap.
  return [...new Map(keys.map((key) => [key.keyid, key])).values()];
}

function keyOf(
  { host, log }: LogPlace,
  document: PackageDocument | undefined,
  documents: Documents,
  admissions: Admissions,
): PublicKey | undefined {
  const genesis = parseGenesis(documents.get(logPath({ host, log }, 'genesis')) ?? new Uint8Array());
  const packaged = document?.hosts.find((one) => one.host === host)?.logs.find((one) => one.log === log);
  const epochs = epochsFromLines(packaged?.rotations ?? [], genesis);
  return enrolledEpoch({ genesis, epochs }, admissions) === undefined ? undefined : currentEpoch(epochs).key;
}
