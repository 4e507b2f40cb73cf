import { laterTime } from '../core/time.ts';
import { VerifyError } from '../verify/errors.ts';
import { assertRootNotExpired, assertSignedBy } from '../verify/root-chain.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { parseRoot } from '../verify/trust-root.ts';
import { InstallError } from './errors.ts';
import type { LoggedEntry, WritableInstall } from './install-io.ts';
import { storeRoots } from './root-store-io.ts';
import type { TrustEvent } from './state.ts';

/**
 * Pins a trust root for good: from here on only its own successors replace it.
 *
 * The fingerprint is what the person got by another way than the file; without it, whoever hands over the stick hands
 * over the trust.
 * @param bytes of the root's envelope
 * @param fingerprint `sha256:<hex>` of its payload
 * @throws InstallError ALREADY_PINNED; VerifyError ROOT_FINGERPRINT, ROOT_SIGNATURES_OWN, ROOT_EXPIRED or as parseRoot
 */
export async function pinRoot(
  install: WritableInstall,
  bytes: Uint8Array,
  fingerprint: string,
): Promise<{ readonly root: TrustRoot; readonly entry: LoggedEntry }> {
  const root = parseRoot(bytes);
  const given = fingerprint.startsWith('sha256:') ? fingerprint : `sha256:${fingerprint}`;
  if (root.digest !== given) {
    throw new VerifyError('ROOT_FINGERPRINT', `the fingerprint of this trust root is ${root.digest}, not ${given}`);
  }
  if (install.state.root !== undefined) {
    throw new InstallError(
      'ALREADY_PINNED',
      `trust root ${install.state.root.version} is pinned here already; newer versions arrive inside bundles`,
      { fault: 'refused' },
    );
  }
  assertSignedBy(root, root, 'ROOT_SIGNATURES_OWN');
  assertRootNotExpired(root, install.state.floor);
  storeRoots(install.layout, [root]);
  const pinned: TrustEvent = {
    version: root.version,
    payload: root.digest,
    expires: root.expires,
    floor: laterTime(install.state.floor, root.document.issuedAt),
  };
  return { root, entry: await install.append({ type: 'trust.pinned', data: pinned }) };
}
