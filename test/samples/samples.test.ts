import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { daemoneye, ensureBuilt, jsonOf, ROOT } from '../support/cli.ts';
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
    const ran = await daemoneye(args);
    const report = jsonOf<ReportJson>(ran, 'report');
    expect(report.verdict).toBe(verdict);
    expect(ran.code).toBe(verdict === 'trusted' ? 0 : 3);
    const failed = report.checks.find(({ status }) => status === 'fail');
    expect([failed?.name, failed?.code]).toEqual([check, code]);
  });

  it('are all expected', () => {
    const bundles = [
      ...readdirSync(SAMPLES),
      ...readdirSync(join(SAMPLES, 'hostile')).map((name) => `hostile/${name}`),
    ];
    const named = bundles.filter((name) => /\.bundle(\.tar)?$/.test(name) && name !== 'hostile/good.bundle.tar');
    expect(named.sort()).toEqual(Object.keys(expected).sort());
  });
});
