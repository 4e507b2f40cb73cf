import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError, inside, jsonOf, type Ran } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { finishRoot, ok, privateKey, publicKey, publish, told } from '../support/workspace.ts';

/** The day at both sides of the gap, by the commands: receipt out, heads in, a bundle taken back, a floor put right. */

type Applied = {
  readonly status: string;
  readonly report: {
    readonly checks: readonly { readonly name: string; readonly status: string; readonly code?: string }[];
    readonly freshness: { readonly status: string; readonly asOf?: string };
  };
};

/** The publisher's side, made once and only read by the tests. */
let published: string;
let root: string;
const bundle = (name: 'one' | 'two' | 'three') => join(published, name);

beforeAll(async () => {
  published = mkdtempSync(join(tmpdir(), 'daemoneye-freshness-'));
  root = join(published, 'root');
  await ok('trust', 'init', root, '--expires', '365d', '--enclave', 'plant-7');
  const names = ['alice', 'bob', 'carol'];
  for (const name of names) await ok('trust', 'add-key', root, publicKey(name), '--operator', name);
  const holders = names.flatMap((name) => ['--key', name]);
  for (const role of ['root', 'rules', 'heads']) {
    await ok('trust', 'set-role', root, role, '--threshold', '2', ...holders);
  }
  await ok('trust', 'set-role', root, 'enrol', '--threshold', '1', ...holders);
  await finishRoot(root, 'alice', 'bob');
  await publish(published, 'one', { root, signers: ['alice', 'bob'] });
  await publish(published, 'two', { root, signers: ['alice', 'bob'], after: bundle('one') });
  await publish(published, 'three', { root, signers: ['alice', 'bob'], after: bundle('two') });
}, 60_000);

afterAll(() => rmSync(published, { recursive: true, force: true }));

/** An enclave of its own, enrolled, with these bundles applied; and what a courier does for it. */
async function enclave(...applied: readonly ('one' | 'two' | 'three')[]) {
  const folder = tempDirectory();
  const [data, enrolment] = [join(folder, 'data'), join(folder, 'enrolment.json')];
  const { fingerprint } = await told<{ fingerprint: string }>('trust', 'show', root);
  await ok('init', '--data', data);
  await ok('trust', 'pin', join(root, '1.root.dsse.json'), '--fingerprint', fingerprint, '--data', data);
  await ok('trust', 'enrol', 'request', '--out', enrolment, '--data', data);
  await ok('trust', 'enrol', 'host', enrolment, '--key', privateKey('carol'));
  const here = (...args: readonly string[]) => inside([...args, '--data', data]);
  const trusted = ['--trust', root, '--enrolment', enrolment];
  for (const name of applied) expect((await here('bundle', 'apply', bundle(name), '--yes')).code).toBe(0);
  return {
    folder,
    data,
    here,
    trusted,
    list: () => told<Listed>('bundle', 'list', '--data', data),
    async receipt(name = 'plant-7'): Promise<string> {
      const out = join(folder, `${name}.receipt.json`);
      jsonOf(await here('bundle', 'receipt', '--out', out, '--json'), 'bundle-receipt');
      return out;
    },
    /** A heads statement that two of three signed. */
    async heads(name: 'one' | 'two' | 'three', answered: string): Promise<string> {
      const out = join(folder, `${name}.heads.json`);
      const build = ['bundle', 'heads', 'build', bundle(name), '--receipt', answered, ...trusted, '--out', out];
      jsonOf(await inside([...build, '--key', privateKey('alice'), '--json']), 'bundle-heads-build');
      jsonOf(await inside(['bundle', 'heads', 'sign', out, '--key', privateKey('bob'), '--json']), 'bundle-heads-sign');
      return out;
    },
  };
}

type Receipt = { readonly files: readonly string[]; readonly fingerprint: string };

type Listed = {
  readonly floor: string;
  readonly channels: readonly {
    readonly active: { readonly seq: number };
    readonly highest: { readonly seq: number };
  }[];
};

const failing = (ran: Ran) =>
  (JSON.parse(ran.stdout) as Applied).report.checks.find(({ status }) => status === 'fail')?.code;

/** The same file with other bytes in its payload, under the same signatures. */
function change(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  const { payload } = JSON.parse(text) as { payload: string };
  const inner = Buffer.from(payload, 'base64').toString();
  expect(inner).toContain(from);
  writeFileSync(file, text.replace(payload, Buffer.from(inner.replace(from, to)).toString('base64')));
}

describe('freshness across the gap', () => {
  it('is proved by an answer to a receipt, and by nothing else', async () => {
    const { here, receipt, heads } = await enclave('one');
    const demanded = await here('bundle', 'apply', bundle('two'), '--yes', '--require-fresh', '--json');
    expect([demanded.code, failing(demanded)]).toEqual([3, 'NOT_PROVABLY_FRESH']);

    const answer = await heads('two', await receipt());
    const accepted = await here('bundle', 'heads', 'accept', answer, '--json');
    expect(accepted.code, accepted.stderr).toBe(0);
    jsonOf(accepted, 'bundle-heads-accept');

    expect((await here('bundle', 'verify', bundle('one'), '--require-fresh')).code).toBe(3);
    const fresh = await here('bundle', 'apply', bundle('two'), '--yes', '--require-fresh', '--json');
    expect(fresh.code, fresh.stdout).toBe(0);
    const { freshness } = jsonOf<Applied>(fresh, 'bundle-apply').report;
    expect(freshness).toMatchObject({ status: 'fresh', asOf: '2027-01-31T12:00:00.000Z' });
    expect((await here('bundle', 'verify', bundle('two'))).stdout).toContain('as of 2027-01-31T12:00:00.000Z');
    jsonOf(await here('bundle', 'list', '--json'), 'bundle-list');
    expect((await here('bundle', 'list')).stdout).toContain('newest 2 as of 2027-01-31T12:00:00.000Z');
    expectError(await here('bundle', 'heads', 'accept', answer), 'HEADS_REPLAYED', 3);
  });

  it('is not proved by one signature of two, an older place, another nonce, or a changed statement', async () => {
    const { here, folder, trusted, receipt, heads } = await enclave('one', 'two');
    const asked = await receipt();
    const out = join(folder, 'half.json');
    const build = ['bundle', 'heads', 'build', bundle('two'), '--receipt', asked, ...trusted, '--out', out];
    await ok(...build, '--key', privateKey('alice'));
    expectError(await here('bundle', 'heads', 'accept', out), 'THRESHOLD_NOT_MET', 3);
    expectError(await here('bundle', 'heads', 'accept', await heads('one', asked)), 'HEADS_OLDER', 3);
    const good = await heads('two', asked);
    const other = await enclave('one');
    expectError(await other.here('bundle', 'heads', 'accept', good), 'HEADS_NONCE', 3);
    change(good, '"seq":2', '"seq":9');
    expectError(await here('bundle', 'heads', 'accept', good), 'NO_TRUSTED_SIGNATURE', 3);
  });

  it('needs a receipt of an enrolled host, signed by its own key, and a bundle that is trusted', async () => {
    const { folder, trusted, receipt } = await enclave('one');
    const asked = await receipt();
    const build = (file: string, options = trusted, name = bundle('two')) =>
      inside(['bundle', 'heads', 'build', name, '--receipt', file, ...options, '--out', join(folder, 'never')]);
    expectError(await build(asked, ['--trust', root]), 'RECEIPT_HOST_UNKNOWN', 3);
    const stranger = await enclave();
    expectError(await build(await stranger.receipt()), 'RECEIPT_HOST_UNKNOWN', 3);
    const unsigned = join(folder, 'unsigned');
    cpSync(bundle('two'), unsigned, { recursive: true });
    const file = join(unsigned, 'bundle.dsse.json');
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), signatures: [] }));
    expectError(await build(asked, trusted, unsigned), 'BUNDLE_REFUSED', 3);
    change(asked, '"floor":"2027', '"floor":"2026');
    expectError(await build(asked), 'RECEIPT_SIGNATURE', 3);
  });
});

describe('a receipt by QR codes', () => {
  it('is carried whole by them, without a file', async () => {
    const { here, folder, trusted } = await enclave('one');
    const png = join(folder, 'photo.png');
    const { files } = jsonOf<Receipt>(await here('bundle', 'receipt', '--png', png, '--json'), 'bundle-receipt');
    const out = join(folder, 'heads.json');
    const build = ['bundle', 'heads', 'build', bundle('two'), ...trusted, '--out', out, '--key', privateKey('alice')];
    if (files.length > 1) {
      expectError(await inside([...build, '--receipt', files[0] ?? '']), 'QR_INCOMPLETE', 3);
    }
    await ok(...build, ...files.toReversed().flatMap((file) => ['--receipt', file]));
    await ok('bundle', 'heads', 'sign', out, '--key', privateKey('bob'));
    expect((await here('bundle', 'heads', 'accept', out)).code).toBe(0);
  });

  it('is held to the fingerprint that was told another way, as text or as a picture', async () => {
    const { here, folder, trusted } = await enclave('one');
    const at = (name: string) => join(folder, name);
    const make = async (name: string) => {
      const ways = ['--out', at(`${name}.json`), '--png', at(`${name}.png`)];
      return jsonOf<Receipt>(await here('bundle', 'receipt', ...ways, '--json'), 'bundle-receipt');
    };
    const [first, second] = [await make('first'), await make('second')];
    expect(first.files).toEqual([at('first.json'), at('first.png')]);
    let n = 0;
    const build = (receipts: readonly string[], ...announced: readonly string[]) => {
      n += 1;
      return inside([
        ...['bundle', 'heads', 'build', bundle('two'), ...trusted, '--out', at(`heads-${n}`)],
        ...receipts.flatMap((name) => ['--receipt', at(`${name}.json`)]),
        ...announced.flatMap((value) => ['--fingerprint', value]),
      ]);
    };
    expect((await build(['first'], first.fingerprint)).code).toBe(0);
    expect((await build(['first'], at('first.png'))).code).toBe(0);
    expect((await build(['first', 'second'], at('second.png'), first.fingerprint)).code).toBe(0);
    // Genuine, of the same enclave, and still not the one that was meant.
    expectError(await build(['second'], at('first.png')), 'RECEIPT_MISMATCH', 3);
    expectError(await build(['second'], first.fingerprint), 'RECEIPT_MISMATCH', 3);
    expectError(await build(['first', 'second'], first.fingerprint), 'RECEIPT_MISMATCH', 3);
    expectError(await build(['first'], first.fingerprint, second.fingerprint), 'RECEIPT_MISMATCH', 3);
    expectError(await build(['first'], 'sha256:12'), 'RECEIPT_TAG', 2);
    expectError(await build(['first'], at('first.json')), 'RECEIPT_TAG', 2);

    const delta = ['bundle', 'delta', bundle('two'), '--base', bundle('one'), ...trusted, '--out', at('delta.tar')];
    expectError(
      await inside([...delta, '--receipt', at('first.json'), '--fingerprint', second.fingerprint]),
      'RECEIPT_MISMATCH',
      3,
    );
    const both = [at('first.json'), at('second.json')].flatMap((file) => ['--receipt', file]);
    expectError(await inside([...delta, ...both]), 'USAGE_OPTION', 2);
    expectError(await inside([...delta, '--receipt', at('first.png')]), 'QR_MALFORMED', 3);
    expect((await inside([...delta, '--receipt', at('first.json'), '--fingerprint', at('first.png')])).code).toBe(0);
  });

  it('needs a way out, before a nonce is spent', async () => {
    const { here, data } = await enclave();
    expectError(await here('bundle', 'receipt'), 'USAGE_OPTION', 2);
    expect((await told<{ openReceipts: number }>('bundle', 'list', '--data', data)).openReceipts).toBe(0);
  });
});

describe('going back', () => {
  it('one step is an operator action, further needs a statement by the role root, once', async () => {
    const { here, folder, data, list } = await enclave('one', 'two', 'three');
    jsonOf(await here('bundle', 'rollback', 'rules/linux', '--dry-run', '--json'), 'bundle-rollback');
    expect((await list()).channels).toMatchObject([{ active: { seq: 3 } }]);
    const back = await here('bundle', 'rollback', 'rules/linux', '--yes', '--reason', 'noise', '--json');
    expect(jsonOf<Applied>(back, 'bundle-rollback').status).toBe('rolled-back');
    expect((await list()).channels).toMatchObject([{ active: { seq: 2 }, highest: { seq: 3 } }]);
    expectError(await here('bundle', 'rollback', 'rules/linux', '--yes'), 'NOTHING_BEFORE', 5);
    expectError(await here('bundle', 'rollback', 'rules/other', '--yes'), 'CHANNEL_UNKNOWN', 1);
    expectError(await here('bundle', 'rollback', 'rules/linux', '--yes', '--reason', ''), 'USAGE_VALUE', 2);

    expect(failing(await here('bundle', 'apply', bundle('one'), '--yes', '--json'))).toBe('SEQUENCE_REPLAY');
    const file = join(folder, 'back.json');
    const build = ['bundle', 'downgrade', 'build', bundle('two'), bundle('one'), '--reason', 'noise', '--out', file];
    jsonOf(await inside([...build, '--key', privateKey('alice'), '--json']), 'bundle-downgrade-build');
    const apply = ['bundle', 'apply', bundle('one'), '--yes', '--downgrade', file];
    expectError(await here(...apply), 'THRESHOLD_NOT_MET', 3);
    const sign = ['bundle', 'downgrade', 'sign', file, '--key', privateKey('carol'), '--json'];
    jsonOf(await inside(sign), 'bundle-downgrade-sign');
    expect((await here(...apply)).code).toBe(0);
    expect((await list()).channels).toMatchObject([{ active: { seq: 1 }, highest: { seq: 3 } }]);
    expectError(await here(...apply), 'DOWNGRADE_USED', 3);
    await ok('ledger', 'verify', '--data', data);
  });

  it('is asked for between bundles of one channel, to the older', async () => {
    const out = join(tempDirectory(), 'back.json');
    const build = ['bundle', 'downgrade', 'build', bundle('one'), bundle('two'), '--reason', 'x', '--out', out];
    expectError(await inside(build), 'USAGE_ARGUMENT', 2);
  });
});

describe('a floor that is wrong', () => {
  it('is put right once, by holders of the role root, in answer to a receipt', async () => {
    const { here, folder, data, list, receipt, trusted } = await enclave();
    const poisoned = join(folder, 'poisoned');
    const build = ['bundle', 'build', join(published, 'one.source'), '--kind', 'rules', '--channel', 'rules/linux'];
    await ok(...build, '--root', root, '--out', poisoned, '--issued-at', '2028-01-30');
    for (const name of ['alice', 'bob']) await ok('bundle', 'sign', poisoned, '--key', privateKey(name));
    expect((await here('bundle', 'apply', poisoned, '--yes')).code).toBe(0);
    expect((await list()).floor).toBe('2028-01-30T00:00:00.000Z');
    const file = join(folder, 'reset.json');
    const reset = ['trust', 'floor-reset', 'build', await receipt(), '--to', '2027-01-31', '--reason', 'a wrong clock'];
    const built = await inside([...reset, ...trusted, '--out', file, '--key', privateKey('alice'), '--json']);
    jsonOf(built, 'trust-floor-reset-build');
    expectError(await here('trust', 'floor-reset', 'accept', file), 'THRESHOLD_NOT_MET', 3);
    const sign = ['trust', 'floor-reset', 'sign', file, '--key', privateKey('bob'), '--json'];
    jsonOf(await inside(sign), 'trust-floor-reset-sign');
    jsonOf(await here('trust', 'floor-reset', 'accept', file, '--json'), 'trust-floor-reset-accept');
    // The trust root was issued at noon of that day: what it proves stays proved.
    expect((await list()).floor).toBe('2027-01-31T12:00:00.000Z');
    expectError(await here('trust', 'floor-reset', 'accept', file), 'FLOOR_RESET_USED', 3);
    await ok('ledger', 'verify', '--data', data);
  });

  it.each([
    ['to a moment above it', ['--to', '2029-01-01', '--reason', 'x']],
    ['without a reason', ['--to', '2020-01-01', '--reason', '']],
  ])('is not put right %s: a mistake of who asks', async (_what, options) => {
    const { folder, receipt, trusted } = await enclave();
    const build = ['trust', 'floor-reset', 'build', await receipt(), ...options, ...trusted];
    expectError(await inside([...build, '--out', join(folder, 'mistake.json')]), 'USAGE_VALUE', 2);
  });
});
