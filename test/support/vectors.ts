import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const base = resolve(process.env['DAEMONEYE_VECTORS'] ?? join(import.meta.dirname, '../../../shared/vectors'));

/** The folder of one set of public test data, or undefined when it is not on this machine: then skip, aloud. */
export function vectors(set: string): string | undefined {
  const folder = join(base, set);
  if (existsSync(folder)) return folder;
  console.warn(`SKIPPED: the public test data "${set}" are not on this machine (see DAEMONEYE_VECTORS)`);
  return undefined;
}
