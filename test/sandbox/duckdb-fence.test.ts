import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createDuckdbSandbox } from '../../src/sandbox/duckdb-sandbox-io.ts';
import { type FenceName, fencedCommand, fencesFor } from '../../src/sandbox/fence.ts';
import { fenceTools } from '../../src/sandbox/fence-io.ts';
import { ensureBuilt } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { makeDatabase } from './duckdb-sample.ts';

const tools = fenceTools();
/** The fences that can be tried here; each test says when none can. */
const fences = fencesFor(process.platform, tools).filter((name) => name !== 'none' && works(name));

function works(name: FenceName): boolean {
  const [command = '', ...args] = fencedCommand(name, tools, given([], ['-e', '0']));
  return spawnSync(command, args, { env: {} }).status === 0;
}

function given(files: readonly string[], args: readonly string[]) {
  return { folders: [], files: [process.execPath, ...files], command: [process.execPath, ...args] };
}

/** Native code could do all this: the runtime's permission model is off here, only the fence is left. */
const PROBE = `
const fs = require('node:fs'); const out = {};
const attempt = (name, action) => { try { out[name] = action() ?? 'done'; } catch (error) { out[name] = error.code; } };
attempt('given', () => fs.readFileSync(process.argv[1], 'utf8'));
attempt('open given for writing', () => fs.openSync(process.argv[1], 'r+'));
attempt('remove given', () => fs.rmSync(process.argv[1]));
attempt('beside given', () => fs.readFileSync(process.argv[2], 'utf8'));
attempt('passwd', () => fs.readFileSync('/etc/passwd', 'utf8'));
attempt('processes', () => fs.readdirSync('/proc'));
attempt('devices', () => fs.readdirSync('/dev'));
attempt('signal', () => process.kill(Number(process.argv[3]), 0));
attempt('shell', () => require('node:child_process').execFileSync('/bin/sh', ['-c', 'echo']));
attempt('interfaces', () => Object.values(require('node:os').networkInterfaces()).flat().filter((one) => !one.internal).length);
require('node:net').connect(80, '192.0.2.1').on('error', (error) => { out.network = error.code; })
  .on('connect', () => { out.network = 'connected'; }).on('close', () => console.log(JSON.stringify(out)));
`;

describe.skipIf(fences.length === 0)('behind a fence of this machine', () => {
  it.each(fences)('%s: nothing is there but what was given', (name) => {
    const directory = tempDirectory();
    const path = join(directory, 'given');
    writeFileSync(path, 'given', { mode: 0o444 });
    writeFileSync(join(directory, 'beside'), 'beside', { mode: 0o444 });
    const args = ['-e', PROBE, path, join(directory, 'beside'), String(process.pid)];
    const [command = '', ...rest] = fencedCommand(name, tools, given([path], args));
    const output = execFileSync(command, rest, { env: {}, encoding: 'utf8' });
    const told = JSON.parse(output) as Record<string, unknown>;
    expect(told).toMatchObject({
      given: 'given',
      'beside given': 'ENOENT',
      passwd: 'ENOENT',
      processes: 'ENOENT',
      devices: 'ENOENT',
      signal: 'ESRCH',
      shell: 'ENOENT',
      interfaces: 0,
      network: 'ENETUNREACH',
    });
    expect(['EACCES', 'EROFS', 'EPERM']).toContain(told['open given for writing']);
    expect(['EACCES', 'EROFS', 'EBUSY', 'EPERM']).toContain(told['remove given']);
    expect(existsSync(path)).toBe(true);
  });

  it.each(fences)('%s: killing it kills what is behind it, however busy', async (name) => {
    const args = ['-e', "process.stdout.write('busy'); for (;;) {}"];
    const [command = '', ...rest] = fencedCommand(name, tools, given([], args));
    const child = spawn(command, rest, { env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    // The pipe closes when the last process that holds it is gone.
    await new Promise((resolve) => child.once('close', resolve));
    expect(child.signalCode).toBe('SIGKILL');
  });

  it.each(fences)('%s: a path with quotes and spaces is only a path', (name) => {
    const folder = join(tempDirectory(), `a 'b" $(touch x); c`);
    mkdirSync(folder);
    const path = join(folder, 'given');
    writeFileSync(path, 'given', { mode: 0o444 });
    chmodSync(folder, 0o700);
    const args = ['-e', "process.stdout.write(require('node:fs').readFileSync(process.argv[1]))", path];
    const [command = '', ...rest] = fencedCommand(name, tools, given([path], args));
    expect(execFileSync(command, rest, { env: {}, encoding: 'utf8' })).toBe('given');
  });

  it.each(fences)('%s: a case is answered', async (fence) => {
    await using sandbox = createDuckdbSandbox({ database: await makeDatabase(tempDirectory()), fence });
    expect((await sandbox.ask({ sql: 'SELECT count(*) FROM lines' })).rows).toEqual([[3]]);
    expect(await sandbox.fence()).toBe(fence);
  });
});

describe('without a fence', () => {
  it('a case is answered, and it is said that there is none', async () => {
    await using sandbox = createDuckdbSandbox({ database: await makeDatabase(tempDirectory()), fence: 'none' });
    expect((await sandbox.ask({ sql: 'SELECT count(*) FROM lines' })).rows).toEqual([[3]]);
    expect(await sandbox.fence()).toBe('none');
  });

  it('is what is left where there are no tools, or no Linux', () => {
    const none = { isRoot: false, libraries: [], links: {}, files: [] };
    expect(fencesFor('linux', none)).toEqual(['none']);
    expect(fencesFor('darwin', { ...none, unshare: '/usr/bin/unshare', setpriv: '/usr/bin/setpriv' })).toEqual([
      'none',
    ]);
  });

  it('the best that works is taken', async () => {
    await using sandbox = createDuckdbSandbox({ database: await makeDatabase(tempDirectory()) });
    expect(await sandbox.fence()).toBe(fences[0] ?? 'none');
  });
});

describe.skipIf(process.platform !== 'linux')('when the parent is killed', () => {
  beforeAll(ensureBuilt);

  it.each([...fences, 'none'])('nothing goes on asking (%s)', async (fence) => {
    const database = await makeDatabase(tempDirectory());
    const parent = spawn(process.execPath, [join(import.meta.dirname, 'duckdb-parent-main.ts'), database, fence], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    expect(processesWith(database).length).toBeGreaterThan(1);
    // Only a child in the middle of its question is one that may go on.
    const before = ticksOf(processesWith(database));
    await vi.waitFor(() => expect(ticksOf(processesWith(database))).toBeGreaterThan(before + 20), { timeout: 30_000 });
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(processesWith(database)).toEqual([]), { timeout: 20_000 });
  });
});

/** CPU time of all of them, in hundredths of a second (proc_pid_stat(5)). */
function ticksOf(pids: readonly string[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return sum + Number(fields[11]) + Number(fields[12]);
    } catch {
      return sum;
    }
  }, 0);
}

/** Processes that have this in their command line. */
function processesWith(text: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^[0-9]+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}
