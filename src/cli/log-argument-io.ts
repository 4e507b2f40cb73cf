import { realpathSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Checkpoint } from '../core/checkpoint.ts';
import { isSameKey, type PublicKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { isInitialised, loadHostPublicKey } from '../install/host-io.ts';
import { readAnchor } from '../install/install-io.ts';
import { type DataLayout, dataLayout } from '../install/layout.ts';
import { CliError } from './errors.ts';
import { loadPublicKey } from './key-files-io.ts';

/** What is known of a log from elsewhere than the log: its own genesis is no authority. */
export type LogAuthority = {
  /** Undefined for a log that isn't ours and no key was given for. */
  readonly key: PublicKey | undefined;
  readonly anchors: readonly Checkpoint[];
};

/** The directory of the log a command is about; without one, of the install log of the data directory. */
export function logDirectory(data: string, directory: string | undefined): string {
  return directory ?? dataLayout(data).installLog;
}

/**
 * @param directory of the log
 * @param keyFile `--key`; without it this host's own key counts for logs under its data directory
 * @throws InstallError STATE_TAMPERED when what this host put aside is damaged; as `loadPublicKey`
 */
export function logAuthority(data: string, directory: string, keyFile: string | undefined): LogAuthority {
  const layout = dataLayout(data);
  const given = keyFile === undefined ? undefined : loadPublicKey(keyFile);
  const own = isOurs(layout, directory) ? loadHostPublicKey(layout) : undefined;
  const key = given ?? own;
  // Also when our own key is given: naming it must not make the check weaker.
  const isAnchored = key !== undefined && own !== undefined && isSameKey(key, own) && isInstallLog(layout, directory);
  return { key, anchors: isAnchored ? readAnchor(layout, key) : [] };
}

/** Where the sealed values of a log lie: `--sealed`, or sealed/ beside logs/, as on a host. */
export function sealedDirectory(log: string, given: string | undefined): string {
  const directory = resolve(log);
  return given ?? join(directory, '..', '..', 'sealed', basename(directory));
}

/** Whether a log lies in this host's data directory. */
export function isThisHostsLog(data: string, directory: string): boolean {
  return isOurs(dataLayout(data), directory);
}

/**
 * The install log is this host's state, read from its first line; what may be dropped of it is nobody's to say.
 * @throws CliError OWN_LOG
 */
export function refuseInstallLog(data: string, directory: string): void {
  if (!isInstallLog(dataLayout(data), directory)) return;
  const message = `${escapeForTerminal(directory)} is this host's install log, its state from the first line on: it can't be pruned`;
  throw new CliError('OWN_LOG', message, { fault: 'refused' });
}

function isOurs(layout: DataLayout, directory: string): boolean {
  const inside = relative(real(layout.data), real(directory));
  return !isAbsolute(inside) && inside !== '' && inside.split(sep)[0] !== '..' && isInitialised(layout);
}

function isInstallLog(layout: DataLayout, directory: string): boolean {
  return real(directory) === real(layout.installLog);
}

/** Without symbolic links: a data directory may be reached by one. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Absent, or out of reach: then whoever opens it says so.
    return resolve(path);
  }
}
