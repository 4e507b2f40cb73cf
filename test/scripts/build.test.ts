import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/cli.ts';
import { lendModules, project, runIn, write } from './project.ts';

/** Two source files, compiled the way the real ones are. */
function sources(): string {
  const root = project({
    'package.json': '{ "type": "module" }',
    'package-lock.json': '{}',
    // Without the types of Node.js, which take longest to read.
    'tsconfig.json': readFileSync(join(ROOT, 'tsconfig.json'), 'utf8').replace('"types": ["node"]', '"types": []'),
    'tsconfig.build.json': readFileSync(join(ROOT, 'tsconfig.build.json'), 'utf8'),
    'schemas/a.schema.json': '{ "a": 1 }',
    'src/cli/main.ts': "import { b } from '../core/b.ts';\nexport const main: number = b;\n",
    'src/core/b.ts':
      "import a from '../../schemas/a.schema.json' with { type: 'json' };\nexport const b: number = a.a;\n",
  });
  lendModules(root);
  return root;
}

const build = (root: string) => runIn(root, 'build', 'await m.build()');

describe('the build', () => {
  it('compiles into dist, in one line, and has nothing to say or do the second time', async () => {
    const root = sources();
    const first = await build(root);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^build: 2 files in [\d.]+ s\n$/);
    const main = join(root, 'dist/src/cli/main.js');
    expect(readFileSync(main, 'utf8')).toContain("'../core/b.js'");
    expect(existsSync(join(root, 'dist/schemas/a.schema.json'))).toBe(true);
    const time = statSync(main).mtimeMs;
    expect(await build(root)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(statSync(main).mtimeMs).toBe(time);
  });

  it('removes what the sources no longer have, folders too, and nothing else', async () => {
    const root = sources();
    write(root, { 'src/old/deep/gone.ts': 'export const gone = 1;\n', 'src/core/gone.ts': 'export const gone = 1;\n' });
    await build(root);
    expect(existsSync(join(root, 'dist/src/old/deep/gone.js'))).toBe(true);
    rmSync(join(root, 'src/old'), { recursive: true });
    rmSync(join(root, 'src/core/gone.ts'));
    expect((await build(root)).stdout).toMatch(/^build: 2 files, 2 stale removed in/);
    expect(readdirSync(join(root, 'dist/src')).sort()).toEqual(['cli', 'core']);
    expect(readdirSync(join(root, 'dist/src/core'))).toEqual(['b.js']);
  });

  it('notices a changed source, a changed schema, and a dist that someone emptied', async () => {
    const root = sources();
    await build(root);
    write(root, { 'src/core/b.ts': 'export const b: number = 42;\n' });
    expect((await build(root)).stdout).toContain('build: ');
    expect(readFileSync(join(root, 'dist/src/core/b.js'), 'utf8')).toContain('42');
    write(root, { 'schemas/a.schema.json': '{ "a": 10 }' });
    expect((await build(root)).stdout).toContain('build: ');
    rmSync(join(root, 'dist'), { recursive: true });
    await build(root);
    expect(existsSync(join(root, 'dist/src/cli/main.js'))).toBe(true);
  });

  it('fails with the compiler’s own words, and again the next time', async () => {
    const root = sources();
    write(root, { 'src/core/b.ts': "export const b: number = 'text';\n" });
    for (let i = 0; i < 2; i++) {
      const { code, stdout, stderr } = await build(root);
      expect([code, stdout]).toEqual([1, expect.stringMatching(/^build failed after/)]);
      expect(stderr).toMatch(/^daemoneye: the sources do not compile:\nsrc\/core\/b\.ts\(1,14\): error TS2322/);
    }
  });

  it('waits for its turn, and takes over from a builder that died', async () => {
    const root = sources();
    const both = await Promise.all([build(root), build(root)]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both.map(({ stdout }) => stdout).filter((line) => line !== '')).toHaveLength(1);
    // The number of a process that can't exist any more: this one was it, and is gone.
    const gone = await runIn(root, 'build', 'console.log(process.pid)');
    write(root, { 'node_modules/.daemoneye-build/pid': gone.stdout.trim(), 'src/core/b.ts': 'export const b = 2;\n' });
    expect((await build(root)).stdout).toContain('build: ');
    expect(existsSync(join(root, 'node_modules/.daemoneye-build'))).toBe(false);
  });
});
