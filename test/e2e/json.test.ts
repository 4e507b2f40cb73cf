import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { daemoneye, ensureBuilt, jsonOf, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

const KEYS = join(ROOT, 'keys/example');
const publicKey = (name: string) => join(KEYS, `TEST-ONLY-${name}.pub.pem`);
const privateKey = (name: string) => join(KEYS, `TEST-ONLY-${name}.key.pem`);

beforeAll(ensureBuilt);

it('every command of the loop gives one JSON document of its schema', { timeout: 180_000 }, async () => {
  const cwd = tempDirectory();
  const run = async (schema: string, args: readonly string[], exit = 0) => {
    const ran = await daemoneye([...args, '--json'], { cwd, env: { DAEMONEYE_DATA: join(cwd, 'data') } });
    expect(ran.code, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(exit);
    return jsonOf<Record<string, unknown>>(ran, schema);
  };
  await run('trust-init', ['trust', 'init', 'root', '--expires', '90d', '--enclave', 'e']);
  for (const name of ['alice', 'bob']) {
    await run('trust-add-key', ['trust', 'add-key', 'root', publicKey(name), '--operator', name, '--not-after', '80d']);
  }
  for (const role of ['root', 'rules']) {
    await run('trust-set-role', [
      'trust',
      'set-role',
      'root',
      role,
      '--key',
      'alice',
      '--key',
      'bob',
      '--threshold',
      '1',
    ]);
  }
  await run('trust-sign', ['trust', 'sign', 'root', '--key', privateKey('alice')]);
  const { fingerprint } = await run('trust-finish', ['trust', 'finish', 'root']);
  await run('trust-show', ['trust', 'show', 'root']);
  await run('init', ['init']);
  await run('trust-pin', ['trust', 'pin', 'root/1.root.dsse.json', '--fingerprint', String(fingerprint)]);
  await run('trust-show', ['trust', 'show']);
  const rules = join(ROOT, 'rules/linux');
  const kind = ['--kind', 'rules', '--root', 'root', '--expires', '30d', '--audience', 'e'];
  await run('bundle-build', ['bundle', 'build', rules, ...kind, '--channel', 'rules/x', '--out', 'one']);
  await run('bundle-sign', ['bundle', 'sign', 'one', '--key', privateKey('bob')]);
  await run('bundle-pack', ['bundle', 'pack', 'one', '--out', 'one.tar']);
  await run('bundle-inspect', ['bundle', 'inspect', 'one.tar']);
  await run('report', ['bundle', 'verify', 'one.tar']);
  await run('bundle-apply', ['bundle', 'apply', 'one.tar', '--dry-run']);
  await run('bundle-apply', ['bundle', 'apply', 'one.tar', '--yes']);
  await run('bundle-apply', ['bundle', 'apply', 'one.tar', '--yes']);
  await run('bundle-build', ['bundle', 'build', rules, ...kind, '--after', 'one', '--out', 'two']);
  await run('bundle-apply', ['bundle', 'apply', 'two', '--yes'], 3);
  await run('bundle-list', ['bundle', 'list']);
  await run('ledger-status', ['ledger', 'status']);
  await run('report', ['ledger', 'verify']);
  await run('ledger-prove', ['ledger', 'prove', '1', '--out', 'proof', '--line', 'line']);
  const logKey = ['--key', 'data/keys/log.pub.pem'];
  await run('report', ['ledger', 'check-proof', 'proof', '--line', 'line', ...logKey]);
  await run('report', ['ledger', 'check-proof', 'proof', '--line', 'proof', ...logKey], 3);
  await run('ledger-prove', ['ledger', 'prove', '0..2', '--out', 'range', '--line', 'lines']);
  await run('report', ['ledger', 'check-proof', 'range', '--line', 'lines', ...logKey]);
  await run('ledger-checkpoint', ['ledger', 'checkpoint']);
  await run('ledger-consistency', ['ledger', 'consistency', '1', '3']);
  // The next version of the root, in which bob's key is lost.
  await run('trust-init', ['trust', 'init', 'root', '--expires', '90d']);
  await run('trust-revoke', ['trust', 'revoke', 'root', '--key', 'bob']);
  await run('trust-sign', ['trust', 'sign', 'root', '--key', privateKey('alice')]);
  const second = await run('trust-finish', ['trust', 'finish', 'root']);
  expect(second['version']).toBe(2);
  const written = parseRoot(new Uint8Array(readFileSync(join(cwd, 'root/2.root.dsse.json'))));
  expect(second['fingerprint']).toBe(written.digest);
});
