import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { enclaveNames, loadConfiguration } from '../../src/cli/configuration-io.ts';
import { utf8 } from '../../src/core/bytes.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { applyKind, KIND_ROLES, kindBundle, kindsEnclave, kindsRoot } from '../install/kinds-support.ts';
import { BUILT_AT } from '../support/enclave.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const SETTINGS = 'audience: [plant-7]\nagent: {interval_ms: 500}\n';

it('a bundle of settings that a trust bundle takes back sets nothing any more, and hands nothing to local files', async () => {
  const data = await kindsEnclave();
  const { path, payload } = await kindBundle({ kind: 'config', files: { 'config.yaml': SETTINGS } });
  expect((await applyKind(data, path)).status).toBe('applied');
  const home = tempDirectory();
  const env = { HOME: home };
  expect((await loadConfiguration(data, env)).settings).toMatchObject({
    audience: ['plant-7'],
    'agent.interval_ms': 500,
  });

  // The role goes with its only holder: not even that makes local files the masters.
  const { config: _, ...roles } = KIND_ROLES;
  const second = kindsRoot({ version: 2, roles, keys: { 'config-a': {} }, revoked: ['config-a'] });
  const chain = [kindsRoot(), second];
  const files = Object.fromEntries(
    chain.map(({ version, bytes }) => [`${version}.root.dsse.json`, Buffer.from(bytes).toString()]),
  );
  const brings = await kindBundle({ kind: 'trust', files, roots: chain });
  const applied = await applyKind(data, brings.path);
  expect(applied.status).toBe('applied');
  expect(applied.revoked).toMatchObject([{ channel: 'config/test', seq: 1, payload, code: 'KEY_REVOKED' }]);
  expect(applied.revoked[0]?.reason).toContain('nobody may sign such a bundle now');

  const { settings, signedOnly, why, revoked } = await loadConfiguration(data, env);
  expect([settings.audience, settings['agent.interval_ms'] === 500, signedOnly]).toEqual([[], false, true]);
  expect(revoked).toEqual(applied.revoked);
  expect(why).toContain('config/test seq 1 is not loaded: trust root 2 revokes the key of');
  const { names, problem } = enclaveNames(await readInstall(data, BUILT_AT), env);
  expect([names, problem]).toEqual([[], expect.stringContaining('config/test seq 1 is not loaded')]);

  mkdirSync(join(home, '.config/daemoneye'), { recursive: true });
  writeFileSync(join(home, '.config/daemoneye/config.yaml'), utf8('audience: [mine]\n'), { mode: 0o600 });
  await expectCodeAsync(loadConfiguration(data, env), 'CONFIG_SIGNED_ONLY');
});
