import { escapeForTerminal } from '../core/terminal-text.ts';
import { ConfigError } from './errors.ts';
import {
  DEFAULTS,
  isSignedOnly,
  SETTING_NAMES,
  type SettingName,
  type Settings,
  type SettingValue,
  type SomeSettings,
  settingsIn,
} from './settings.ts';

/**
 * From the weakest to the strongest. A verified bundle speaks for the whole site, so its ordinary settings are better
 * defaults, which a host may adjust; those that are signed only nobody else may set.
 */
export const LAYERS = ['default', 'bundle', 'system', 'user', 'environment', 'flag'] as const;
export type LayerName = (typeof LAYERS)[number];

export type SettingsLayer = {
  readonly layer: Exclude<LayerName, 'default'>;
  /** What a person can look at: a path, a channel and seq, a variable, an option. */
  readonly source: string;
  readonly settings: SomeSettings;
};

export type ResolvedSetting = {
  readonly name: SettingName;
  readonly value: SettingValue;
  readonly layer: LayerName;
  /** Absent for a default. */
  readonly source?: string;
  /** Here, now, only a verified bundle of kind config may set it. */
  readonly signedOnly: boolean;
};

export type Configuration = {
  readonly settings: Settings;
  /** Every setting, in the order of {@link SETTING_NAMES}. */
  readonly resolved: readonly ResolvedSetting[];
};

/**
 * Puts the layers on top of each other, whatever order they are given in; of several of one kind the later wins.
 * @param signedOnly whether the trust root has a role `config`
 * @throws ConfigError CONFIG_SIGNED_ONLY (fault `refused`) when another layer than a bundle sets what only one may
 */
export function resolveSettings(layers: readonly SettingsLayer[], signedOnly: boolean): Configuration {
  const ordered = layers.toSorted((a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer));
  if (signedOnly) for (const layer of ordered) assertMaySet(layer);
  const resolved = SETTING_NAMES.map((name): ResolvedSetting => {
    const from = ordered.findLast(({ settings }) => settings[name] !== undefined);
    const restricted = signedOnly && isSignedOnly(name);
    if (from === undefined) return { name, value: DEFAULTS[name], layer: 'default', signedOnly: restricted };
    const value = from.settings[name] ?? DEFAULTS[name];
    return { name, value, layer: from.layer, source: from.source, signedOnly: restricted };
  });
  const settings = Object.fromEntries(resolved.map(({ name, value }) => [name, value])) as Settings;
  return { settings, resolved };
}

function assertMaySet({ layer, source, settings }: SettingsLayer): void {
  if (layer === 'bundle') return;
  const name = settingsIn(settings).find(isSignedOnly);
  if (name === undefined) return;
  throw new ConfigError(
    'CONFIG_SIGNED_ONLY',
    `${escapeForTerminal(source)} sets ${name}, which only a signed bundle of kind config may set here, because the ` +
      'trust root has a role config; take it out there',
    { fault: 'refused' },
  );
}
