import { openBundle } from '../bundle/read-io.ts';
import { decidingCheck } from '../core/checks.ts';
import { RELEASE } from '../core/release.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { BundleVerification } from '../verify/bundle-verification.ts';
import { admit } from '../verify/enrolment-admission.ts';
import type { Place } from '../verify/heads.ts';
import { type VerifiedReceipt, verifyReceipt } from '../verify/receipt.ts';
import { assertAnnounced, parseReceiptTag, type ReceiptTag } from '../verify/receipt-tag.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { readAllCarriedFiles, readCodeFile } from './carrying-command.ts';
import { CliError, usageError } from './errors.ts';

/** What the publisher's side judges receipts and bundles by. */
export type PublisherTrust = {
  readonly root: TrustRoot;
  readonly floor: Time;
  readonly enrolments: readonly Uint8Array[];
};

/**
 * Receipts, verified: files, or QR codes of them as images or text.
 * @param announced of `--fingerprint`: what somebody was told of them another way, `sha256:…` or a file with the small
 *   QR code of a receipt; each has to fit
 * @throws VerifyError RECEIPT_TAG, RECEIPT_MISMATCH, as `verifyReceipt`; CliError, LedgerError as `readAllCarriedFiles`
 */
export async function readReceipts(
  paths: readonly string[],
  { root, floor, enrolments }: PublisherTrust,
  announced: readonly string[] = [],
): Promise<VerifiedReceipt[]> {
  const admissions = admit(root, enrolments, floor);
  const carried = await readAllCarriedFiles(paths);
  const receipts = carried.map((bytes) => verifyReceipt(root, admissions, bytes, floor));
  if (announced.length > 0) assertAnnounced(receipts, await Promise.all(announced.map(readTag)));
  return receipts;
}

/** The one receipt that these files are. @throws CliError USAGE_OPTION, and as {@link readReceipts} */
export async function readReceipt(
  paths: readonly string[],
  trust: PublisherTrust,
  announced: readonly string[] = [],
): Promise<VerifiedReceipt> {
  const [receipt, ...others] = await readReceipts(paths, trust, announced);
  if (receipt === undefined || others.length > 0) {
    throw usageError('USAGE_OPTION', 'these are several receipts; give one, or all the QR codes of one');
  }
  return receipt;
}

async function readTag(announced: string): Promise<ReceiptTag> {
  return parseReceiptTag(announced.startsWith('sha256:') ? announced : await readCodeFile(announced));
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
