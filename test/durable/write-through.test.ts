import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { openWrittenThrough } from '../../src/durable/write-through-io.ts';
import { openLedgerFile } from '../../src/ledger/ledger-file-io.ts';
import { hasTool } from '../support/cli.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';

const step = fc.oneof(
  fc.record({
    do: fc.constant('write' as const),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 50 }),
    at: fc.nat(80),
  }),
  fc.record({ do: fc.constant('truncate' as const), at: fc.nat(120) }),
  fc.record({ do: fc.constant('sync' as const) }),
);

describe('a file that is synchronised by writing', () => {
  it('has the same content as any other, whatever is done in whatever order', async () => {
    const directory = tempDirectory();
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        number += 1;
        const contents = [];
        for (const open of [openWrittenThrough, openLedgerFile]) {
          const path = join(directory, `${number}-${open.name}`);
          const file = await open(path);
          for (const next of steps) {
            if (next.do === 'write') await file.write(next.bytes, next.at);
            else if (next.do === 'truncate') await file.truncate(next.at);
            else await file.sync();
          }
          await file.sync();
          await file.close();
          contents.push(readFileSync(path));
        }
        expect(contents[0]).toEqual(contents[1]);
      }),
      { numRuns: runs(60, 2000) },
    );
  });

  it('goes on where a file ends, and throws as node:fs does', async () => {
    const directory = tempDirectory();
    const path = join(directory, 'a');
    writeFileSync(path, 'one');
    const file = await openWrittenThrough(path);
    await file.write(Buffer.from('two'), 3);
    await file.sync();
    await file.close();
    expect(readFileSync(path, 'utf8')).toBe('onetwo');
    mkdirSync(join(directory, 'b'));
    await expect(openWrittenThrough(join(directory, 'b'))).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it.each([10, 2 * 1024 * 1024])('is good for nothing after a failed synchronisation of %i bytes', async (bytes) => {
    const path = join(tempDirectory(), 'a');
    const file = await openWrittenThrough(path);
    await file.write(Buffer.from('before'), 0);
    await file.sync();
    const handle = await open(path);
    const handles = Object.getPrototypeOf(handle) as typeof handle;
    await handle.close();
    const written = handles.write;
    // The plain write succeeds, the synchronous one finds a broken disk.
    const write = vi.spyOn(handles, 'write').mockImplementationOnce(written);
    write.mockRejectedValueOnce(Object.assign(new Error('broken'), { code: 'EIO' }));
    const both = async () => {
      await file.write(Buffer.alloc(bytes), 6);
      await file.sync();
    };
    await expect(both()).rejects.toMatchObject({ code: 'EIO' });
    write.mockRestore();
    // A writer that took the lines back would cut the file here, and then believe that it is as before.
    await expect(file.truncate(6)).rejects.toMatchObject({ code: 'EIO' });
    await expect(file.write(Buffer.from('again'), 6)).rejects.toMatchObject({ code: 'EIO' });
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    await file.close();
  });
});

const CHILD = join(import.meta.dirname, 'write-through-child.ts');

/** Arguments for a Node.js behind procmond's fence, which may write only there. */
const fenced = (directory: string) => ['--permission', '--allow-fs-read=*', `--allow-fs-write=${directory}`, CHILD];

describe('behind a fence that refuses fsync', () => {
  it('files, names, links and logs are written all the same', () => {
    const directory = tempDirectory();
    const { stdout, stderr } = spawnSync(process.execPath, [...fenced(directory), directory], { encoding: 'utf8' });
    expect([stdout, stderr]).toEqual(['ERR_ACCESS_DENIED', '']);
    const content = (name: string) => readFileSync(join(directory, name), 'utf8');
    expect(readdirSync(directory).sort()).toEqual(['a', 'empty', 'file', 'log']);
    expect(['file', 'empty', 'a/c/new', 'log'].map(content)).toEqual(['two', '', 'moved', 'lines\n']);
    expect(['file', 'empty'].map((name) => statSync(join(directory, name)).mode & 0o777)).toEqual([0o644, 0o600]);
    expect(readdirSync(join(directory, 'a'))).toEqual(['c']);
  });

  const canTrace = process.platform === 'linux' && hasTool('strace');
  it.skipIf(!canTrace)('every byte goes through a synchronous descriptor (needs strace)', () => {
    const directory = tempDirectory();
    const record = join(tempDirectory(), 'trace');
    const calls = 'trace=openat,write,pwrite64,writev,pwritev,rename';
    const args = ['-f', '-y', '-e', calls, '-o', record, process.execPath, ...fenced(directory), directory];
    expect(spawnSync('strace', args, { encoding: 'utf8' }).stdout).toBe('ERR_ACCESS_DENIED');
    const trace = readFileSync(record, 'utf8').split('\n');
    const inside = trace.filter((line) => line.includes(directory));
    /** Of the calls that write to a file of that name, the flags of the descriptors they use. */
    const writesTo = (name: RegExp) => {
      const flagsOf = new Map<string, string>();
      const flags: string[] = [];
      for (const line of inside) {
        const opened = /openat\(.*, (O_[A-Z_|]+).*\) = ([0-9]+)</.exec(line);
        if (opened?.[1] !== undefined && opened[2] !== undefined) flagsOf.set(opened[2], opened[1]);
        const [, fd, path] = /p?write[v64]*\(([0-9]+)<([^>]*)>/.exec(line) ?? [];
        if (fd !== undefined && name.test(path ?? '')) flags.push(flagsOf.get(fd) ?? 'unknown');
      }
      return flags;
    };
    // First under a name of its own, then the last byte again under the one it gets.
    for (const flags of [writesTo(/\.tmp$/), writesTo(/\/(?:file|new|old)$/)]) {
      expect(flags.length).toBeGreaterThanOrEqual(2);
      for (const flag of flags) expect(flag).toContain('O_SYNC');
    }
    const log = writesTo(/\/log$/);
    expect(log).toHaveLength(2);
    expect(log[0]).not.toContain('SYNC');
    expect(log[1]).toContain('O_DSYNC');
    // What was moved is written to once more after it has its name: that carries the name.
    const moved = inside.findIndex((line) => /rename.*\/file"/.test(line));
    expect(inside.slice(moved).some((line) => /pwrite64\([0-9]+<[^>]*\/file>/.test(line))).toBe(true);
  });
});
