import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { daemoneye, ensureBuilt, environment, expectError, inside, jsonOf, LAUNCHER, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { finishRoot, ok, privateKey, publicKey, told } from '../support/workspace.ts';
import { PseudoTerminal } from '../tui/pseudo-terminal.ts';

/** A courier's way by the commands: split, look, apply from several places, delta by receipt. */

type Split = {
  readonly volumes: readonly { readonly file: string; readonly number: number }[];
  readonly count: number;
};
type Looked = {
  readonly volumes: readonly { readonly state: string }[];
  readonly lacking: { readonly blobs: number; readonly volumes: readonly string[] };
};

type Applied = { readonly report: { readonly checks: readonly { readonly status: string; readonly code?: string }[] } };
type Place = { readonly channel: string; readonly active: { readonly seq: number } };

const RULES = readdirSync(join(ROOT, 'rules/linux')).filter((name) => name.endsWith('.yaml'));

/** A publisher whose bundle `one` holds every rule of the library but the last, and `two` all of them. */
async function publishOnce(folder: string): Promise<void> {
  const at = (name: string) => join(folder, name);
  await ok('trust', 'init', at('root'), '--expires', '365d', '--enclave', 'plant-7');
  await ok('trust', 'add-key', at('root'), publicKey('alice'), '--operator', 'alice');
  for (const role of ['root', 'rules', 'enrol']) {
    await ok('trust', 'set-role', at('root'), role, '--threshold', '1', '--key', 'alice');
  }
  const fingerprint = await finishRoot(at('root'), 'alice');
  for (const [name, rules, after] of [
    ['one', RULES.slice(0, -1), []],
    ['two', RULES, ['--after', at('one')]],
  ] as const) {
    mkdirSync(at(`${name}.source`));
    for (const rule of rules) cpSync(join(ROOT, 'rules/linux', rule), join(at(`${name}.source`), rule));
    const place = after.length === 0 ? ['--channel', 'rules/linux'] : after;
    await ok(
      'bundle',
      'build',
      at(`${name}.source`),
      '--kind',
      'rules',
      ...place,
      '--root',
      at('root'),
      '--out',
      at(name),
    );
    await ok('bundle', 'sign', at(name), '--key', privateKey('alice'));
  }
  await ok('init', '--data', at('data'));
  await ok('trust', 'pin', at('root/1.root.dsse.json'), '--fingerprint', fingerprint, '--data', at('data'));
}

let published: string;
beforeAll(async () => {
  await ensureBuilt();
  published = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  await publishOnce(published);
}, 120_000);
afterAll(() => rmSync(published, { recursive: true, force: true }));

/** A copy of all that for a test. */
function publisher() {
  const folder = tempDirectory();
  cpSync(published, folder, { recursive: true });
  return { at: (name: string) => join(folder, name) };
}

/** Such that three or four are needed. */
async function splitInto(bundle: string, prefix: string): Promise<readonly string[]> {
  const size = String(24_000);
  return (await told<Split>('bundle', 'split', bundle, '--size', size, '--out', prefix)).volumes.map(
    ({ file }) => file,
  );
}

describe('volumes by the commands', () => {
  it('are cut, looked at, put together, and applied; the documents are those of the schemas', async () => {
    const { at } = publisher();
    const ran = await inside(['bundle', 'split', at('one'), '--size', '24K', '--out', at('disc'), '--json']);
    const { volumes, count } = jsonOf<Split>(ran, 'bundle-split');
    expect(count).toBeGreaterThan(2);
    const files = volumes.map(({ file }) => file);
    const [first = '', second = '', ...rest] = files;

    const looked = jsonOf<Looked>(
      await inside(['bundle', 'volumes', second, first, first, '--json']),
      'bundle-volumes',
    );
    expect(looked.volumes.map(({ state }) => state)).toEqual(['intact', 'intact', 'duplicate']);
    expect(looked.lacking.volumes).toEqual(['disc.003']);
    const text = (await ok('bundle', 'volumes', ...files)).stdout;
    expect(text).toContain('rules/linux seq 1');
    expect(text).toContain('nothing is lacking');

    await ok('bundle', 'pack', at('one'), '--out', at('whole.tar'));
    const joined = await inside(['bundle', 'join', ...files.toReversed(), '--out', at('joined.tar'), '--json']);
    jsonOf(joined, 'bundle-join');
    expect(readFileSync(at('joined.tar'))).toEqual(readFileSync(at('whole.tar')));

    const some = await inside(['bundle', 'verify', second, first, '--trust', at('root')]);
    expect(some.code).toBe(3);
    expect(some.stdout).toContain('missing');
    expect((await inside(['bundle', 'verify', second, first, ...rest, '--trust', at('root')])).code).toBe(0);
    const applied = await inside(['bundle', 'apply', second, ...rest, '--yes', '--data', at('data')]);
    expect(applied.code).toBe(3);
    expect((await inside(['bundle', 'apply', first, '--yes', '--data', at('data')])).code).toBe(0);
  });

  it('that are damaged or foreign end with 3 and a sentence', async () => {
    const { at } = publisher();
    const [first = '', second = '', ...rest] = await splitInto(at('one'), at('disc'));
    const [strange = ''] = await splitInto(at('two'), at('other'));
    const bytes = readFileSync(second);
    bytes[bytes.length - 2000] = (bytes[bytes.length - 2000] ?? 0) ^ 1;
    writeFileSync(second, bytes);
    const looked = await inside(['bundle', 'volumes', first, second, strange]);
    expect(looked.code).toBe(3);
    expect(looked.stdout).toMatch(/disc\.002 +damaged .*: .*damaged/);
    expect(looked.stdout).toMatch(/other\.001 +foreign .*: it is of another bundle/);
    const joining = (...files: string[]) => inside(['bundle', 'join', ...files, '--out', at('never.tar')]);
    expectError(await joining(first, second, ...rest), 'BLOB_MISMATCH', 3);
    expectError(await joining(first, strange), 'VOLUME_FOREIGN', 3);
    expectError(await joining(first), 'VOLUMES_INCOMPLETE', 3);
    const verified = await inside(['bundle', 'verify', first, strange, '--trust', at('root')]);
    expect(verified.code).toBe(3);
    expect(verified.stdout).toContain('other.001');
  });

  it('are not cut to nonsense', async () => {
    const { at } = publisher();
    const split = (...more: string[]) => inside(['bundle', 'split', at('one'), '--out', at('x'), ...more]);
    expectError(await split('--size', '1K'), 'SPLIT_SIZE', 2);
    expectError(await split('--size', 'floppy'), 'SPLIT_SIZE', 2);
    expectError(await split('--size', 'cd', '--only', '7'), 'SPLIT_SIZE', 2);
    expectError(await split('--size', 'cd', '--only', 'x'), 'USAGE_VALUE', 2);
    expect(readdirSync(at('')).filter((name) => name.startsWith('x'))).toEqual([]);
    const beside = await told<Split>('bundle', 'split', `${at('one')}/`, '--size', 'cd');
    expect(beside.volumes.map(({ file }) => basename(file))).toEqual(['one.001']);
  });
});

describe('a delta by the commands', () => {
  it('holds what the receipt does not, and is applied as the bundle', async () => {
    const { at } = publisher();
    await ok('bundle', 'apply', at('one'), '--yes', '--data', at('data'));
    await ok('trust', 'enrol', 'request', '--out', at('enrolment.json'), '--data', at('data'));
    await ok('trust', 'enrol', 'host', at('enrolment.json'), '--key', privateKey('alice'));
    await ok('bundle', 'receipt', '--out', at('receipt.json'), '--data', at('data'));
    const trusted = ['--trust', at('root'), '--enrolment', at('enrolment.json')];
    const delta = (base: string, ...more: string[]) =>
      inside(['bundle', 'delta', at('two'), '--receipt', at('receipt.json'), '--base', base, ...trusted, ...more]);
    const made = await delta(at('one'), '--out', at('two.delta.tar'), '--json');
    expect(jsonOf(made, 'bundle-delta')).toMatchObject({ blobs: 1, leftOut: RULES.length - 1 });
    await ok('bundle', 'pack', at('two'), '--out', at('two.tar'));
    expect(statSync(at('two.delta.tar')).size).toBeLessThan(statSync(at('two.tar')).size / 2);

    expectError(await delta(at('two'), '--out', at('never.tar')), 'BASE_NOT_HELD', 3);
    const unknown = ['bundle', 'delta', at('two'), '--receipt', at('receipt.json'), '--base', at('one')];
    expectError(await inside([...unknown, '--trust', at('root'), '--out', at('never.tar')]), 'RECEIPT_HOST_UNKNOWN', 3);

    // Elsewhere, nobody has what it leaves out.
    const alone = await inside(['bundle', 'verify', at('two.delta.tar'), '--trust', at('root')]);
    expect(alone.code).toBe(3);
    expect(alone.stdout).toContain(`and ${RULES.length - 2} more are missing`);
    expect((await inside(['bundle', 'verify', at('two.delta.tar'), '--data', at('data')])).code).toBe(0);
    await ok('bundle', 'apply', at('two.delta.tar'), '--yes', '--data', at('data'));
    expect(readdirSync(join(at('data'), 'bundles/rules~linux/active/files')).toSorted()).toEqual(RULES.toSorted());
  });
});

describe('an encrypted bundle by the commands', () => {
  it('is opened by an identity and by nothing else, and then judged as the bundle it holds', async () => {
    const { at } = publisher();
    const people = await Promise.all(['us', 'them'].map(async (name) => [name, await generateIdentity()] as const));
    for (const [name, identity] of people) writeFileSync(at(`${name}.key`), `# for the test\n${identity}\n`);
    const recipient = await identityToRecipient(people[0]?.[1] ?? '');
    await ok('bundle', 'pack', at('one'), '--out', at('one.tar'));
    const packed = await inside([
      'bundle',
      'pack',
      at('one'),
      '--recipient',
      recipient,
      '--out',
      at('one.age'),
      '--json',
    ]);
    jsonOf(packed, 'bundle-pack');
    expect(readFileSync(at('one.age')).includes(Buffer.from('bundle.dsse.json'))).toBe(false);

    expectError(await inside(['bundle', 'inspect', at('one.age')]), 'ENCRYPTED', 1);
    const others = ['--identity', at('them.key')];
    expectError(await inside(['bundle', 'inspect', at('one.age'), ...others]), 'IDENTITY_UNSUITABLE', 1);
    const ours = ['--identity', at('us.key')];
    await ok('bundle', 'inspect', at('one.age'), ...ours);
    const verified = ['--trust', at('root')];
    expectError(await inside(['bundle', 'verify', at('one.age'), ...verified]), 'ENCRYPTED', 1);
    await ok('bundle', 'verify', at('one.age'), ...ours, ...verified);

    const bytes = readFileSync(at('one.age'));
    writeFileSync(at('short.age'), bytes.subarray(0, bytes.length - 100));
    const short = await inside(['bundle', 'verify', at('short.age'), ...ours, ...verified]);
    expect(short.code).toBe(3);
    expect(short.stdout).toContain('cut short');

    await ok('bundle', 'join', at('one.age'), ...ours, '--out', at('opened.tar'));
    expect(readFileSync(at('opened.tar'))).toEqual(readFileSync(at('one.tar')));
    await ok('bundle', 'apply', at('one.age'), ...ours, '--yes', '--data', at('data'));
    expectError(
      await inside(['bundle', 'pack', at('one'), '--recipient', 'age1x', '--out', at('x')]),
      'RECIPIENT_MALFORMED',
      1,
    );
    expect(readdirSync(at('')).filter((name) => name.startsWith('x') || name.startsWith('.x'))).toEqual([]);
  });
});

describe('an encrypted bundle that is not the one it is said to be', () => {
  it('is judged by what is inside: its channel, its place, and who may sign there', async () => {
    const { at } = publisher();
    const identity = await generateIdentity();
    writeFileSync(at('us.key'), identity);
    const recipient = await identityToRecipient(identity);
    const build = async (name: string, kind: string, channel: string) => {
      const place = ['--kind', kind, '--channel', channel, '--root', at('root'), '--out', at(name)];
      await ok('bundle', 'build', at(kind === 'config' ? 'config.source' : 'one.source'), ...place);
      await ok('bundle', 'sign', at(name), '--key', privateKey('alice'));
    };
    mkdirSync(at('config.source'));
    writeFileSync(at('config.source/config.yaml'), 'agent:\n  interval_ms: 500\n');
    await build('other', 'rules', 'rules/other');
    await build('settings', 'config', 'config/enclave');
    for (const name of ['one', 'two', 'other', 'settings']) {
      await ok('bundle', 'pack', at(name), '--recipient', recipient, '--out', at(`${name}.age`));
    }
    // Each arrives under the name of what was expected.
    const apply = async (name: string) => {
      cpSync(at(`${name}.age`), at('rules-linux-3.bundle.tar.age'));
      const args = ['--identity', at('us.key'), '--yes', '--data', at('data'), '--json'];
      const ran = await inside(['bundle', 'apply', at('rules-linux-3.bundle.tar.age'), ...args]);
      const { report } = jsonOf<Applied>(ran, 'bundle-apply');
      return [ran.code, report.checks.find(({ status }) => status === 'fail')?.code];
    };
    const active = async () =>
      (await told<{ channels: Place[] }>('bundle', 'list', '--data', at('data'))).channels.map(
        ({ channel, active: { seq } }) => `${channel} ${seq}`,
      );
    expect(await apply('settings')).toEqual([3, 'ROLE_NOT_HELD']);
    expect(await active()).toEqual([]);
    expect(await apply('two')).toEqual([0, undefined]);
    // Of another channel: there it may go, and nowhere else.
    expect(await apply('other')).toEqual([0, undefined]);
    expect(await active()).toEqual(['rules/linux 2', 'rules/other 1']);
    expect(await apply('one')).toEqual([3, 'SEQUENCE_REPLAY']);
    expect(await active()).toEqual(['rules/linux 2', 'rules/other 1']);
  });
});

describe('on a terminal', () => {
  it('the next volume is asked for, and another when it is not the right one', async () => {
    const { at } = publisher();
    const [first = '', second = '', ...rest] = await splitInto(at('one'), at('disc'));
    const args = ['bundle', 'apply', first, '--yes', '--data', at('data')];
    const terminal = new PseudoTerminal(LAUNCHER, args, { columns: 120, rows: 40, env: environment() });
    try {
      await terminal.shows(/\d+ pieces of the bundle, \d+ bytes, are still lacking\.\s+Path of the next volume/);
      terminal.press(`${at('nowhere')}\r`);
      await terminal.shows(/NOT_FOUND|VOLUME_UNREADABLE/);
      for (const file of [second, ...rest]) {
        await terminal.shows(/Path of the next volume \(Enter: there is none\): \s*$/);
        terminal.press(`${file}\r`);
      }
      await terminal.shows('active: rules/linux seq 1');
      expect((await terminal.ended()).code).toBe(0);
    } finally {
      terminal.kill();
    }
  });

  it('and without one it is not', async () => {
    const { at } = publisher();
    const [first = ''] = await splitInto(at('one'), at('disc'));
    const { code, stdout, stderr } = await daemoneye(['bundle', 'apply', first, '--yes', '--data', at('data')]);
    expect(code).toBe(3);
    expect(stdout).toContain('missing');
    expect(stderr).not.toContain('next volume');
    rmSync(first);
  });
});
