import type { BundleStatement } from '../../bundle/statement.ts';
import { VerifyError } from '../errors.ts';
import type { TrustRoot } from '../root-document.ts';

/**
 * Whether this tool and this trust root are new enough.
 * @param toolVersion `major.minor.patch`
 * @throws VerifyError REQUIRES_TOOL or REQUIRES_ROOT
 */
export function checkRequires(root: TrustRoot, statement: BundleStatement, toolVersion: string): string {
  const { daemoneye, root: rootVersion } = statement.requires;
  // Not `< 0`: a version that is no version compares as NaN, and must not pass.
  if (daemoneye !== undefined && !(compareVersions(toolVersion, daemoneye) >= 0)) {
    throw new VerifyError('REQUIRES_TOOL', `needs daemoneye ${daemoneye} or later; this is ${toolVersion}`);
  }
  if (rootVersion !== undefined && root.version < rootVersion) {
    throw new VerifyError('REQUIRES_ROOT', `needs trust root ${rootVersion} or later; this is ${root.version}`);
  }
  return daemoneye === undefined && rootVersion === undefined ? 'requires nothing' : 'what it requires is here';
}

/** Order of plain `major.minor.patch` versions; NaN when one of them is not. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < 3; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
