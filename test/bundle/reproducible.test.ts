import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleKind } from '../../src/bundle/format.ts';
import { kindsRoot } from '../install/kinds-support.ts';
import { ruleBytes } from '../rules/support.ts';
import { ensureBuilt, environment, LAUNCHER } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { type Files, snapshot } from './sample.ts';

/** The real program in surroundings that differ in everything that must leave no trace. */

const roots = [kindsRoot(), kindsRoot({ version: 2, issuedAt: '2026-03-01T00:00:00.000Z' })];

/** Names whose order differs between bytes, Turkish and any order of creation. */
const NAMES = ['Ix', 'cz', 'ch', 'hx', 'iy', 'ığ', 'é', 'Z', 'a-b', 'a.b', 'ab', 'a/b', '10', '9'];

const SOURCES: Readonly<Record<BundleKind, Files>> = {
  rules: Object.fromEntries(
    NAMES.map((name, i) => [`${name}.yaml`, ruleBytes({ id: `test-${i}`, name: `Rule ${name}` })]),
  ),
  config: { 'config.yaml': 'audience: [plant-7, iller]\nagent: {interval_ms: 500}\n' },
  update: Object.fromEntries(
    NAMES.flatMap((name) => [
      [`bin/${name}.sh`, name],
      [`share/${name}`, `${name}\n`],
    ]),
  ),
  trust: Object.fromEntries(roots.map(({ version, bytes }) => [`${version}.root.dsse.json`, bytes])),
};

type Order = (names: readonly string[]) => readonly string[];

const MACHINES = [
  { env: { LC_ALL: 'C', TZ: 'UTC' }, umask: '022', order: (names) => names, time: 1_000_000_000 },
  {
    env: { LC_ALL: 'tr_TR.UTF-8', TZ: 'Pacific/Kiritimati' },
    umask: '077',
    order: (names) => names.toSorted((a, b) => a.length - b.length || (a < b ? 1 : -1)),
    time: 2_000_000_000,
  },
] as const satisfies readonly { env: object; umask: string; order: Order; time: number }[];

const base = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

beforeAll(async () => {
  await ensureBuilt();
  mkdirSync(join(base, 'root'));
  for (const { version, bytes } of roots) writeFileSync(join(base, 'root', `${version}.root.dsse.json`), bytes);
});

/** The files in this order of creation, with these times; the order in which a directory lists them follows. */
function writeInOrder(files: Files, order: Order, time: number): string {
  const source = join(tempDirectory(), 'source');
  mkdirSync(source);
  for (const path of order(Object.keys(files))) {
    const file = join(source, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, files[path] ?? '', { mode: path.endsWith('.sh') ? 0o755 : 0o644 });
    utimesSync(file, time, time);
  }
  return source;
}

describe.each(Object.keys(SOURCES) as BundleKind[])('a bundle of kind %s', (kind) => {
  it('is the same bytes on every machine', async () => {
    const built = await Promise.all(
      MACHINES.map(async ({ env, umask, order, time }, i) => {
        const source = writeInOrder(SOURCES[kind], order, time);
        const out = join(tempDirectory(), `${i}.bundle`);
        const args = [
          'bundle',
          'build',
          source,
          '--kind',
          kind,
          '--channel',
          `${kind}/x`,
          '--root',
          join(base, 'root'),
          ...(kind === 'update' ? ['--sbom', '--provenance'] : []),
        ];
        const script = `umask ${umask} && exec "$0" "$@"`;
        const { stdout } = await promisify(execFile)('sh', ['-c', script, LAUNCHER, ...args, '--out', out, '--json'], {
          cwd: dirname(source),
          env: environment({ ...env, HOME: dirname(out), SOURCE_DATE_EPOCH: '1798761600' }),
        });
        const { statement, issuedAt } = JSON.parse(stdout) as { statement: string; issuedAt: string };
        expect(issuedAt).toBe('2027-01-01T00:00:00.000Z');
        return { statement, files: snapshot(out) };
      }),
    );
    const [first, ...others] = built;
    expect(first?.files.length).toBeGreaterThan(3);
    for (const other of others) expect(other).toEqual(first);
  });
});
