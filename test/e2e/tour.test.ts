import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, hasTool, ROOT } from '../support/cli.ts';
import { SLOW } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';

const TOUR = join(ROOT, 'scripts/tour/main.ts');
const NOBODY = '65534';

/** As root we can become somebody else; otherwise the tour runs as an ordinary user already. */
const ordinary = process.geteuid?.() === 0 && hasTool('setpriv') && canReadProject() ? asNobody : undefined;
if (process.geteuid?.() === 0 && ordinary === undefined)
  process.stderr.write('skipped: the tour as an ordinary user needs setpriv and a project that others may read\n');

function asNobody(command: string, args: readonly string[]): [string, string[]] {
  const change = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs', '--inh-caps=-all'];
  return ['setpriv', [...change, command, ...args]];
}

function canReadProject(): boolean {
  try {
    const [command, args] = asNobody('cat', [TOUR]);
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

type Touring = { readonly child: ChildProcess; readonly output: () => string; readonly ended: Promise<number | null> };

/** In a group of its own, as on a terminal, where Ctrl-C reaches all of it. */
function startTour(temp: string, as?: typeof asNobody): Touring {
  const [command, args] = as?.(process.execPath, [TOUR]) ?? [process.execPath, [TOUR]];
  const env = { PATH: process.env['PATH'], HOME: temp, TMPDIR: temp, LC_ALL: 'C.UTF-8' };
  const child = spawn(command, args, { cwd: temp, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, output: () => output, ended };
}

/** Resolves when the tour has printed this, or has ended. */
async function printed({ child, output, ended }: Touring, text: string): Promise<void> {
  const seen = new Promise<void>((resolve) => {
    const look = () => {
      if (!output().includes(text)) return;
      child.stdout?.off('data', look);
      resolve();
    };
    child.stdout?.on('data', look);
    look();
  });
  await Promise.race([seen, ended]);
  expect(output()).toContain(text);
}

function openTemp(): string {
  const temp = mkdtempSync(join(tempDirectory(), 'tour-'));
  chmodSync(join(temp, '..'), 0o755);
  chmodSync(temp, 0o1777);
  return temp;
}

/** Processes that know of the folder, by their arguments or environment. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => ['cmdline', 'environ'].some((name) => read(`/proc/${pid}/${name}`).includes(folder)))
    .map((pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended, or is not ours.
    return '';
  }
}

beforeAll(ensureBuilt);

describe.skipIf(process.platform !== 'linux')('the tour', () => {
  it('closes the loop as an ordinary user, and leaves neither a process nor a file', async () => {
    const temp = openTemp();
    const tour = startTour(temp, ordinary);
    const code = await tour.ended;
    expect(tour.output()).toMatch(/That was the loop, in [0-9.]+ s/);
    expect(code).toBe(0);
    expect(tour.output()).toContain('[LINE_CHANGED]');
    expect(processesOf(temp)).toEqual([]);
    expect(readdirSync(temp).filter((name) => name.startsWith('daemoneye'))).toEqual([]);
  }, 300_000);

  const moments = [
    ['while a command of the first part runs', '$ daemoneye bundle build'],
    ['while the lineage is traced', 'nginx (pid'],
  ] as const;
  const more = [
    ['while the agent starts', '$ daemoneye agent status'],
    ['while evidence is exported', '$ daemoneye evidence export'],
    ['while the case is asked', '$ daemoneye case query'],
  ] as const;

  it.each(SLOW ? [...moments, ...more] : moments)(
    'interrupted %s leaves neither a process nor a file',
    async (_, moment) => {
      const temp = openTemp();
      const tour = startTour(temp);
      await printed(tour, moment);
      process.kill(-(tour.child.pid ?? 0), 'SIGINT');
      expect(await tour.ended).toBe(130);
      expect(tour.output()).toContain('The tour was interrupted');
      expect(processesOf(temp)).toEqual([]);
      expect(readdirSync(temp).filter((name) => name.startsWith('daemoneye'))).toEqual([]);
    },
    300_000,
  );
});
