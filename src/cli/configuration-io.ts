import { settingsOfBundle } from '../config/bundle.ts';
import { type Environment, settingsFromEnvironment, variableOf } from '../config/environment.ts';
import { ConfigError } from '../config/errors.ts';
import { readSettingsFile, settingsFiles } from '../config/files-io.ts';
import { type Configuration, resolveSettings, type SettingsLayer } from '../config/layers.ts';
import { settingsOf } from '../config/parse.ts';
import { type SomeSettings, settingsIn } from '../config/settings.ts';
import { CoreError } from '../core/errors.ts';
import { RELEASE } from '../core/release.ts';
import { isInitialised } from '../install/host-io.ts';
import { readInstall } from '../install/install-io.ts';
import { dataLayout } from '../install/layout.ts';
import { loadPinnedRoot } from '../install/root-store-io.ts';
import { type RevokedBundle, sayRevoked } from '../install/standing.ts';
import { activeBundlesOf } from '../install/stored-bundle-io.ts';
import { usageError } from './errors.ts';

export type LoadedConfiguration = Configuration & {
  /** Who may set sinks, approvals, audience and retention here. */
  readonly signedOnly: boolean;
  /** One sentence about that, for people. */
  readonly why: string;
  /** Active bundles of settings that the trust root has taken back: what they set is not taken. */
  readonly revoked: readonly RevokedBundle[];
  /** The local files that were looked for. */
  readonly files: readonly { readonly layer: 'system' | 'user'; readonly path: string; readonly found: boolean }[];
};

/** Settings of the command line, with the option each came by. */
export type FlagSettings = readonly { readonly option: string; readonly settings: SomeSettings }[];

/**
 * The settings that hold here: defaults, then active bundles of kind config, then the machine's file, the person's file,
 * the environment, the command line.
 * @throws ConfigError; InstallError STATE_TAMPERED; LedgerError; DurableError
 */
export async function loadConfiguration(
  data: string,
  env: Environment,
  flags: FlagSettings = [],
): Promise<LoadedConfiguration> {
  const install = isInitialised(dataLayout(data)) ? await readInstall(data, RELEASE.builtAt) : undefined;
  return resolveAll(install, env, flags);
}

/** A data directory whose log was read. */
type ReadInstall = Awaited<ReturnType<typeof readInstall>>;

function resolveAll(install: ReadInstall | undefined, env: Environment, flags: FlagSettings): LoadedConfiguration {
  const signed = readSigned(install);
  const paths = settingsFiles(env);
  const files = (['system', 'user'] as const).map((layer) => {
    const path = paths[layer];
    return { layer, path, settings: readSettingsFile(path) };
  });
  const layers: SettingsLayer[] = [
    ...signed.layers,
    ...files.map(({ layer, path, settings }) => ({ layer, source: path, settings: settings ?? {} })),
    ...environmentLayers(env),
    ...flags.map(({ option, settings }) => ({ layer: 'flag' as const, source: option, settings })),
  ];
  return {
    ...resolveSettings(layers, signed.signedOnly),
    signedOnly: signed.signedOnly,
    why: signed.why,
    revoked: signed.revoked,
    files: files.map(({ layer, path, settings }) => ({ layer, path, found: settings !== undefined })),
  };
}

/**
 * The names this enclave answers to besides the one in its trust root, for verifying. Settings that can't be taken give
 * none: a wrong file must not keep out the bundle that mends it.
 * @param install as it was opened or read for that: its log is not gone through a second time
 * @returns and what is wrong with the settings, for people
 * @throws as {@link loadConfiguration}, but no ConfigError
 */
export function enclaveNames(
  install: ReadInstall,
  env: Environment,
): { readonly names: readonly string[]; readonly problem?: string } {
  try {
    const { settings, revoked } = resolveAll(install, env, []);
    const names = settings.audience;
    return revoked.length === 0 ? { names } : { names, problem: revoked.map(sayRevoked).join('; ') };
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    return { names: [], problem: `settings are not taken: ${cause.message}` };
  }
}

/** One layer a variable, so that a person is told which one it was. */
function environmentLayers(env: Environment): SettingsLayer[] {
  const settings = settingsFromEnvironment(env);
  return settingsIn(settings).map((name) => ({
    layer: 'environment',
    source: variableOf(name) ?? name,
    settings: { [name]: settings[name] },
  }));
}

/**
 * What an option of a command sets. @param document as in a file of settings
 * @throws CliError USAGE_VALUE when the setting can't have that value
 */
export function flagSettings(option: string, document: unknown): FlagSettings[number] {
  try {
    return { option, settings: settingsOf(document) };
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    throw Object.assign(usageError('USAGE_VALUE', `${option}: ${cause.message}`), { cause });
  }
}

type Signed = Pick<LoadedConfiguration, 'signedOnly' | 'why' | 'revoked'> & {
  readonly layers: readonly SettingsLayer[];
};

function readSigned(install: ReadInstall | undefined): Signed {
  const nobody = (reason: string): Signed => {
    const why = `${reason}, so local files may set what is signed only elsewhere`;
    return { layers: [], signedOnly: false, why, revoked: [] };
  };
  if (install === undefined) return nobody('there is no data directory here');
  const { layout, state } = install;
  if (state.root === undefined) return nobody('no trust root is pinned here');
  const root = loadPinnedRoot(layout, state);
  const { believed, revoked } = activeBundlesOf('config', layout, state, root);
  const layers = believed.map(({ channel, statement, entries, read }): SettingsLayer => {
    const settings = settingsOfBundle(entries.map((entry) => ({ path: entry.path, bytes: read(entry) })));
    return { layer: 'bundle', source: `${channel} seq ${statement.seq}`, settings };
  });
  const hasRole = root.roles.has('config');
  // A root that drops the role, or revokes the settings, must not hand them to whoever owns the host.
  const signedOnly = hasRole || layers.length + revoked.length > 0;
  if (!signedOnly) return nobody(`trust root ${root.version} has no role config`);
  const because = hasRole
    ? `trust root ${root.version} has a role config`
    : 'a signed bundle of settings is active here';
  const rule = `${because}, so only signed bundles may set what is marked`;
  return { layers, signedOnly, why: [rule, ...revoked.map(sayRevoked)].join('; '), revoked };
}
