import configSchema from '../../schemas/config.schema.json' with { type: 'json' };
import { CoreError, messageOf } from '../core/errors.ts';
import { parsePlainYaml } from '../core/plain-yaml.ts';
import { validateSchema } from '../core/schema.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { ConfigError, type ConfigErrorCode } from './errors.ts';
import { SETTING_NAMES, type SettingName, type SinkSetting, type SomeSettings } from './settings.ts';

/** Settings as they are written: one level of sections. */
export type SettingsDocument = { readonly [section: string]: unknown };

export const CONFIG_LIMITS = { maxBytes: 64 * 1024, maxDepth: 8, maxMembers: 1000 } as const;

/**
 * Parses a file of settings: the plain part of YAML 1.2, known settings only. An empty file, or one of comments, sets
 * nothing.
 * @param name of the file, for errors
 * @throws ConfigError CONFIG_TOO_LARGE, CONFIG_YAML or CONFIG_SCHEMA
 */
export function parseSettings(bytes: Uint8Array, name: string): SomeSettings {
  try {
    return settingsOf(parsePlainYaml(bytes, CONFIG_LIMITS) ?? {});
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    throw new ConfigError(codeOf(cause), `${escapeForTerminal(name)}: ${messageOf(cause)}`, { cause });
  }
}

function codeOf({ code }: CoreError): ConfigErrorCode {
  if (code === 'YAML_TOO_LARGE') return 'CONFIG_TOO_LARGE';
  return code === 'YAML_MALFORMED' ? 'CONFIG_YAML' : 'CONFIG_SCHEMA';
}

/** Checks a document by the schema and takes its settings out of their sections. @throws CoreError SCHEMA_MISMATCH */
export function settingsOf(document: unknown): SomeSettings {
  const sections = validateSchema<SettingsDocument>(configSchema, document);
  const settings: { -readonly [Name in SettingName]?: unknown } = {};
  for (const name of SETTING_NAMES) {
    const value = valueAt(sections, name);
    if (value !== undefined) settings[name] = value;
  }
  assertDistinctSinks((settings.sinks ?? []) as readonly SinkSetting[]);
  return settings as SomeSettings;
}

function valueAt(sections: SettingsDocument, name: SettingName): unknown {
  const [section = '', key] = name.split('.');
  const value = sections[section];
  return key === undefined ? value : (value as SettingsDocument | undefined)?.[key];
}

/** A sink is known by its name, also in what it has delivered. */
function assertDistinctSinks(sinks: readonly SinkSetting[]): void {
  const twice = sinks.find(({ name }, i) => sinks.findIndex((other) => other.name === name) !== i);
  if (twice !== undefined) throw new CoreError('SCHEMA_MISMATCH', `/sinks has two sinks of the name ${twice.name}`);
}
