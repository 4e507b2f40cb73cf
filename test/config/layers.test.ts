import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STORE_AGE_MS, STORE_BYTES } from '../../src/agent/format.ts';
import { settingsFromEnvironment, variableOf } from '../../src/config/environment.ts';
import { readSettingsFile, settingsFiles } from '../../src/config/files-io.ts';
import { LAYERS, resolveSettings, type SettingsLayer } from '../../src/config/layers.ts';
import { parseSettings } from '../../src/config/parse.ts';
import { DEFAULTS, isSignedOnly, SETTING_NAMES, type SettingName } from '../../src/config/settings.ts';
import { utf8 } from '../../src/core/bytes.ts';
import { DEFAULT_INTERVAL_MS, DEFAULT_LOG_BYTES, DEFAULT_SOCKETS_MS } from '../../src/ipc/procmond-launch.ts';
import { expectCode } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const layer = (name: SettingsLayer['layer'], settings: SettingsLayer['settings']): SettingsLayer => ({
  layer: name,
  source: `the ${name}`,
  settings,
});

describe('the layers', () => {
  const ladder = LAYERS.slice(1).map((name, i) =>
    layer(name as SettingsLayer['layer'], { 'agent.interval_ms': 100 + i }),
  );

  it('lie on each other in one order, however they are given', () => {
    for (let top = 0; top <= ladder.length; top += 1) {
      const given = ladder.slice(0, top);
      for (const layers of [given, given.toReversed()]) {
        const [interval] = resolveSettings(layers, false).resolved;
        const expected = top === 0 ? { value: 250, layer: 'default' } : { value: 99 + top, layer: LAYERS[top] };
        expect(interval).toMatchObject({ name: 'agent.interval_ms', ...expected });
      }
    }
  });

  it('say of every setting who set it, and of a default nobody', () => {
    const { resolved, settings } = resolveSettings([layer('user', { audience: ['plant-7'] })], false);
    expect(resolved.map(({ name }) => name)).toEqual(SETTING_NAMES);
    expect(resolved.filter(({ layer: from }) => from !== 'default')).toEqual([
      { name: 'audience', value: ['plant-7'], layer: 'user', source: 'the user', signedOnly: false },
    ]);
    expect(settings).toEqual({ ...DEFAULTS, audience: ['plant-7'] });
  });

  it('of two bundles the later wins', () => {
    const layers = [layer('bundle', { 'approvals.trace': 2 }), layer('bundle', { 'approvals.trace': 3 })];
    expect(resolveSettings(layers, true).settings['approvals.trace']).toBe(3);
  });

  const changed: { readonly [Name in SettingName]: unknown } = {
    'agent.interval_ms': 500,
    'agent.sockets_ms': 0,
    'agent.environment': true,
    'retention.store_days': 1,
    'retention.store_mib': 16,
    'retention.logs_mib': 16,
    sinks: [{ name: 'siem', url: 'https://siem.example' }],
    'approvals.trace': 1,
    'approvals.reveal': 1,
    'approvals.prune': 2,
    audience: ['other'],
  };
  it.each(SETTING_NAMES)('where the trust root has a role config, %s comes from where it may', (name) => {
    const settings = { [name]: changed[name] };
    for (const from of ['system', 'user', 'environment', 'flag'] as const) {
      const resolve = () => resolveSettings([layer(from, settings)], true).settings[name];
      if (isSignedOnly(name)) expectCode(resolve, 'CONFIG_SIGNED_ONLY');
      else expect(resolve()).toEqual(changed[name]);
      expect(resolveSettings([layer(from, settings)], false).settings[name]).toEqual(changed[name]);
    }
    expect(resolveSettings([layer('bundle', settings)], true).settings[name]).toEqual(changed[name]);
  });

  it('keep sinks, approvals, audience and retention for the bundle, and nothing leaves by default', () => {
    expect(SETTING_NAMES.filter((name) => !isSignedOnly(name))).toEqual([
      'agent.interval_ms',
      'agent.sockets_ms',
      'agent.environment',
    ]);
    expect(DEFAULTS.sinks).toEqual([]);
  });

  it('begin with what the agent does by itself', () => {
    expect(DEFAULTS).toMatchObject({
      'agent.interval_ms': DEFAULT_INTERVAL_MS,
      'agent.sockets_ms': DEFAULT_SOCKETS_MS,
      'retention.store_days': STORE_AGE_MS / 86_400_000,
      'retention.store_mib': STORE_BYTES / 1024 / 1024,
      'retention.logs_mib': DEFAULT_LOG_BYTES / 1024 / 1024,
    });
  });
});

describe('the environment', () => {
  it('has a variable for every setting that is text', () => {
    const env = {
      DAEMONEYE_AGENT_INTERVAL_MS: '500',
      DAEMONEYE_AGENT_ENVIRONMENT: 'true',
      DAEMONEYE_AUDIENCE: 'a, b',
      DAEMONEYE_RETENTION_STORE_DAYS: '',
      DAEMONEYE_DATA: '/x',
      DAEMONEYE_PASSPHRASE_FILE: '/y',
      HOME: '/z',
    };
    expect(settingsFromEnvironment(env)).toEqual({
      'agent.interval_ms': 500,
      'agent.environment': true,
      audience: ['a', 'b'],
    });
    expect(SETTING_NAMES.filter((name) => variableOf(name) === undefined)).toEqual(['sinks']);
  });

  it.each([
    ['DAEMONEYE_AGENT_INTERVALL_MS', '500'],
    ['DAEMONEYE_AGENT', '{}'],
    ['DAEMONEYE_SINKS', 'https://example.net'],
    ['DAEMONEYE_AGENT_INTERVAL_MS', '1'],
    ['DAEMONEYE_AGENT_INTERVAL_MS', '0x10'],
    ['DAEMONEYE_AGENT_INTERVAL_MS', ' 500'],
    ['DAEMONEYE_AGENT_INTERVAL_MS', '1e3'],
    ['DAEMONEYE_AGENT_ENVIRONMENT', 'yes'],
    ['DAEMONEYE_AUDIENCE', 'a,,b'],
    ['DAEMONEYE_AUDIENCE', 'a,a'],
    ['DAEMONEYE_RETENTION_STORE_DAYS', '\u001b[2J'],
  ])('refuses %s=%j', (variable, value) => {
    expectCode(() => settingsFromEnvironment({ [variable]: value }), 'CONFIG_ENVIRONMENT');
  });
});

describe('a file of settings', () => {
  const write = (text: string, mode = 0o600) => {
    const path = join(tempDirectory(), 'config.yaml');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  it('may be missing, empty, or a link', () => {
    expect(readSettingsFile(join(tempDirectory(), 'none.yaml'))).toBeUndefined();
    expect(readSettingsFile(join(write(''), 'below-a-file'))).toBeUndefined();
    expect(readSettingsFile(write('# agent: {interval_ms: 1}\n'))).toEqual({});
    const link = join(tempDirectory(), 'link.yaml');
    symlinkSync(write('agent: {sockets_ms: 0}', 0o664), link);
    expect(readSettingsFile(link)).toEqual({ 'agent.sockets_ms': 0 });
  });

  it.skipIf(process.getuid === undefined)('that everybody can write is not taken', () => {
    expectCode(() => readSettingsFile(write('agent: {}', 0o646)), 'CONFIG_WRITABLE');
  });

  it('that is a directory, too large or wrong is refused, with its name harmless', () => {
    const directory = join(tempDirectory(), 'config.yaml');
    mkdirSync(directory);
    expectCode(() => readSettingsFile(directory), 'CONFIG_UNREADABLE');
    expectCode(() => readSettingsFile(write('#'.repeat(65 * 1024))), 'CONFIG_TOO_LARGE');
    expectCode(() => readSettingsFile(write('agent: {interval_ms: [}')), 'CONFIG_YAML');
    expect(() => parseSettings(utf8('x: 1'), '\u001b[31m.yaml')).toThrow(/^\\x1b\[31m\.yaml: /);
  });

  it('lies where XDG says; a relative place is none', () => {
    if (process.platform === 'win32') return;
    const user = (env: Record<string, string>) => settingsFiles(env).user;
    expect(user({ XDG_CONFIG_HOME: '/x', HOME: '/h' })).toBe('/x/daemoneye/config.yaml');
    expect(user({ XDG_CONFIG_HOME: 'x', HOME: '/h' })).toBe('/h/.config/daemoneye/config.yaml');
    expect(user({ HOME: '/h' })).toBe('/h/.config/daemoneye/config.yaml');
  });
});
