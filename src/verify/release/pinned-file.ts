import { formatTime, parseTime, type Time } from '../../core/time.ts';
import type { PinKind } from '../root-document.ts';
import { parseMinisignKey } from './minisign.ts';
import { readRegistryKeys } from './npm/registry-keys.ts';
import { keyringParts } from './openpgp/keyring-parts.ts';
import { parseReleaseKey } from './release-key.ts';
import { parseSignifyKey } from './signify.ts';
import { type DatedPart, trustedRootParts } from './sigstore/root-parts.ts';
import { parseAllowedSigners } from './ssh/allowed-signers.ts';
import { parseRevokedKeys } from './ssh/revoked-keys.ts';

/** How a span of time stands to the moment that is known to have passed. */
export type Standing = 'counts' | 'ends-soon' | 'ended' | 'begins-later';

/** Within this time a newer file should be on its way: a stick travels rarely. */
const SOON_MS = 60 * 86_400_000;

/** Without one of each of these that still counts, nothing signed now can be verified. */
const NEEDED: readonly DatedPart['what'][] = [
  ...(['certificate authority', 'transparency log', 'registry key', 'OpenPGP key'] as const),
];

const READERS: Readonly<Record<PinKind, (bytes: Uint8Array) => readonly DatedPart[]>> = {
  sigstore: trustedRootParts,
  'npm-keys': registryParts,
  minisign: undated(parseMinisignKey),
  signify: undated(parseSignifyKey),
  'ssh-signers': undated(parseAllowedSigners),
  'ssh-revoked': undated(parseRevokedKeys),
  openpgp: keyringParts,
  key: undated(parseReleaseKey),
};

/**
 * Reads a file as what it is pinned as, and tells what in it counts when; empty for kinds without dates of their own.
 * @throws ReleaseError as the parser of that kind
 */
export function pinnedParts(kind: PinKind, bytes: Uint8Array): readonly DatedPart[] {
  return READERS[kind](bytes);
}

function undated(parse: (bytes: Uint8Array) => unknown): (bytes: Uint8Array) => readonly DatedPart[] {
  return (bytes) => {
    parse(bytes);
    return [];
  };
}

function registryParts(bytes: Uint8Array): DatedPart[] {
  return readRegistryKeys(bytes).map(({ name, usage, key: { validFor } }) => ({
    what: 'registry key',
    name: usage === 'any' ? name : `${name} (${usage})`,
    ...(validFor?.start === undefined ? {} : { start: formatTime(validFor.start) }),
    ...(validFor?.end === undefined ? {} : { end: formatTime(validFor.end) }),
  }));
}

/** The last moment at which everything needed still counts; undefined where no end is known. */
export function countsUntil(parts: readonly DatedPart[]): Time | undefined {
  const ends = NEEDED.flatMap((what) => {
    const those = parts.filter((part) => part.what === what);
    const known = those.flatMap(({ end }) => end ?? []);
    return known.length < those.length ? [] : known.toSorted().slice(-1);
  });
  return ends.toSorted()[0];
}

/** @param floor it is at least this moment; never the clock */
export function standingOf({ start, end }: { readonly start?: Time; readonly end?: Time }, floor: Time): Standing {
  if (end !== undefined && end < floor) return 'ended';
  if (start !== undefined && start > floor) return 'begins-later';
  return end !== undefined && parseTime(end) - parseTime(floor) < SOON_MS ? 'ends-soon' : 'counts';
}
