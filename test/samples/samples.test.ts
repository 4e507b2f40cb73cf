import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { ensureBuilt, hasTool, inside, jsonOf, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

type Expectation = { verdict: string; check?: string; code?: string };
type ReportJson = { verdict: string; checks: { name: string; status: string; code?: string }[] };

const SAMPLES = join(ROOT, 'bundles/samples');
const expected = JSON.parse(readFileSync(join(SAMPLES, 'expected.json'), 'utf8')) as Record<string, Expectation>;

beforeAll(ensureBuilt);

function contents(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'README.md') continue;
    const path = join(entry.parentPath, entry.name);
    files[relative(folder, path)] = readFileSync(path, 'base64');
  }
  return files;
}

describe('the samples', () => {
  it('are made again bit for bit, in another time zone, locale and umask', () => {
    const target = tempDirectory();
    const env = { ...process.env, TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8' };
    const command = 'umask 077 && exec "$0" "$1" "$2"';
    execFileSync('sh', ['-c', command, process.execPath, join(ROOT, 'scripts/samples.ts'), target], {
      env,
      stdio: 'pipe',
    });
    for (const folder of ['keys/example', 'bundles/samples']) {
      expect(contents(join(target, folder))).toEqual(contents(join(ROOT, folder)));
    }
  });

  it.each(Object.entries(expected))('%s gets the verdict it should', async (name, { verdict, check, code }) => {
    const args = ['bundle', 'verify', join(SAMPLES, name), '--trust', join(SAMPLES, 'root'), '--json'];
    const ran = await inside(args);
    const report = jsonOf<ReportJson>(ran, 'report');
    expect(report.verdict).toBe(verdict);
    expect(ran.code).toBe(verdict === 'trusted' ? 0 : 3);
    const failed = report.checks.find(({ status }) => status === 'fail');
    expect([failed?.name, failed?.code]).toEqual([check, code]);
  });

  it('are all expected', () => {
    const inside = (folder: string) => readdirSync(join(SAMPLES, folder)).map((name) => `${folder}/${name}`);
    const bundles = [...readdirSync(SAMPLES), ...inside('hostile'), ...inside('volumes')];
    const others = ['README.md', 'expected.json', 'root', 'hostile', 'volumes', 'encrypted', 'hostile/good.bundle.tar'];
    expect(bundles.filter((name) => !others.includes(name)).sort()).toEqual(Object.keys(expected).sort());
    expect(Object.keys(expected).filter((name) => name.startsWith('hostile/')).length).toBeGreaterThanOrEqual(12);
  });

  it('in volumes are the bundle, in any order, and a delta is it where the base is', async () => {
    const volumes = readdirSync(join(SAMPLES, 'volumes')).map((name) => join(SAMPLES, 'volumes', name));
    expect(volumes.length).toBeGreaterThan(1);
    const trusted = ['--trust', join(SAMPLES, 'root')];
    expect((await inside(['bundle', 'verify', ...volumes.toReversed(), ...trusted])).code).toBe(0);
    const out = join(tempDirectory(), 'joined.tar');
    expect((await inside(['bundle', 'join', ...volumes, '--out', out])).code).toBe(0);
    expect(readFileSync(out)).toEqual(readFileSync(join(SAMPLES, 'linux-baseline-2.bundle.tar')));

    const parts = ['linux-baseline-1.bundle.tar', 'linux-baseline-2.delta.tar'].map((name) => join(SAMPLES, name));
    expect((await inside(['bundle', 'verify', ...parts, ...trusted])).code).toBe(3);
    const data = join(tempDirectory(), 'data');
    const root = join(SAMPLES, 'root/1.root.dsse.json');
    const { digest } = parseRoot(new Uint8Array(readFileSync(root)));
    for (const args of [
      ['init'],
      ['trust', 'pin', root, '--fingerprint', digest],
      ...parts.map((part) => ['bundle', 'apply', part, '--yes']),
    ]) {
      const ran = await inside([...args, '--data', data]);
      expect(ran.code, `${args.join(' ')}: ${ran.stderr}`).toBe(0);
    }
  });

  it('encrypted are a sample to the byte for the published identity, by our program and by age', async ({ skip }) => {
    const sealed = join(SAMPLES, 'encrypted/linux-baseline-2.bundle.tar.age');
    const identity = join(ROOT, 'keys/example/TEST-ONLY-enclave.age.txt');
    const verify = ['bundle', 'verify', sealed, '--trust', join(SAMPLES, 'root')];
    expect((await inside([...verify, '--identity', identity])).code).toBe(0);
    expect((await inside(verify)).code).toBe(1);
    if (!hasTool('age')) skip('age is not on this machine');
    const plain = execFileSync('age', ['--decrypt', '-i', identity, sealed], { maxBuffer: 1e9 });
    expect(plain).toEqual(readFileSync(join(SAMPLES, 'linux-baseline-2.bundle.tar')));
  });
});
