import type { Cosignature } from '../core/cosignature.ts';
import type { PublicKey } from '../core/keys.ts';
import type { Time } from '../core/time.ts';
import { countHolders, holderOf, keysOfRole } from './holders.ts';
import type { TrustRoot } from './root-document.ts';

/** The keys that may witness: those of the role `witness` that are not revoked; none when nobody holds it. */
export function witnessKeys(root: TrustRoot): PublicKey[] {
  if (!root.roles.has('witness')) return [];
  return keysOfRole(root, 'witness').filter(({ keyid }) => !root.revokedKeys.has(keyid));
}

/** Whether so many of the role's holders cosigned the same checkpoint that it counts as known elsewhere. */
export function isWitnessed(root: TrustRoot, keys: readonly PublicKey[]): boolean {
  const threshold = root.roles.get('witness')?.threshold;
  return threshold !== undefined && countHolders(root, keysThatCount(root, keys)) >= threshold;
}

function keysThatCount(root: TrustRoot, keys: readonly PublicKey[]): PublicKey[] {
  const admitted = new Set(witnessKeys(root).map(({ keyid }) => keyid));
  return keys.filter(({ keyid }) => admitted.has(keyid));
}

/**
 * The moment that cosignatures of admitted witnesses prove to have passed: the latest on or after which as many holders
 * as the role's threshold asks for have signed, so that no single wrong clock moves it. A time after the trust root
 * expires counts for nothing, as everywhere (one wrong clock must not push the floor ahead for good), nor does a key
 * past its own end.
 * @param cosignatures verified ones, of any checkpoints
 * @param floor the latest moment known to have passed
 * @returns the new floor, if it is later than `floor`; else undefined
 */
export function witnessedFloor(root: TrustRoot, cosignatures: readonly Cosignature[], floor: Time): Time | undefined {
  const threshold = root.roles.get('witness')?.threshold;
  const admitted = new Set(witnessKeys(root).map(({ keyid }) => keyid));
  const latest = new Map<string, Time>();
  for (const { key, time } of cosignatures) {
    const notAfter = root.keys.get(key.keyid)?.notAfter;
    const isLate = time > root.expires || (notAfter !== undefined && (time > notAfter || floor > notAfter));
    if (!admitted.has(key.keyid) || isLate) continue;
    const holder = holderOf(root, key.keyid);
    const before = latest.get(holder);
    if (before === undefined || before < time) latest.set(holder, time);
  }
  const times = [...latest.values()].sort().reverse();
  const agreed = threshold === undefined ? undefined : times[threshold - 1];
  return agreed !== undefined && agreed > floor ? agreed : undefined;
}
