import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Report } from '../../core/checks.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { MAX_LINE_BYTES } from '../../ledger/format.ts';
import { createHashFunction } from '../../ledger/hashing.ts';
import { breathe, scanLines } from '../../ledger/scan-io.ts';
import type { Contents } from './contents.ts';
import { logPath } from './layout.ts';
import type { LogAudit } from './log-audit.ts';
import { stageEvidence } from './read-io.ts';
import { type EvidenceTrust, EvidenceVerification } from './verification.ts';

export type VerifyEvidenceOptions = {
  /** What the report calls it; default the last part of the path. */
  readonly name?: string;
  /** An empty directory of our own to copy the package into; default one that is removed afterwards. */
  readonly staging?: string;
  readonly signal?: AbortSignal;
};

export type EvidenceJudgement = {
  readonly report: Report;
  /** What it holds, when it is trusted; the files lie in `staging`, by their paths below the bag (`logPath`). */
  readonly contents?: Contents;
};

/**
 * Verifies an evidence package, a tar or an unpacked bag, once copied into private staging. Changes nothing else.
 *
 * What passes was put together by somebody entitled to; every line was logged by an enrolled log of its host, in this
 * place, and not changed since; and of each range exactly as many lines are withheld, and where, as it says.
 * @throws ForensicsError, ArchiveError or DurableError when the package can't be read at all (missing, no permission, no
 *   space); LedgerError HASH_UNAVAILABLE. Everything hostile becomes a failed check instead.
 */
export async function verifyEvidence(
  path: string,
  trust: EvidenceTrust,
  options: VerifyEvidenceOptions = {},
): Promise<EvidenceJudgement> {
  if (options.staging !== undefined) return judge(path, trust, options.staging, options);
  const scratch = mkdtempSync(join(tmpdir(), 'daemoneye-evidence-'));
  try {
    return await judge(path, trust, scratch, options);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function judge(
  path: string,
  trust: EvidenceTrust,
  staging: string,
  { name = basename(path), signal }: VerifyEvidenceOptions,
): Promise<EvidenceJudgement> {
  const hashes = { sha256: await createHashFunction('sha256'), blake3: await createHashFunction('blake3') };
  const verification = new EvidenceVerification(trust, hashes);
  try {
    const { bag, reason } = await stageEvidence(path, staging, signal);
    for (const audit of verification.open(bag, reason)) await feed(audit, staging, signal);
    verification.close();
  } catch (error) {
    if (!(error instanceof DaemonEyeError) || error.fault !== 'untrusted') throw error;
    verification.containerRefused(error);
  }
  const report = verification.report(name);
  const { contents } = verification;
  return report.verdict === 'trusted' && contents !== undefined ? { report, contents } : { report };
}

async function feed(audit: LogAudit, staging: string, signal: AbortSignal | undefined): Promise<void> {
  const file = join(staging, ...logPath(audit.place, 'lines').split('/'));
  for (const lines of scanLines(file, MAX_LINE_BYTES)) {
    signal?.throwIfAborted();
    for (const { bytes, ended } of lines) if (!audit.take(bytes, ended)) return;
    await breathe();
  }
}
