import { MAX_ROOT_BYTES, parseRootFileName } from '../../bundle/format.ts';
import type { IndexEntry } from '../../bundle/index-lines.ts';
import { equalBytes } from '../../core/bytes.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { MAX_PINNED_BYTES, parsePinnedFilePath } from '../../verify/release-pins.ts';
import { extendPinnedRoot, type RootFile, verifyRootChain } from '../../verify/root-chain.ts';
import type { TrustRoot } from '../../verify/root-document.ts';
import { parseRootEnvelope } from '../../verify/trust-root.ts';
import { InstallError } from '../errors.ts';

/**
 * Judges the files of a bundle of kind trust: `1.root.dsse.json` to `<n>.root.dsse.json`, files that the newest of them
 * pins for judging releases (`releases/<sha256>`), and nothing else.
 *
 * They must lead link by link from the root pinned here, by the same walk as the chain that every bundle carries, and
 * be that very chain: what its signers listed is what is kept, and there is no second way for a root to come in.
 * @param carried the chain in the bundle's own `root/`
 * @param pinned undefined where nothing is pinned yet, as when a bundle is built
 * @returns the versions, ascending
 * @throws InstallError TRUST_FILES or TRUST_CHAIN_DIFFERS; VerifyError ROOT_CHAIN_GAP, ROOT_ROLLBACK,
 *   ROOT_PIN_MISMATCH, ROOT_SIGNATURES_PREVIOUS and others, as `extendPinnedRoot` and `verifyRootChain`
 */
export function verifyTrustFiles(
  entries: readonly IndexEntry[],
  read: (entry: IndexEntry) => Uint8Array,
  carried: readonly RootFile[],
  pinned: TrustRoot | undefined,
): readonly TrustRoot[] {
  const pins = entries.filter(({ path }) => parsePinnedFilePath(path) !== undefined);
  const files = entries
    .filter((entry) => !pins.includes(entry))
    .map((entry): RootFile => {
      const version = parseRootFileName(entry.path);
      if (version === undefined || entry.size > MAX_ROOT_BYTES) {
        throw refused(
          'TRUST_FILES',
          `${escapeForTerminal(entry.path)} is neither a version of a trust root (2.root.dsse.json) nor a pinned file (releases/<sha256>)`,
        );
      }
      return { version, bytes: read(entry) };
    });
  if (files.length === 0) throw refused('TRUST_FILES', 'there is no version of a trust root in it');
  // Path order puts 10 before 2.
  files.sort((a, b) => a.version - b.version);
  const roots = pinned === undefined ? verifyRootChain(files) : extendPinnedRoot(pinned, files);
  assertSameChain(files, carried);
  for (const entry of pins) assertPinned(entry, roots.at(-1));
  return roots;
}

/** What no pin names would lie here for nothing, or for a pin to come: then its root brings it. */
function assertPinned({ path, size, sha256 }: IndexEntry, newest: TrustRoot | undefined): void {
  const shown = escapeForTerminal(path);
  if (size > MAX_PINNED_BYTES) {
    throw refused('TRUST_FILES', `${shown} is over ${MAX_PINNED_BYTES} bytes, too large for a pinned file`);
  }
  if (parsePinnedFilePath(path) !== sha256) throw refused('TRUST_FILES', `${shown} is not the file of that digest`);
  if ([...(newest?.releases.values() ?? [])].some((pin) => pin.sha256 === sha256)) return;
  throw refused('TRUST_FILES', `${shown} is not pinned by version ${newest?.version} of the trust root in it`);
}

/** By payload: a signature more on one copy makes no other root. */
function assertSameChain(files: readonly RootFile[], carried: readonly RootFile[]): void {
  const same = files.every(({ bytes }, i) => {
    const other = carried[i];
    return other !== undefined && equalBytes(parseRootEnvelope(bytes).payload, parseRootEnvelope(other.bytes).payload);
  });
  if (same && files.length === carried.length) return;
  throw refused(
    'TRUST_CHAIN_DIFFERS',
    'the versions of the trust root in it are not the chain that the bundle carries',
  );
}

function refused(code: 'TRUST_FILES' | 'TRUST_CHAIN_DIFFERS', message: string): InstallError {
  return new InstallError(code, message, { fault: 'untrusted' });
}
