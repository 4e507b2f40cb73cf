import { RELEASE } from '../core/release.ts';

/** What `daemoneye --version` and `daemoneye version` print, in one line. */
export function versionLine(): string {
  const built = RELEASE.builtAt.slice(0, 10);
  return `${RELEASE.name} ${RELEASE.version} (node ${process.versions.node}, ${process.platform}-${process.arch}, built ${built})`;
}
