import type { PinKind, ReleasePin, RootDocument, TrustRoot } from './root-document.ts';

export const PIN_KINDS: readonly PinKind[] = [
  'sigstore',
  'npm-keys',
  'minisign',
  'signify',
  'ssh-signers',
  'ssh-revoked',
  'openpgp',
  'key',
];

export function isPinKind(kind: string): kind is PinKind {
  return (PIN_KINDS as readonly string[]).includes(kind);
}

/** A trusted root or a list of signers is a few kilobytes. */
export const MAX_PINNED_BYTES = 4 * 1024 * 1024;

/** Where pinned files lie, in a bundle of kind trust and in a publisher's workspace. */
export const PINNED_DIRECTORY = 'releases';
const PINNED_FILE = /^releases\/([0-9a-f]{64})$/;

/** The path of a pinned file there. */
export function pinnedFilePath(sha256: string): string {
  return `${PINNED_DIRECTORY}/${sha256}`;
}

/** The digest in such a path; undefined for any other path. */
export function parsePinnedFilePath(path: string): string | undefined {
  return PINNED_FILE.exec(path)?.[1];
}

/** What one name meant before and after; undefined where it meant nothing. */
export type PinChange = {
  readonly name: string;
  readonly before?: ReleasePin;
  readonly after?: ReleasePin;
};

/** The pins that two versions say differently, by name. Nothing is verified. */
export function pinChanges(
  before: Pick<RootDocument, 'releases'>,
  after: Pick<RootDocument, 'releases'>,
): readonly PinChange[] {
  const [old, now] = [before, after].map(({ releases }) => new Map(Object.entries(releases ?? {})));
  return [...new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])].sort().flatMap((name) => {
    const [was, is] = [old?.get(name), now?.get(name)];
    if (was?.kind === is?.kind && was?.sha256 === is?.sha256) return [];
    return [{ name, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) }];
  });
}

/** A change, and the version of the trust root that made it. */
export type PinStep = PinChange & { readonly version: number };

/** Every change of a pin from the oldest of these versions to the newest. @param roots ascending, verified */
export function pinHistory(roots: readonly TrustRoot[]): readonly PinStep[] {
  return roots.slice(1).flatMap((root, i) => {
    const before = roots[i];
    if (before === undefined) return [];
    return pinChanges(before.document, root.document).map((change) => ({ ...change, version: root.version }));
  });
}

/** In one sentence, without its end. */
export function sayPinChange({ name, before, after }: PinChange): string {
  if (before === undefined) return `${name} is pinned anew, as ${sayPin(after)}`;
  if (after === undefined) return `${name} is pinned no longer; it was ${sayPin(before)}`;
  return `${name} is pinned to another file: from ${sayPin(before)} to ${sayPin(after)}`;
}

function sayPin(pin: ReleasePin | undefined): string {
  return pin === undefined ? 'nothing' : `${pin.kind} sha256:${pin.sha256}`;
}
