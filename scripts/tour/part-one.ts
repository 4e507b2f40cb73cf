import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BASELINE_RULES } from '../samples/baseline.ts';
import { type Run, type Stage, TourFailure } from './stage.ts';

const CHANNEL = 'rules/linux-baseline';

type VerifyJson = { readonly checks: readonly { name: string; status: string; reason: string; code?: string }[] };

/**
 * From a rule file to an applied, provable fact.
 * @param root of the project; `folder` is where the tour works
 * @returns the fingerprint of the trust root
 */
export async function publishAndApply(stage: Stage, root: string, folder: string): Promise<string> {
  const fingerprint = await makeTrustRoot(stage);
  await makeEnclave(stage, fingerprint);
  await buildTwice(stage, root, folder);
  await refuseAttacks(stage, folder);
  await applyAndProve(stage, folder);
  return fingerprint;
}

async function makeTrustRoot(stage: Stage): Promise<string> {
  stage.step('The publisher makes a trust root: two of three people publish rules (keys/example, TEST ONLY)');
  await stage.daemoneye(['trust', 'init', 'root', '--enclave', 'plant-7', '--expires', '365d']);
  for (const name of ['alice', 'bob', 'carol', 'dave']) {
    await stage.quietly(['trust', 'add-key', 'root', publicKey(name), '--operator', name]);
  }
  const three = ['--threshold', '2', '--key', 'alice', '--key', 'bob', '--key', 'carol'];
  await stage.quietly(['trust', 'set-role', 'root', 'root', ...three]);
  await stage.daemoneye(['trust', 'set-role', 'root', 'rules', ...three, '--channel', 'rules/*']);
  await stage.daemoneye(['trust', 'set-role', 'root', 'updates', '--threshold', '1', '--key', 'dave']);
  await stage.daemoneye(['trust', 'set-role', 'root', 'enrol', '--threshold', '1', '--key', 'carol']);
  await stage.quietly(['trust', 'sign', 'root', '--key', privateKey('alice')]);
  await stage.quietly(['trust', 'sign', 'root', '--key', privateKey('carol')]);
  const { stdout } = await stage.quietly(['trust', 'finish', 'root', '--json']);
  const { fingerprint } = JSON.parse(stdout) as { fingerprint: string };
  stage.say(`signed by alice and carol; fingerprint ${fingerprint}`);
  return fingerprint;
}

async function makeEnclave(stage: Stage, fingerprint: string): Promise<void> {
  stage.step('The enclave: a data directory of its own, and the root pinned by its fingerprint');
  await stage.daemoneye(['init']);
  await stage.daemoneye(['trust', 'pin', 'root/1.root.dsse.json', '--fingerprint', fingerprint]);
}

async function buildTwice(stage: Stage, root: string, folder: string): Promise<void> {
  stage.step('Five detection rules become a bundle, built twice: the same bytes');
  const rules = join(folder, 'rules');
  mkdirSync(rules);
  for (const name of BASELINE_RULES) cpSync(join(root, 'rules', 'linux', name), join(rules, name));
  // One date for both: a build is a function of its inputs, and its date is one of them.
  const options = ['--kind', 'rules', '--channel', CHANNEL, '--root', 'root', '--issued-at', new Date().toISOString()];
  await stage.daemoneye(['bundle', 'build', 'rules', ...options, '--out', 'one.bundle'], { show: bothStreams });
  await stage.quietly(['bundle', 'build', 'rules', ...options, '--out', 'again.bundle']);
  const signers = { one: ['alice', 'bob'], again: ['bob', 'alice'] };
  for (const [bundle, names] of Object.entries(signers)) {
    for (const name of names) await stage.quietly(['bundle', 'sign', `${bundle}.bundle`, '--key', privateKey(name)]);
    await stage.daemoneye(['bundle', 'pack', `${bundle}.bundle`, '--out', `${bundle}.tar`]);
  }
  const digests = ['one.tar', 'again.tar'].map((name) => fileDigest(join(folder, name)));
  if (digests[0] !== digests[1]) throw new TourFailure('the two builds differ');
  stage.say('signed in another order, built twice, and still the same file, byte for byte');
  stage.say('');
  await stage.daemoneye(['bundle', 'verify', 'one.tar']);
}

async function refuseAttacks(stage: Stage, folder: string): Promise<void> {
  stage.step('What an attacker would try: each copy is refused, and by which check');
  const tar = readFileSync(join(folder, 'one.tar'));
  const flipped = Buffer.from(tar);
  const at = tar.length - 1024 - 512;
  flipped[at] = (flipped[at] ?? 0) ^ 0x01;
  writeFileSync(join(folder, 'flipped.tar'), flipped);
  await refused(stage, 'one byte flipped', 'flipped.tar', 'blobs');

  cpSync(join(folder, 'one.bundle'), join(folder, 'stripped.bundle'), { recursive: true });
  const path = join(folder, 'stripped.bundle', 'bundle.dsse.json');
  const envelope = JSON.parse(readFileSync(path, 'utf8')) as { signatures: unknown[] };
  writeFileSync(path, JSON.stringify({ ...envelope, signatures: envelope.signatures.slice(1) }));
  await refused(stage, 'a signature removed', 'stripped.bundle', 'signatures');

  const build = ['bundle', 'build', 'rules', '--kind', 'rules', '--channel', CHANNEL, '--root', 'root'];
  await stage.quietly([...build, '--out', 'wrong-role.bundle']);
  await stage.quietly(['bundle', 'sign', 'wrong-role.bundle', '--key', privateKey('dave')]);
  await refused(stage, 'signed by the key for updates', 'wrong-role.bundle', 'signatures');
}

async function refused(stage: Stage, what: string, bundle: string, check: string): Promise<void> {
  const { stdout } = await stage.quietly(['bundle', 'verify', bundle, '--json'], 3);
  const failed = (JSON.parse(stdout) as VerifyJson).checks.find(({ status }) => status === 'fail');
  if (failed?.name !== check) throw new TourFailure(`${what}: refused by ${failed?.name}, expected ${check}`);
  stage.say(`${what.padEnd(30)} refused by ${failed.name}: ${failed.reason} [${failed.code}]`);
}

async function applyAndProve(stage: Stage, folder: string): Promise<void> {
  stage.step('Applied, replaced by its successor, and the old one can not come back');
  await stage.daemoneye(['bundle', 'apply', 'one.tar', '--yes'], { show: lastParagraph });
  const next = ['bundle', 'build', 'rules', '--kind', 'rules', '--after', 'one.tar', '--root', 'root'];
  await stage.quietly([...next, '--out', 'two.bundle']);
  for (const name of ['bob', 'carol']) await stage.quietly(['bundle', 'sign', 'two.bundle', '--key', privateKey(name)]);
  const { stdout } = await stage.quietly(['bundle', 'apply', 'two.bundle', '--yes', '--json']);
  const { seq } = (JSON.parse(stdout) as { entry: { seq: number } }).entry;
  await stage.daemoneye(['bundle', 'list']);
  const replay = await stage.quietly(['bundle', 'apply', 'one.tar', '--yes', '--json'], 3);
  const { report } = JSON.parse(replay.stdout) as { report: VerifyJson };
  const failed = report.checks.find(({ status }) => status === 'fail');
  if (failed?.name !== 'sequence') throw new TourFailure(`the replay was refused by ${failed?.name}, not sequence`);
  stage.say(`replaying the older bundle: refused by ${failed.name}: ${failed.reason} [${failed.code}]`);

  stage.step('The ledger recorded it, and can prove it to a stranger with the public key');
  await stage.daemoneye(['ledger', 'verify', 'data/logs/install']);
  const prove = ['ledger', 'prove', String(seq), 'data/logs/install'];
  await stage.daemoneye([...prove, '--out', 'entry.tlog-proof', '--line', 'entry.json']);
  const check = [
    'ledger',
    'check-proof',
    'entry.tlog-proof',
    '--line',
    'entry.json',
    '--key',
    'data/keys/logs/install.pub.pem',
  ];
  await stage.daemoneye(check);

  stage.step('One character of the ledger is changed in a copy: found, with its line');
  cpSync(join(folder, 'data', 'logs', 'install'), join(folder, 'copy'), { recursive: true });
  const [entries = ''] = readdirSync(join(folder, 'copy', 'entries'));
  const file = join(folder, 'copy', 'entries', entries);
  writeFileSync(file, readFileSync(file, 'utf8').replace('"kind":"rules"', '"kind":"rulez"'));
  await stage.daemoneye(['ledger', 'verify', 'copy', '--key', 'data/keys/logs/install.pub.pem'], { expect: 3 });
}

function bothStreams({ stdout, stderr }: Run): readonly string[] {
  return `${stdout}${stderr}`.trimEnd().split('\n');
}

function lastParagraph({ stdout }: Run): readonly string[] {
  return stdout.trimEnd().split('\n\n').slice(-2).join('\n').split('\n');
}

function publicKey(name: string): string {
  return `keys/TEST-ONLY-${name}.pub.pem`;
}

function privateKey(name: string): string {
  return `keys/TEST-ONLY-${name}.key.pem`;
}

function fileDigest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
