import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDirectory } from '../support/temp.ts';

const ROOT = join(import.meta.dirname, '../..');
const COMMITTED = join(ROOT, 'src/ipc/gen');

describe('the generated messages', () => {
  it('are what proto/ says, to the byte', () => {
    const target = tempDirectory();
    execFileSync(process.execPath, [join(ROOT, 'scripts/generate-proto.mjs'), target], { stdio: 'pipe' });
    const names = readdirSync(target).sort();
    expect(names).toEqual(readdirSync(COMMITTED).sort());
    for (const name of names) {
      expect(readFileSync(join(target, name), 'utf8')).toBe(readFileSync(join(COMMITTED, name), 'utf8'));
    }
  });
});
