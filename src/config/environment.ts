import { CoreError } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { ConfigError } from './errors.ts';
import { settingsOf } from './parse.ts';
import { DEFAULTS, SETTING_NAMES, type SettingName, type SomeSettings } from './settings.ts';

const PREFIX = 'DAEMONEYE_';

export type Environment = { readonly [name: string]: string | undefined };

/** The variable of a setting: `agent.interval_ms` is DAEMONEYE_AGENT_INTERVAL_MS. Sinks have none: they are no text. */
export function variableOf(name: SettingName): string | undefined {
  return name === 'sinks' ? undefined : PREFIX + name.replace('.', '_').toUpperCase();
}

/** Variables that begin like those of settings; any other DAEMONEYE_… is not ours to judge. */
const OURS = new RegExp(`^${PREFIX}(?:${[...new Set(SETTING_NAMES.map(sectionOf))].join('|')})(?:_|$)`);

function sectionOf(name: SettingName): string {
  return (name.split('.')[0] ?? name).toUpperCase();
}

/**
 * The settings in the environment. An empty variable is none, as in most tools; lists are separated by commas.
 * @throws ConfigError CONFIG_ENVIRONMENT for a value that the setting can't have, and for a variable that looks like a
 *   setting and is none: a slip of the finger must not pass for a setting
 */
export function settingsFromEnvironment(env: Environment): SomeSettings {
  const variables = new Map(SETTING_NAMES.map((name) => [variableOf(name), name]));
  let settings: SomeSettings = {};
  for (const [variable, text] of Object.entries(env)) {
    if (!OURS.test(variable) || text === undefined || text === '') continue;
    const name = variables.get(variable);
    if (name === undefined) {
      const known = [...variables.keys()].filter((one) => one !== undefined).join(', ');
      throw refused(variable, `is the variable of no setting; there are ${known}`);
    }
    settings = { ...settings, ...settingOf(name, variable, text) };
  }
  return settings;
}

function settingOf(name: SettingName, variable: string, text: string): SomeSettings {
  const [section = '', key] = name.split('.');
  const value = typedValue(name, text);
  try {
    return settingsOf(key === undefined ? { [section]: value } : { [section]: { [key]: value } });
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    throw refused(variable, `can't be "${escapeForTerminal(text.slice(0, 100))}": ${cause.message}`, cause);
  }
}

/** As the type of the setting reads it; what it can't read stays text, which the schema then refuses. */
function typedValue(name: SettingName, text: string): unknown {
  const like = DEFAULTS[name];
  if (Array.isArray(like)) return text.split(',').map((part) => part.trim());
  if (typeof like === 'number' && /^(?:0|[1-9][0-9]{0,14})$/.test(text)) return Number(text);
  if (typeof like === 'boolean' && /^(?:true|false)$/.test(text)) return text === 'true';
  return text;
}

function refused(variable: string, problem: string, cause?: unknown): ConfigError {
  const message = `the environment variable ${escapeForTerminal(variable.slice(0, 100))} ${problem}`;
  return new ConfigError('CONFIG_ENVIRONMENT', message, { cause });
}
