import downgradeSchema from '../../schemas/downgrade.schema.json' with { type: 'json' };
import type { Digest } from '../core/digest.ts';
import type { Time } from '../core/time.ts';
import { checkAudience } from './checks/audience.ts';
import { VerifyError } from './errors.ts';
import type { TrustRoot } from './root-document.ts';
import type { DocumentFormat, Verified } from './signed-document.ts';

/** The JSON of a downgrade statement's payload; `schemas/downgrade.schema.json` is its contract. */
export type DowngradeDocument = {
  readonly v: 1;
  readonly channel: string;
  /** What must be active for it to count. */
  readonly from: Digest;
  /** What may become active instead. */
  readonly to: Digest;
  /** Names of enclaves; empty means every enclave. */
  readonly audience: readonly string[];
  readonly reason: string;
  readonly issuedAt: Time;
  readonly expires: Time;
};

export const DOWNGRADE: DocumentFormat<DowngradeDocument> = {
  name: 'downgrade statement',
  payloadType: 'application/vnd.daemoneye.downgrade+json',
  role: 'root',
  schema: downgradeSchema,
  flaw: ({ from, to, issuedAt, expires }) => {
    if (from === to) return 'it leads from a bundle to itself';
    return expires <= issuedAt ? 'it expires no later than it was issued' : undefined;
  },
};

/**
 * Whether a verified downgrade statement is about this enclave as it stands.
 * @param active payload of the bundle that is active on the channel
 * @param spent payloads of statements that were used here
 * @throws VerifyError DOWNGRADE_USED, DOWNGRADE_MISMATCH or NOT_FOR_THIS_ENCLAVE
 */
export function checkDowngrade(
  root: TrustRoot,
  { document, payload }: Verified<DowngradeDocument>,
  active: Digest | undefined,
  spent: ReadonlySet<string>,
): void {
  const { channel, from } = document;
  if (spent.has(payload)) throw new VerifyError('DOWNGRADE_USED', 'this downgrade statement was used here already');
  checkAudience(root, document);
  if (from !== active) {
    const now = active === undefined ? 'nothing is' : `${active} is`;
    const message = `the downgrade statement leads away from ${from}, but on ${channel} ${now} active here`;
    throw new VerifyError('DOWNGRADE_MISMATCH', message);
  }
}
