import { basename } from 'node:path';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { ReleaseError } from '../../verify/release/errors.ts';
import type { Message } from '../../verify/release/message.ts';
import {
  compareSbom,
  comparisonDetail,
  type FileHashes,
  isSame,
  judgeComparison,
} from '../../verify/release/sbom/compare.ts';
import type { Sbom, SbomHash } from '../../verify/release/sbom/document.ts';
import type { Finding } from '../../verify/release/signed-list.ts';
import { hashedFiles } from './hashed-files-io.ts';

/**
 * Compares every file under `root` with the list.
 * @param own files of the release itself, such as the list and its signature: where nobody lists those, they are not missed
 * @throws ArchiveError for links, devices and names against the rules; what aborted it
 */
export async function compareDirectory(
  sbom: Sbom,
  root: string,
  own: readonly string[],
  signal: AbortSignal,
): Promise<Finding> {
  const names = [...new Set(sbom.files.flatMap(({ hashes }) => Object.keys(hashes) as SbomHash[]))];
  const listed = new Set(sbom.files.map(({ path }) => path));
  const found = new Map<string, FileHashes>();
  for await (const { path, digests } of hashedFiles(root, own, () => names, signal, listed)) found.set(path, digests);
  const comparison = compareSbom(sbom, found);
  return { reason: judgeComparison(sbom, comparison), detail: comparisonDetail(comparison) };
}

/** Without a directory to compare: the artifact itself must be listed. @throws ReleaseError SBOM_NOT_LISTED, SBOM_MISMATCH */
export function compareArtifact(sbom: Sbom, message: Message): Finding {
  const name = basename(message.name);
  const shown = escapeForTerminal(name);
  const listed = sbom.files.find(({ path }) => path === name);
  if (listed === undefined) {
    const message = `the ${sbom.format} list has no file "${shown}"; to check the files that it has, say where with --sbom-root`;
    throw new ReleaseError('SBOM_NOT_LISTED', message);
  }
  if (!isSame(listed, message.digests)) {
    throw new ReleaseError('SBOM_MISMATCH', `"${shown}" is not the file of that name in the ${sbom.format} list`);
  }
  return { reason: `the file is the one of the ${sbom.format} list` };
}
