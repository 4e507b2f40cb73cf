import { MAX_ROOTS } from '../bundle/format.ts';
import { equalBytes } from '../core/bytes.ts';
import { signingKeys } from '../core/dsse.ts';
import { laterTime, type Time } from '../core/time.ts';
import { VerifyError } from './errors.ts';
import { countHolders, keysOfRole } from './holders.ts';
import type { TrustRoot } from './root-document.ts';
import { parseRootEnvelope, parseRootPayload } from './trust-root.ts';

/** A root file as found: the version its name claims, and its envelope bytes. */
export type RootFile = { readonly version: number; readonly bytes: Uint8Array };

/**
 * Walks a root chain from version 1 to its newest: TUF's root workflow (TUF specification 1.0, section 5.3) without a
 * network. Version N+1 needs the threshold of N's root keys (5.3.4) and of its own; versions leave no gap (5.3.5);
 * expiry of intermediate versions doesn't matter (5.3.6), that of the newest (5.3.10) is the caller's to check.
 * @throws VerifyError ROOT_CHAIN_EMPTY, ROOT_CHAIN_TOO_LONG, ROOT_CHAIN_GAP, ROOT_SIGNATURES_OWN, ROOT_SIGNATURES_PREVIOUS, or as parseRoot
 */
export function verifyRootChain(files: readonly RootFile[]): readonly TrustRoot[] {
  assertCountFromOne(files);
  const chain: TrustRoot[] = [];
  for (const { version, bytes } of files) {
    const envelope = parseRootEnvelope(bytes);
    const previous = chain.at(-1);
    // Before its payload is looked at: of a version that nobody vouches for nothing is parsed.
    if (previous !== undefined) assertSignedBy(previous, { version, envelope }, 'ROOT_SIGNATURES_PREVIOUS');
    const root = parseRootPayload(envelope);
    if (root.version !== version) throw gap(version, root.version);
    assertSignedBy(root, root, 'ROOT_SIGNATURES_OWN');
    chain.push(root);
  }
  return chain;
}

/** By their names; that each holds the version it is named for comes out when it is parsed. */
function assertCountFromOne(files: readonly RootFile[]): void {
  if (files.length === 0) throw new VerifyError('ROOT_CHAIN_EMPTY', 'there is no trust root in the chain');
  if (files.length > MAX_ROOTS) {
    throw new VerifyError('ROOT_CHAIN_TOO_LONG', `the root chain has over ${MAX_ROOTS} versions; pin a newer one anew`);
  }
  for (const [i, { version }] of files.entries()) if (version !== i + 1) throw gap(i + 1, version);
}

function gap(expected: number, found: number): VerifyError {
  return new VerifyError('ROOT_CHAIN_GAP', `root chain: expected version ${expected}, found ${found}`);
}

/** `root` carries the root threshold as `authority` defines it. @throws VerifyError with `code` */
export function assertSignedBy(
  authority: TrustRoot,
  root: Pick<TrustRoot, 'version' | 'envelope'>,
  code: 'ROOT_SIGNATURES_PREVIOUS' | 'ROOT_SIGNATURES_OWN',
): void {
  const usable = keysOfRole(authority, 'root').filter(({ keyid }) => !authority.revokedKeys.has(keyid));
  const holders = countHolders(authority, signingKeys(root.envelope, usable));
  const threshold = authority.roles.get('root')?.threshold ?? Number.POSITIVE_INFINITY;
  if (holders < threshold) {
    const whose = code === 'ROOT_SIGNATURES_OWN' ? 'its own' : `version ${authority.version}'s`;
    throw new VerifyError(
      code,
      `trust root ${root.version}: signed by ${holders} of ${whose} root key holders; ${threshold} are needed`,
    );
  }
}

/**
 * Walks the chain of a bundle that must lead from the version pinned here to its newest, the one that judges.
 *
 * The chain must contain the pinned version, byte for byte: a chain that ends before it was built for an older root,
 * and one that differs at it is somebody else's. That is looked at before anything is walked: checking a key costs
 * milliseconds, and a stranger's chain may hold 256 times 1024 of them.
 * @returns from the pinned version on. What lies before it proves nothing: a stranger can sign the pinned version too,
 *   and thereby put his own versions in front of it.
 * @throws VerifyError ROOT_ROLLBACK, ROOT_PIN_MISMATCH or as {@link verifyRootChain}
 */
export function extendPinnedRoot(pinned: TrustRoot, files: readonly RootFile[]): readonly TrustRoot[] {
  assertCountFromOne(files);
  const same = files[pinned.version - 1];
  if (same === undefined) {
    throw new VerifyError(
      'ROOT_ROLLBACK',
      `the root chain ends at version ${files.length}, but version ${pinned.version} is pinned here`,
    );
  }
  if (!equalBytes(parseRootEnvelope(same.bytes).payload, pinned.envelope.payload)) {
    throw new VerifyError(
      'ROOT_PIN_MISMATCH',
      `root version ${pinned.version} of the chain is not the one pinned here: it comes from another publisher`,
    );
  }
  return verifyRootChain(files).slice(pinned.version - 1);
}

/** @throws VerifyError ROOT_EXPIRED when the floor proves that its time has passed */
export function assertRootNotExpired(root: TrustRoot, floor: Time): void {
  const known = laterTime(floor, root.document.issuedAt);
  if (root.expires < known) {
    throw new VerifyError(
      'ROOT_EXPIRED',
      `trust root ${root.version} expired at ${root.expires}, and it is at least ${known}; a newer version is needed`,
    );
  }
}
