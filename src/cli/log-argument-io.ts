import { existsSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import type { Checkpoint } from '../core/checkpoint.ts';
import type { PublicKey } from '../core/keys.ts';
import { isInitialised, loadHostPublicKey } from '../install/host-io.ts';
import { readAnchor } from '../install/install-io.ts';
import { dataLayout } from '../install/layout.ts';
import { loadPublicKey } from './key-files-io.ts';

/** The log a command is about, and what is known of it from elsewhere than the log. */
export type LogArgument = {
  readonly directory: string;
  /** Undefined for a log that isn't ours and no key was given for: its own genesis is no authority. */
  readonly key: PublicKey | undefined;
  readonly anchors: readonly Checkpoint[];
};

/**
 * @param directory as given; without it the install log of the data directory
 * @param keyFile `--key`; without it this host's own key counts for logs under its data directory
 */
export function resolveLog(data: string, directory: string | undefined, keyFile: string | undefined): LogArgument {
  const layout = dataLayout(data);
  const chosen = directory ?? layout.installLog;
  const isOurs = isInitialised(layout) && existsSync(chosen) && resolve(chosen).startsWith(resolve(data) + sep);
  const key = keyFile === undefined ? (isOurs ? loadHostPublicKey(layout) : undefined) : loadPublicKey(keyFile);
  const isInstallLog = isOurs && resolve(chosen) === resolve(layout.installLog);
  const anchors = isInstallLog && key !== undefined && keyFile === undefined ? readAnchor(layout, key) : [];
  return { directory: chosen, key, anchors };
}
