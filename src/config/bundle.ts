import { escapeForTerminal } from '../core/terminal-text.ts';
import { ConfigError } from './errors.ts';
import { parseSettings } from './parse.ts';
import { type SomeSettings, settingsIn } from './settings.ts';

/** The one file of a bundle of kind config. */
export const CONFIG_FILE = 'config.yaml';

export type ConfigBundleFile = { readonly path: string; readonly bytes: Uint8Array };

/**
 * The settings of a bundle of kind config: exactly `config.yaml`, and it must set something.
 * @throws ConfigError CONFIG_FILES, CONFIG_EMPTY or as `parseSettings`
 */
export function settingsOfBundle(files: readonly ConfigBundleFile[]): SomeSettings {
  const stranger = files.find(({ path }) => path !== CONFIG_FILE);
  const [file] = files;
  if (stranger !== undefined || file === undefined) {
    const what = stranger === undefined ? 'nothing' : escapeForTerminal(stranger.path);
    throw new ConfigError('CONFIG_FILES', `a bundle of kind config holds exactly ${CONFIG_FILE}; this one has ${what}`);
  }
  const settings = parseSettings(file.bytes, file.path);
  if (settingsIn(settings).length === 0) throw new ConfigError('CONFIG_EMPTY', `${CONFIG_FILE} sets nothing`);
  return settings;
}
