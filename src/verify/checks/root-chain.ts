import { laterTime, type Time } from '../../core/time.ts';
import { count } from '../../core/wording.ts';
import { countDropped } from '../dropped-revocations.ts';
import { assertRootNotExpired } from '../root-chain.ts';
import type { TrustRoot } from '../root-document.ts';

/**
 * The newest root of a verified chain judges, if its time has not passed.
 * @param chain from `extendPinnedRoot`: from the pinned version on, never empty
 * @returns the root that judges, and the floor raised by it
 * @throws VerifyError ROOT_EXPIRED (TUF specification 1.0, section 5.3.10)
 */
export function checkRootChain(
  pinned: TrustRoot,
  chain: readonly TrustRoot[],
  floor: Time,
): { readonly root: TrustRoot; readonly floor: Time; readonly reason: string } {
  const root = chain.at(-1) ?? pinned;
  assertRootNotExpired(root, floor);
  const step = root.version === pinned.version ? 'the pinned one' : `extends the pinned ${pinned.version}`;
  const dropped = countDropped(chain.map(({ document }) => document));
  const unrevoked = dropped === 0 ? '' : `; takes back ${count(dropped, 'revocation')}`;
  const reason = `root version ${root.version}, ${step}${unrevoked}`;
  return { root, floor: laterTime(floor, root.document.issuedAt), reason };
}
