import { verdictOf } from '../../../../src/core/checks.ts';
import { formatTime } from '../../../../src/core/time.ts';
import { messageOfBytes } from '../../../../src/verify/release/message.ts';
import { parseKeyring } from '../../../../src/verify/release/openpgp/keyring.ts';
import { prepareOpenpgp } from '../../../../src/verify/release/openpgp/openpgp-method.ts';
import { DAY, T0 } from './making.ts';

export type Judging = {
  /** Seconds since 1970. */
  readonly floor?: number;
  readonly threshold?: number;
};

/** What `release verify` would make of it: the check, and who signed. */
export async function judge(signature: Uint8Array, keyring: Uint8Array, data: Uint8Array, judging: Judging = {}) {
  const { floor = T0 + 2 * DAY, threshold = 1 } = judging;
  const trust = { keyring: parseKeyring(keyring), threshold, floor: formatTime(floor * 1000) };
  const method = await prepareOpenpgp(signature, trust);
  const message = messageOfBytes('tool.tar', method.embedded ?? data);
  const { checks, signers } = method.verify(message);
  const [check] = checks;
  if (check === undefined || checks.length !== 1) throw new Error('there is one check');
  return { check, signers, verdict: verdictOf(checks), embedded: method.embedded };
}

/** `pass`, or the code of the refusal. */
export async function outcome(...args: Parameters<typeof judge>): Promise<string> {
  const { check, signers } = await judge(...args);
  if ((check.status === 'pass') !== signers.length > 0) throw new Error('a yes has a signer, and a no has none');
  return check.code ?? check.status;
}
