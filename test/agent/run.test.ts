import { execFileSync, spawn } from 'node:child_process';
import { chownSync, closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { AlertRecord } from '../../src/agent/alerts/record.ts';
import { askAgent } from '../../src/agent/control/client-io.ts';
import type { QueryResult } from '../../src/agent/requests.ts';
import { errnoOf } from '../../src/durable/errors.ts';
import { ensureBuilt, environment, hasTool, LAUNCHER } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { dataWith, expectIntact, linesOf, SERVER, startLineage, WEB_SHELL } from './stage.ts';

beforeAll(ensureBuilt);

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const canChange = isRoot && hasTool('setpriv') && works(...as(NOBODY, LAUNCHER, ['--version']));
if (!canChange)
  process.stderr.write('skipped: the agent as another user needs root, setpriv, and a program others may run\n');
const canMount = isRoot && process.platform === 'linux' && triesToMount();
if (!canMount) process.stderr.write('skipped: the agent on a full disk needs root that may mount\n');

function as(uid: number, command: string, args: readonly string[]): [string, string[]] {
  const change = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs', '--inh-caps=-all'];
  return ['setpriv', [...change, command, ...args]];
}

function works(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', env: environment() });
    return true;
  } catch {
    return false;
  }
}

function mount(directory: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0700', 'tmpfs', directory], { stdio: 'ignore' });
}

function triesToMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  try {
    mount(directory);
    execFileSync('umount', [directory]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Until there is no room at all. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (const bytes of [1024 * 1024, 4096, 1]) fillBy(file, new Uint8Array(bytes));
  } finally {
    closeSync(file);
  }
}

function fillBy(file: number, bytes: Uint8Array): void {
  try {
    for (;;) if (writeSync(file, bytes) < bytes.length) return;
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  }
}

/** `agent run --json`, and what it says. */
function run(command: string, args: readonly string[]) {
  const child = spawn(command, args, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
  const over = new Promise<number | null>((resolve) => child.once('close', resolve));
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await over;
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const until = async <T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> => {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`the agent ended: ${texts.stderr}`);
      await sleep(20);
    }
  };
  return {
    said: (wanted: string) => until(() => (texts.stderr.includes(wanted) ? true : undefined)),
    alertOn: (pid: number) =>
      until(() => {
        const lines = texts.stdout.split('\n').filter((line) => line.endsWith('}'));
        return lines.map((line) => JSON.parse(line) as AlertRecord).find(({ process_pid: of }) => of === pid);
      }),
    texts,
    until,
    stop: () => {
      child.kill('SIGTERM');
      return over;
    },
  };
}

describe.skipIf(!canChange)('the agent as a user without privilege', () => {
  it('works, and says what it can not see', async () => {
    const data = await dataWith(WEB_SHELL);
    for (const path of [dirname(data), data]) chownSync(path, NOBODY, NOBODY);
    for (const name of readdirSync(data, { recursive: true })) chownSync(join(data, String(name)), NOBODY, NOBODY);
    const agent = run(...as(NOBODY, LAUNCHER, ['agent', 'run', '--json', '--interval', '50', '--data', data]));
    await agent.said('ready: 1 rule live');
    expect(agent.texts.stderr).toContain('limit: without CAP_SYS_PTRACE');
    expect(agent.texts.stderr).toContain('limit: without CAP_DAC_READ_SEARCH');
    // Another user's lineage: its names and arguments are for everybody to see, and that is enough.
    const shell = await startLineage(SERVER, 'x').shell();
    const alert = await agent.alertOn(shell);
    expect(alert).toMatchObject({ rule_id: 'de-linux-0001', completeness: 'full' });
    const told = await agent.until(async () => (await linesOf(data, 'procmond'))[alert.evidence?.[0]?.seq ?? -1]);
    expect(told.data['denied']).toContain('process_executable');
    const status = (await askAgent(data, 'status')) as { readonly collector: { readonly denied: number } };
    expect(status.collector.denied).toBeGreaterThan(0);
    expect(await agent.stop()).toBe(0);
    expect(agent.texts.stderr).not.toMatch(/\n\s+at /);
    await expectIntact(data);
  });
});

describe.skipIf(!canMount)('the agent on a full disk', () => {
  it('says so, waits, and goes on where it was when there is room', async () => {
    const disk = tempDirectory();
    mount(disk);
    onTestFinished(() => void execFileSync('umount', ['-l', disk]));
    const data = await dataWith(WEB_SHELL, disk);
    const agent = run(LAUNCHER, ['agent', 'run', '--json', '--interval', '50', '--data', data]);
    await agent.said('ready');
    const before = await agent.alertOn(await startLineage(SERVER, 'x').shell());

    const filler = join(disk, 'filler');
    fill(filler);
    const shells = await Promise.all([1, 2, 3].map(() => startLineage(SERVER, 'y').shell()));
    await agent.said('is full');
    rmSync(filler);
    await agent.said('has room again');
    for (const shell of shells) await agent.alertOn(shell);

    // What the agent knew before it still knows, and every line of procmond's log came to its store.
    const { alerts } = (await askAgent(data, 'alerts.list')) as { readonly alerts: readonly AlertRecord[] };
    expect(alerts.map(({ alert_id: id }) => id)).toContain(before.alert_id);
    const gap = await agent.until(async () =>
      (await linesOf(data, 'agent')).find((line) => String(line.data['reason']).includes('was full')),
    );
    expect(gap).toMatchObject({ type: 'collector.gap', data: { collector_name: 'agent', cause: 'unavailable' } });
    const started = (await linesOf(data, 'procmond')).filter(({ type }) => type === 'process.start');
    const sql = "SELECT entity FROM process_events WHERE event_action = 'start'";
    await agent.until(async () => {
      const { rows } = (await askAgent(data, 'query', { params: { sql } })) as QueryResult;
      const known = new Set(rows.flat());
      return started.every(({ data: { entity } }) => known.has(String(entity))) ? true : undefined;
    });
    expect(agent.texts.stderr).not.toContain('[');

    // Asked to end while it is full, it ends and says what it could not do.
    const full = agent.texts.stderr.length;
    fill(filler);
    await agent.until(() => (agent.texts.stderr.slice(full).includes('is full') ? true : undefined));
    expect(await agent.stop()).toBe(1);
    expect(agent.texts.stderr).toMatch(/\ndaemoneye: [^\n]+ \[NO_SPACE\]\n$/);
    rmSync(filler);
    await expectIntact(data);
  });
});
