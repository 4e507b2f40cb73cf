import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { syncFiles } from '../../src/durable/sync-many-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

describe('syncFiles', () => {
  it.each([0, 1, 9, 200])('takes %i files, and changes none', async (count) => {
    const directory = tempDirectory();
    const names = Array.from({ length: count }, (_, i) => `file-${i}`);
    for (const name of names) writeFileSync(join(directory, name), name);
    await syncFiles(directory, names);
    for (const name of names) expect(readFileSync(join(directory, name), 'utf8')).toBe(name);
  });

  it('says so when a file is gone that should be made durable', async () => {
    await expectCodeAsync(syncFiles(tempDirectory(), ['missing']), 'NOT_FOUND');
  });

  it('says so when the file system of many can not be synced at all', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `file-${i}`);
    await expectCodeAsync(syncFiles(join(tempDirectory(), 'missing'), names), 'NOT_FOUND');
  });

  it('takes a directory whose name looks like an option', async () => {
    const directory = tempDirectory();
    const names = Array.from({ length: 100 }, (_, i) => `-f${i}`);
    for (const name of names) writeFileSync(join(directory, name), '');
    await syncFiles(directory, names);
  });
});
