import { cpSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectError, inside, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { draftRoot, finishRoot, ok, told } from '../support/workspace.ts';

const SAMPLES = join(ROOT, 'bundles/samples');
const RULES = join(ROOT, 'rules/linux');

type Report = { readonly verdict: string; readonly checks: readonly { status: string; code?: string }[] };

async function enclave(): Promise<string> {
  const data = join(tempDirectory(), 'data');
  const { fingerprint } = await told<{ fingerprint: string }>('trust', 'show', join(SAMPLES, 'root'));
  await ok('init', '--data', data);
  const root = join(SAMPLES, 'root/1.root.dsse.json');
  await ok('trust', 'pin', root, '--fingerprint', fingerprint, '--data', data);
  return data;
}

describe('ledger verify', () => {
  it("knows this host's log through any path to it", async () => {
    const data = await enclave();
    const link = join(tempDirectory(), 'link');
    symlinkSync(data, link);
    await ok('ledger', 'verify', join(data, 'logs/install'), '--data', link);
    await ok('ledger', 'verify', join(link, 'logs/install'), '--data', data);
    await ok('ledger', 'verify', '--data', link);
  });

  it("does not take this host's key for a log that lies elsewhere", async () => {
    const data = await enclave();
    const copy = join(data, '..', 'copy');
    cpSync(join(data, 'logs/install'), copy, { recursive: true });
    for (const path of [copy, `${data}/../copy`]) {
      const ran = await inside(['ledger', 'verify', path, '--data', data, '--json']);
      expect((JSON.parse(ran.stdout) as Report).checks.find(({ status }) => status === 'fail')?.code).toBe(
        'KEY_NOT_GIVEN',
      );
    }
    await ok('ledger', 'verify', copy, '--key', join(data, 'keys/logs/install.pub.pem'), '--data', data);
  });

  it('finds a log cut back to an older state also when our own key is named', async () => {
    const data = await enclave();
    const log = join(data, 'logs/install');
    const older = join(tempDirectory(), 'older');
    cpSync(log, older, { recursive: true });
    await ok('bundle', 'apply', join(SAMPLES, 'linux-baseline-1.bundle.tar'), '--yes', '--data', data);
    rmSync(log, { recursive: true });
    cpSync(older, log, { recursive: true });
    for (const key of [[], ['--key', join(data, 'keys/logs/install.pub.pem')]]) {
      const ran = await inside(['ledger', 'verify', ...key, '--data', data, '--json']);
      expect([ran.code, (JSON.parse(ran.stdout) as Report).verdict]).toEqual([3, 'refused']);
    }
  });

  it('and bundle verify end with 3, never 4, when what they rest on was tampered with', async () => {
    const data = await enclave();
    writeFileSync(join(data, 'trust/install.checkpoint'), 'junk');
    expectError(await inside(['ledger', 'verify', '--data', data]), 'STATE_TAMPERED', 3);
    const bundle = join(SAMPLES, 'linux-baseline-1.bundle.tar');
    expectError(await inside(['bundle', 'verify', bundle, '--data', data]), 'STATE_TAMPERED', 3);
    expectError(await inside(['bundle', 'list', '--data', data]), 'STATE_TAMPERED', 4);
  });
});

describe('ledger prove', () => {
  it('writes both files or none, and never over what is there', async () => {
    const data = await enclave();
    const folder = tempDirectory();
    const [proof, line] = [join(folder, 'proof'), join(folder, 'line')];
    const prove = (out: string) => inside(['ledger', 'prove', '0', '--out', out, '--line', line, '--data', data]);
    expectError(await prove(join(folder, 'none', 'proof')), 'FILE_UNWRITABLE', 1);
    expectError(await prove(line), 'FILE_EXISTS', 1);
    // As root, replacing it would take the device away from everybody.
    expectError(await prove('/dev/null'), 'FILE_EXISTS', 1);
    expect(readdirSync(folder)).toEqual([]);
    expect((await prove(proof)).code).toBe(0);
    await ok('ledger', 'check-proof', proof, '--line', line, '--key', join(data, 'keys/logs/install.pub.pem'));
  });

  it.each([
    ['99999999999999999999', 'USAGE_VALUE', 2],
    ['1e3', 'USAGE_VALUE', 2],
    ['-1', 'USAGE_OPTION', 2],
    ['\u001b[2J', 'USAGE_VALUE', 2],
    ['1', 'NO_SUCH_ENTRY', 1],
  ])('of entry %j', async (seq, code, exitCode) => {
    const data = await enclave();
    expectError(await inside(['ledger', 'prove', seq, '--data', data]), code, exitCode);
  });
});

describe('bundle build', () => {
  const build = (...options: readonly string[]) => inside(['bundle', 'build', RULES, '--kind', 'rules', ...options]);
  const root = ['--root', join(SAMPLES, 'root')];
  const channel = ['--channel', 'rules/x'];

  it('refuses what nobody could ever accept, and leaves nothing behind', async () => {
    const folder = tempDirectory();
    const out = ['--out', join(folder, 'x.bundle')];
    const unfinished = join(tempDirectory(), 'root');
    await draftRoot(unfinished);
    expectError(await build(...channel, '--root', unfinished, ...out), 'FILE_NOT_FOUND', 1);
    expectError(await build('--channel', 'updates/x', ...root, ...out), 'USAGE_OPTION', 2);
    expectError(await build(...root, ...out), 'USAGE_OPTION', 2);
    const empty = ['bundle', 'build', tempDirectory(), '--kind', 'rules', ...channel, ...root, ...out];
    expectError(await inside(empty), 'CONTENT_REFUSED', 1);
    const ofTrust = ['bundle', 'build', RULES, '--kind', 'trust', '--channel', 'trust/x', ...root, ...out];
    expectError(await inside(ofTrust), 'CONTENT_REFUSED', 1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses a SOURCE_DATE_EPOCH that is none instead of taking the clock', async () => {
    const out = ['--out', join(tempDirectory(), 'x.bundle')];
    const args = ['bundle', 'build', RULES, '--kind', 'rules', ...channel, ...root, ...out];
    expectError(await inside(args, { env: { SOURCE_DATE_EPOCH: 'yesterday' } }), 'USAGE_VALUE', 2);
  });

  it('is not left half judged by someone who stops it', async () => {
    const folder = tempDirectory();
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    const args = ['bundle', 'build', RULES, '--kind', 'rules', ...channel, ...root, '--out', join(folder, 'x.bundle')];
    expect((await inside(args, { signal: stop.signal })).code).not.toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('trust show', () => {
  it('counts people, not keys', async () => {
    const directory = join(tempDirectory(), 'root');
    await draftRoot(directory);
    const dave = join(ROOT, 'keys/example/TEST-ONLY-dave.pub.pem');
    await ok('trust', 'add-key', directory, dave, '--operator', 'alice');
    const holders = ['--key', 'alice', '--key', 'bob', '--threshold', '2'];
    await ok('trust', 'set-role', directory, 'rules', ...holders);
    await finishRoot(directory, 'alice', 'carol');
    expect(existsSync(join(directory, '1.root.dsse.json'))).toBe(true);
    expect((await ok('trust', 'show', directory)).stdout).toMatch(/rules +2 of 2: alice, bob\n/);
    expect(readFileSync(join(directory, '1.root.dsse.json'), 'utf8')).toContain('signatures');
  });
});
