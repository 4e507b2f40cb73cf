import { openBundle } from '../bundle/read-io.ts';
import { decidingCheck } from '../core/checks.ts';
import { RELEASE } from '../core/release.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { BundleVerification } from '../verify/bundle-verification.ts';
import { admit } from '../verify/enrolment-admission.ts';
import type { Place } from '../verify/heads.ts';
import { MAX_RECEIPT_BYTES, type VerifiedReceipt, verifyReceipt } from '../verify/receipt.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { CliError } from './errors.ts';
import { readInputFile } from './files-io.ts';

/** What the publisher's side judges receipts and bundles by. */
export type PublisherTrust = {
  readonly root: TrustRoot;
  readonly floor: Time;
  readonly enrolments: readonly Uint8Array[];
};

/** A receipt file, verified. @throws VerifyError as `verifyReceipt`; CliError as `readInputFile` */
export function readReceipt(path: string, { root, floor, enrolments }: PublisherTrust): VerifiedReceipt {
  const bytes = readInputFile(path, { maxBytes: MAX_RECEIPT_BYTES });
  return verifyReceipt(root, admit(root, enrolments, floor), bytes, floor);
}

/**
 * Channel and place of a bundle, if its statement is trusted: nobody should sign that a stranger's bundle is the
 * newest. Its files are not read.
 * @throws CliError BUNDLE_REFUSED; BundleError, ArchiveError
 */
export async function placeOfBundle(
  path: string,
  { root, floor }: PublisherTrust,
): Promise<Place & { readonly channel: string }> {
  const trust = { pinned: root, floor, toolVersion: RELEASE.version, channelMemory: () => undefined };
  const verification = new BundleVerification(trust);
  const reader = await openBundle(path);
  try {
    const { envelope, rootChain } = await reader.readHead();
    verification.head(envelope, rootChain);
  } finally {
    await reader.close();
  }
  const failed = verification.report(path).checks.find(({ status }) => status === 'fail');
  const { statement, payload } = verification;
  if (failed === undefined && statement !== undefined && payload !== undefined) {
    return { channel: statement.channel, seq: statement.seq, payload };
  }
  const check = failed ?? decidingCheck(verification.report(path));
  const message = `${escapeForTerminal(path)} is not trusted: ${check?.reason}`;
  throw new CliError('BUNDLE_REFUSED', message, { fault: 'untrusted' });
}
