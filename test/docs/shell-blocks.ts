import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { environment, LAUNCHER, ROOT } from '../support/cli.ts';

/** The shell block that follows `<!-- run: name -->` in a page. */
export function shellBlock(page: string, name: string): string {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const block = text.split(`<!-- run: ${name} -->\n\`\`\`sh\n`)[1]?.split('\n```\n')[0];
  if (block === undefined) throw new Error(`${page} has no shell block marked as run: ${name}`);
  return block;
}

/** Runs a block as it stands, in `cwd`, stopping at the first failure; `daemoneye` is the real launcher. */
export function runBlock(block: string, cwd: string, scratch: string, variables: Record<string, string>): string {
  const bin = join(scratch, 'bin');
  mkdirSync(bin, { recursive: true });
  const link = join(bin, 'daemoneye');
  try {
    symlinkSync(LAUNCHER, link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const env = environment({ ...variables, PATH: `${bin}:${process.env['PATH']}` });
  return execFileSync('sh', ['-eu', '-c', block], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
