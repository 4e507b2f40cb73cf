import { isSameKey, type PrivateKey } from '../core/keys.ts';
import type { ExportedLog } from '../forensics/evidence/export-io.ts';
import { dataLayout } from '../install/layout.ts';
import { loadLogKey } from '../install/log-rotation-io.ts';
import { systemSurroundings } from '../ledger/surroundings-io.ts';
import { usageError } from './errors.ts';
import { ownLog } from './log-argument-io.ts';

/**
 * Chooses who seals an evidence package when nobody is named: the key of the first of this host's own logs in it.
 * @param directories of the logs to export from; what a crash left of a change of their keys is mended now, before they
 *   are opened
 * @returns throws CliError USAGE_OPTION where no log in the package is this host's
 * @throws as `loadLogKey`
 */
export async function ownSealingKey(
  data: string,
  directories: readonly string[],
): Promise<(logs: readonly ExportedLog[]) => PrivateKey> {
  const keys: PrivateKey[] = [];
  for (const directory of directories) {
    const log = ownLog(data, directory);
    if (log !== undefined) keys.push(await loadLogKey(dataLayout(data), log, systemSurroundings()));
  }
  return (logs) => {
    const found = logs.flatMap(({ key }) => keys.find(({ publicKey }) => isSameKey(publicKey, key)) ?? [])[0];
    if (found !== undefined) return found;
    throw usageError(
      'USAGE_OPTION',
      'none of the logs in the package has a key of this host: say who seals it with --key',
    );
  };
}
