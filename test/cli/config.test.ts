import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expectError, type InsideOptions, inside, jsonOf } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { draftRoot, finishRoot, ok, privateKey } from '../support/workspace.ts';

type Shown = {
  readonly settings: readonly { name: string; value: unknown; layer: string; source?: string; signedOnly: boolean }[];
  readonly signedOnly: boolean;
  readonly why: string;
};

/** A person's home, and a data directory in it. */
function person() {
  const home = tempDirectory();
  const data = join(home, 'data');
  const show = async (env: InsideOptions['env'] = {}, ...more: readonly string[]) =>
    inside(['config', 'show', '--data', data, ...more], { env: { HOME: home, ...env } });
  const write = (text: string) => {
    mkdirSync(join(home, '.config/daemoneye'), { recursive: true });
    writeFileSync(join(home, '.config/daemoneye/config.yaml'), text, { mode: 0o600 });
    return join(home, '.config/daemoneye/config.yaml');
  };
  const told = async (env: InsideOptions['env'] = {}) => jsonOf<Shown>(await show(env, '--json'), 'config-show');
  return { home, data, show, write, told };
}

const settingOf = ({ settings }: Shown, name: string) => settings.find((setting) => setting.name === name);

it('config show tells of each setting who set it', async () => {
  const { show, write, told } = person();
  const path = write('agent: {interval_ms: 500, sockets_ms: 5000}\naudience: [plant-7]\n');
  const shown = await told({ DAEMONEYE_AGENT_SOCKETS_MS: '0' });
  expect(shown.signedOnly).toBe(false);
  expect(settingOf(shown, 'agent.interval_ms')).toMatchObject({ value: 500, layer: 'user', source: path });
  expect(settingOf(shown, 'agent.sockets_ms')).toMatchObject({
    value: 0,
    layer: 'environment',
    source: 'DAEMONEYE_AGENT_SOCKETS_MS',
  });
  expect(settingOf(shown, 'audience')).toMatchObject({ value: ['plant-7'], layer: 'user', signedOnly: false });
  const { stdout, stderr, code } = await show();
  expect(code).toBe(0);
  expect(stdout).toMatch(/^sinks +none {2}\(default\)$/m);
  expect(stdout).toContain('there is no data directory here');
  expect(stderr).toContain('/etc/daemoneye/config.yaml');
});

it('what a role config keeps for signed bundles: before, after, and in spite of every local layer', async () => {
  const { home, data, show, write, told } = person();
  const root = join(home, 'root');
  await draftRoot(root);
  await finishRoot(root, 'alice', 'bob');
  await ok('init', '--data', data);
  const { fingerprint } = JSON.parse((await ok('trust', 'show', root, '--json')).stdout) as { fingerprint: string };
  await ok('trust', 'pin', join(root, '1.root.dsse.json'), '--fingerprint', fingerprint, '--data', data);
  const path = write('retention: {store_days: 1}\n');
  const before = await told();
  expect(before).toMatchObject({ signedOnly: false, why: expect.stringContaining('trust root 1 has no role config') });
  expect(settingOf(before, 'retention.store_days')).toMatchObject({ value: 1, layer: 'user' });

  // Version 2 has the role, and arrives in a bundle of kind trust.
  await ok('trust', 'init', root, '--expires', '365d');
  await ok('trust', 'set-role', root, 'config', '--key', 'carol', '--threshold', '1');
  await finishRoot(root, 'alice', 'bob');
  const source = join(home, 'roots');
  mkdirSync(source);
  for (const version of [1, 2])
    cpSync(join(root, `${version}.root.dsse.json`), join(source, `${version}.root.dsse.json`));
  const build = (from: string, kind: string, name: string) =>
    ok('bundle', 'build', from, '--kind', kind, '--channel', `${kind}/site`, '--root', root, '--out', join(home, name));
  await build(source, 'trust', 'trust.bundle');
  for (const name of ['alice', 'bob'])
    await ok('bundle', 'sign', join(home, 'trust.bundle'), '--key', privateKey(name));
  await ok('bundle', 'apply', join(home, 'trust.bundle'), '--yes', '--data', data);
  const refused = await show();
  expectError(refused, 'CONFIG_SIGNED_ONLY', 5);
  expect(refused.stderr).toContain(`${path} sets retention.store_days, which only a signed bundle`);
  write('');
  expectError(await show({ DAEMONEYE_APPROVALS_TRACE: '0' }), 'CONFIG_SIGNED_ONLY', 5);
  // Neither can a local file pass this enclave off as another; nor does it keep bundles out.
  write('audience: [other-plant]\n');

  const signed = join(home, 'settings');
  mkdirSync(signed);
  writeFileSync(
    join(signed, 'config.yaml'),
    'retention: {store_days: 7}\nagent: {interval_ms: 500}\naudience: [line-3]\n',
  );
  await build(signed, 'config', 'config.bundle');
  await ok('bundle', 'sign', join(home, 'config.bundle'), '--key', privateKey('carol'));
  const env = { HOME: home };
  const apply = (name: string) =>
    inside(['bundle', 'apply', join(home, name), '--yes', '--data', data, '--json'], { env });
  const applied = await apply('config.bundle');
  expect(applied.stderr).toContain('settings are not taken: ');
  write('');
  expect(jsonOf<object>(applied, 'bundle-apply')).toMatchObject({
    plan: {
      content: {
        settings: [
          { name: 'agent.interval_ms', after: 500 },
          { name: 'retention.store_days', after: 7 },
          { name: 'audience', after: ['line-3'] },
        ],
      },
    },
  });
  const after = await told({ DAEMONEYE_AGENT_INTERVAL_MS: '700' });
  expect(after.signedOnly).toBe(true);
  expect(settingOf(after, 'retention.store_days')).toEqual({
    name: 'retention.store_days',
    value: 7,
    layer: 'bundle',
    source: 'config/site seq 1',
    signedOnly: true,
  });
  expect(settingOf(after, 'agent.interval_ms')).toMatchObject({ value: 700, layer: 'environment', signedOnly: false });

  const verdict = async (name: string) => {
    await ok('bundle', 'sign', join(home, name), '--key', privateKey('carol'));
    const { stdout } = await inside(['bundle', 'verify', join(home, name), '--data', data, '--json'], { env });
    return stdout;
  };
  const next = ['--kind', 'config', '--after', join(home, 'config.bundle'), '--root', root];
  for (const audience of ['line-3', 'other-plant']) {
    await ok('bundle', 'build', signed, ...next, '--audience', audience, '--out', join(home, audience));
  }
  expect(await verdict('line-3')).toContain('"reason": "meant for line-3"');
  expect(await verdict('other-plant')).toContain('NOT_FOR_THIS_ENCLAVE');

  writeFileSync(join(data, 'bundles/config~site/1/files/config.yaml'), 'retention: {store_days: 1}\n');
  expectError(await show(), 'STATE_TAMPERED', 4);
  rmSync(join(data, 'bundles/config~site/1/files/config.yaml'));
  expectError(await show(), 'STATE_TAMPERED', 4);
});

it('config check tells what a file sets, or what is wrong with it', async () => {
  const file = join(tempDirectory(), 'config.yaml');
  const check = (...more: readonly string[]) => inside(['config', 'check', file, ...more]);
  expectError(await check(), 'FILE_NOT_FOUND', 1);
  writeFileSync(file, 'agent: {interval_ms: 500}\nsinks: [{name: siem, url: "syslog+tls://siem.example:6514"}]\n');
  const ran = await check('--json');
  expect(jsonOf<object>(ran, 'config-check')).toMatchObject({
    settings: [
      { name: 'agent.interval_ms', value: 500, signedOnly: false },
      { name: 'sinks', value: [{ name: 'siem', url: 'syslog+tls://siem.example:6514' }], signedOnly: true },
    ],
  });
  expect(ran.stderr).toContain('sinks: only in a signed bundle');
  expect((await check()).stdout).toContain('sinks  siem syslog+tls://siem.example:6514');
  writeFileSync(file, 'agent: {interval: 500}\n');
  const wrong = await check();
  expectError(wrong, 'CONFIG_SCHEMA', 1);
  expect(wrong.stderr).toContain('unknown field "interval"');
  writeFileSync(file, `# ${'x'.repeat(70_000)}`);
  expectError(await check(), 'FILE_TOO_LARGE', 1);
});

it('agent run refuses an interval that no setting can have', async () => {
  const { data } = person();
  expectError(await inside(['agent', 'run', '--interval', '1', '--data', data]), 'USAGE_VALUE', 2);
});
