import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Checkpoint } from '../core/checkpoint.ts';
import { isSameKey, type PublicKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { isInitialised } from '../install/host-io.ts';
import { hasLogKey, loadLogPublicKey } from '../install/host-keys-io.ts';
import { readAnchor } from '../install/install-log-io.ts';
import { dataLayout, INSTALL_LOG } from '../install/layout.ts';
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
 * @param keyFile `--key`; without it the key that this host keeps for the log, if it is one of its own
 * @throws InstallError STATE_TAMPERED when what this host put aside is damaged; as `loadPublicKey`
 */
export function logAuthority(data: string, directory: string, keyFile: string | undefined): LogAuthority {
  const layout = dataLayout(data);
  const given = keyFile === undefined ? undefined : loadPublicKey(keyFile);
  const log = ownLog(data, directory);
  const own = log === undefined ? undefined : loadLogPublicKey(layout, log);
  const key = given ?? own;
  // Also when our own key is given: naming it must not make the check weaker.
  const isAnchored = key !== undefined && own !== undefined && isSameKey(key, own) && log === INSTALL_LOG;
  return { key, anchors: isAnchored ? readAnchor(layout) : [] };
}

/** Where the sealed values of a log lie: `--sealed`, or sealed/ beside logs/, as on a host. */
export function sealedDirectory(log: string, given: string | undefined): string {
  const directory = resolve(log);
  return given ?? join(directory, '..', '..', 'sealed', basename(directory));
}

/** The name of a log that this host writes, and has the key of; undefined for any other. */
export function ownLog(data: string, directory: string): string | undefined {
  const layout = dataLayout(data);
  const path = real(directory);
  if (dirname(path) !== real(layout.logs) || !isInitialised(layout)) return undefined;
  const log = basename(path);
  return log === INSTALL_LOG || hasLogKey(layout, log) ? log : undefined;
}

/**
 * The install log is this host's state, read from its first line; what may be dropped of it is nobody's to say.
 * @throws CliError OWN_LOG
 */
export function refuseInstallLog(data: string, directory: string): void {
  if (real(directory) !== real(dataLayout(data).installLog)) return;
  const message = `${escapeForTerminal(directory)} is this host's install log, its state from the first line on: it can't be pruned`;
  throw new CliError('OWN_LOG', message, { fault: 'refused' });
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
