/** Where alerts go. */
export type SinkSetting = { readonly name: string; readonly url: string };

/** Every setting by its name; `schemas/config.schema.json` is the contract for their values. */
export type Settings = {
  /** Milliseconds between two looks at the processes. */
  readonly 'agent.interval_ms': number;
  /** Milliseconds between two looks at the sockets; 0: never. */
  readonly 'agent.sockets_ms': number;
  /** Whether names of environment variables are recorded, and their values sealed. */
  readonly 'agent.environment': boolean;
  /** Age at which rows leave the event store. */
  readonly 'retention.store_days': number;
  readonly 'retention.store_mib': number;
  /** How much the lines of each of procmond's and the agent's logs may take; at that, intake stops. */
  readonly 'retention.logs_mib': number;
  readonly sinks: readonly SinkSetting[];
  /** How many operators besides the one who asks must agree. */
  readonly 'approvals.trace': number;
  readonly 'approvals.reveal': number;
  readonly 'approvals.prune': number;
  /** Names this enclave answers to besides the one in its trust root. */
  readonly audience: readonly string[];
};

export type SettingName = keyof Settings;
export type SettingValue = Settings[SettingName];
export type SomeSettings = { readonly [Name in SettingName]?: Settings[Name] };

/** What holds where nobody says otherwise. No sink: nothing leaves a host by itself. In the order people are shown. */
export const DEFAULTS: Settings = {
  'agent.interval_ms': 250,
  'agent.sockets_ms': 1000,
  'agent.environment': false,
  'retention.store_days': 30,
  'retention.store_mib': 512,
  'retention.logs_mib': 8192,
  sinks: [],
  'approvals.trace': 0,
  'approvals.reveal': 0,
  'approvals.prune': 1,
  audience: [],
};

export const SETTING_NAMES = Object.keys(DEFAULTS) as readonly SettingName[];

/**
 * Whether, once the trust root has a role `config`, only a verified bundle may set it: who owns a host could otherwise
 * send its alerts elsewhere, approve his own traces, forget the evidence early, or pass for another enclave.
 */
export function isSignedOnly(name: SettingName): boolean {
  return !name.startsWith('agent.');
}

export function settingsIn(settings: SomeSettings): readonly SettingName[] {
  return SETTING_NAMES.filter((name) => Object.hasOwn(settings, name));
}
