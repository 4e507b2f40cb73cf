import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { daemoneye, ensureBuilt, inside, jsonOf, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

const KEYS = join(ROOT, 'keys/example');
const publicKey = (name: string) => join(KEYS, `TEST-ONLY-${name}.pub.pem`);
const privateKey = (name: string) => join(KEYS, `TEST-ONLY-${name}.key.pem`);

beforeAll(ensureBuilt);

it('every command of the loop gives one JSON document of its schema', { timeout: 180_000 }, async () => {
  const place = tempDirectory();
  const at = (name: string) => join(place, name);
  const env = { DAEMONEYE_DATA: at('data') };
  const run = async (schema: string, args: readonly string[], exit = 0) => {
    const ran = await inside([...args, '--json'], { env });
    expect(ran.code, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(exit);
    return jsonOf<Record<string, unknown>>(ran, schema);
  };
  const root = at('root');
  await run('trust-init', ['trust', 'init', root, '--expires', '90d', '--enclave', 'e']);
  for (const name of ['alice', 'bob']) {
    await run('trust-add-key', ['trust', 'add-key', root, publicKey(name), '--operator', name, '--not-after', '80d']);
  }
  for (const role of ['root', 'rules']) {
    await run('trust-set-role', [
      'trust',
      'set-role',
      root,
      role,
      '--key',
      'alice',
      '--key',
      'bob',
      '--threshold',
      '1',
    ]);
  }
  await run('trust-sign', ['trust', 'sign', root, '--key', privateKey('alice')]);
  const { fingerprint } = await run('trust-finish', ['trust', 'finish', root]);
  await run('trust-show', ['trust', 'show', root]);
  await run('init', ['init']);
  await run('trust-pin', ['trust', 'pin', at('root/1.root.dsse.json'), '--fingerprint', String(fingerprint)]);
  await run('trust-show', ['trust', 'show']);
  const rules = at('rules');
  const rule = 'web-server-spawns-shell.yaml';
  cpSync(join(ROOT, 'rules/linux', rule), join(rules, rule));
  const kind = ['--kind', 'rules', '--root', root, '--expires', '30d', '--audience', 'e'];
  await run('bundle-build', ['bundle', 'build', rules, ...kind, '--channel', 'rules/x', '--out', at('one')]);
  await run('bundle-sign', ['bundle', 'sign', at('one'), '--key', privateKey('bob')]);
  await run('bundle-pack', ['bundle', 'pack', at('one'), '--out', at('one.tar')]);
  await run('bundle-inspect', ['bundle', 'inspect', at('one.tar')]);
  await run('report', ['bundle', 'verify', at('one.tar')]);
  await run('bundle-apply', ['bundle', 'apply', at('one.tar'), '--dry-run']);
  await run('bundle-apply', ['bundle', 'apply', at('one.tar'), '--yes']);
  await run('bundle-apply', ['bundle', 'apply', at('one.tar'), '--yes']);
  await run('bundle-build', ['bundle', 'build', rules, ...kind, '--after', at('one'), '--out', at('two')]);
  await run('bundle-apply', ['bundle', 'apply', at('two'), '--yes'], 3);
  await run('bundle-list', ['bundle', 'list']);
  await run('ledger-status', ['ledger', 'status']);
  await run('report', ['ledger', 'verify']);
  await run('ledger-prove', ['ledger', 'prove', '1', '--out', at('proof'), '--line', at('line')]);
  const logKey = ['--key', at('data/keys/logs/install.pub.pem')];
  await run('report', ['ledger', 'check-proof', at('proof'), '--line', at('line'), ...logKey]);
  await run('report', ['ledger', 'check-proof', at('proof'), '--line', at('proof'), ...logKey], 3);
  await run('ledger-prove', ['ledger', 'prove', '0..2', '--out', at('range'), '--line', at('lines')]);
  await run('report', ['ledger', 'check-proof', at('range'), '--line', at('lines'), ...logKey]);
  await run('ledger-checkpoint', ['ledger', 'checkpoint']);
  await run('ledger-consistency', ['ledger', 'consistency', '1', '3']);
  // The next version of the root, in which bob's key is lost.
  await run('trust-init', ['trust', 'init', root, '--expires', '90d']);
  await run('trust-revoke', ['trust', 'revoke', root, '--key', 'bob']);
  await run('trust-sign', ['trust', 'sign', root, '--key', privateKey('alice')]);
  const second = await run('trust-finish', ['trust', 'finish', root]);
  expect(second['version']).toBe(2);
  const written = parseRoot(new Uint8Array(readFileSync(at('root/2.root.dsse.json'))));
  expect(second['fingerprint']).toBe(written.digest);

  // The compiled program, started as a person does, says the same to the byte.
  for (const args of [
    ['bundle', 'list', '--json'],
    ['trust', 'show', root, '--json'],
    ['bundle', 'inspect', at('one.tar'), '--json'],
  ]) {
    const ran = await daemoneye(args, { env });
    expect(ran).toEqual(await inside(args, { env }));
    expect(ran.code).toBe(0);
  }
});
