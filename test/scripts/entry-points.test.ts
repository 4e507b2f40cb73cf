import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/cli.ts';

describe('the entry points', () => {
  it('of npm exist, and start on a machine with nothing installed yet', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    for (const name of ['start', 'test', 'build', 'samples']) {
      const [program, file] = (scripts[name] ?? '').split(' ');
      expect([name, program]).toEqual([name, 'node']);
      // JavaScript, because a machine's own Node.js may be too old to run TypeScript.
      expect(file).toMatch(/^scripts\/[a-z-]+\.mjs$/);
      expect(statSync(join(ROOT, file ?? '')).isFile()).toBe(true);
    }
  });

  it('import nothing that would have to be installed', () => {
    for (const name of readdirSync(join(ROOT, 'scripts')).filter((file) => file.endsWith('.mjs'))) {
      const text = readFileSync(join(ROOT, 'scripts', name), 'utf8');
      for (const [, specifier] of text.matchAll(/from '([^']+)'/g)) expect(specifier, name).toMatch(/^(?:node:|\.\/)/);
    }
  });

  it('of the hosted run and the launchers are programs that parse', () => {
    for (const file of ['.ci/run', 'bin/daemoneye']) expect(statSync(join(ROOT, file)).mode & 0o111, file).toBe(0o111);
    execFileSync('bash', ['-n', join(ROOT, '.ci/run')]);
    execFileSync('sh', ['-n', join(ROOT, 'bin/daemoneye')]);
    expect(readFileSync(join(ROOT, '.ci/run'), 'utf8')).toMatch(/\nexec npm test\n$/);
    // cmd.exe reads lines that end in CR LF.
    expect(readFileSync(join(ROOT, 'bin/daemoneye.cmd'), 'utf8').replaceAll('\r\n', '')).not.toContain('\n');
  });
});
