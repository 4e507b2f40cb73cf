import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Environment } from './render/style.ts';

const SYSTEM_DATA = '/var/lib/daemoneye';

/**
 * Where state lies unless `--data` says otherwise: DAEMONEYE_DATA; for root the service's directory where it exists;
 * else the person's own (docs/formats.md, "State on disk"). Always absolute.
 */
export function defaultDataDirectory(env: Environment): string {
  const named = env['DAEMONEYE_DATA'];
  if (named !== undefined && named !== '') return resolve(named);
  if (process.getuid?.() === 0 && existsSync(SYSTEM_DATA)) return SYSTEM_DATA;
  return join(env['HOME'] || homedir(), '.local', 'share', 'daemoneye');
}
