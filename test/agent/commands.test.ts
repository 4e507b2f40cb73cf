import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { AlertRecord } from '../../src/agent/alerts/record.ts';
import type { AgentStatus } from '../../src/agent/status.ts';
import { validateSchema } from '../../src/core/schema.ts';
import { ensureBuilt, environment, expectError, inside, jsonOf, LAUNCHER, readSchema, start } from '../support/cli.ts';
import { PseudoTerminal } from '../tui/pseudo-terminal.ts';
import { dataWith, expectIntact, filesHolding, linesOf, SERVER, startLineage, WEB_SHELL } from './stage.ts';

beforeAll(ensureBuilt);

/** The agent in a terminal of its own, as a person starts it. */
function inTerminal(data: string): PseudoTerminal {
  const args = ['agent', 'run', '--data', data, '--interval', '50'];
  const terminal = new PseudoTerminal(LAUNCHER, args, { columns: 200, rows: 40, env: environment() });
  onTestFinished(() => terminal.kill());
  return terminal;
}

/** Processes of a session that are not merely remembered (proc_pid_stat(5), state and session). */
function processesOf(session: number): number[] {
  return readdirSync('/proc')
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const [state, , , of] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return state !== 'Z' && Number(of) === session;
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** It ended as asked: nothing runs any more, nothing is broken, nothing was said that is no sentence. */
async function expectOver(terminal: PseudoTerminal, data: string): Promise<void> {
  expect(await terminal.ended()).toEqual({ code: 0, signal: 0 });
  while (processesOf(terminal.pid).length > 0) await sleep(10);
  expect(terminal.raw).not.toMatch(/\n\s+at |Error:|UNEXPECTED/);
  expect((await linesOf(data, 'agent')).at(-1)?.type).toBe('collector.stop');
  await expectIntact(data);
  expectError(await inside(['agent', 'status', '--data', data]), 'AGENT_NOT_RUNNING', 1);
}

describe.runIf(process.platform === 'linux')('the commands of the agent', () => {
  it('say so when there is none', async () => {
    const data = await dataWith(WEB_SHELL);
    for (const words of [
      ['agent', 'status'],
      ['agent', 'stop'],
      ['alerts', 'list'],
      ['query', 'SELECT 1'],
    ]) {
      expectError(await inside([...words, '--data', data]), 'AGENT_NOT_RUNNING', 1);
    }
    expect((await inside(['agent', 'run', '--data', `${data}/nothing`])).stderr).toContain('[NOT_INITIALISED]');
  });

  it('run it in a terminal, show what it found, ask it, and Ctrl-C ends it', async () => {
    const data = await dataWith(WEB_SHELL);
    const at = ['--data', data];
    const terminal = inTerminal(data);
    const first = await inside(['agent', 'status', ...at, '--wait', '--json']);
    expect(first.code).toBe(0);
    const { limitations } = jsonOf<AgentStatus>(first, 'agent-status');
    await terminal.shows('ready: 1 rule live');
    for (const limitation of limitations) expect(terminal.raw.replace(/\s+/g, ' ')).toContain(`limit: ${limitation}`);
    expect((await inside(['agent', 'status', ...at])).stdout).toMatch(/^agent +ready, pid \d+/);

    const following = start(
      ['alerts', 'list', ...at, '--follow', '--json'],
      {},
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    onTestFinished(() => void following.kill('SIGKILL'));
    let followed = '';
    following.stdout?.on('data', (bytes: Buffer) => {
      followed += bytes;
    });
    startLineage(SERVER, 'planted-secret');
    await terminal.shows(/high +de-linux-0001 {2}Web server spawns a shell · sh \(pid \d+\) · \d+ ms after it started/);
    const listed = await inside(['alerts', 'list', ...at, '--json']);
    const { alerts } = jsonOf<{ alerts: AlertRecord[] }>(listed, 'alerts-list');
    const [alert] = alerts;
    expect((await inside(['alerts', 'list', ...at])).stdout).toContain('de-linux-0001');
    const id = alert?.alert_id ?? '';
    const document = jsonOf(await inside(['alerts', 'show', ...at, '--json', id]), 'alerts-show');
    expect(JSON.stringify(document)).toContain(id);
    const shown = await inside(['alerts', 'show', ...at, id]);
    expect(shown.stdout).toContain('evaluated  fully');
    expectError(await inside(['alerts', 'show', ...at, 'none']), 'NO_SUCH_ALERT', 1);

    const sql = `SELECT process_name, process_command_line FROM processes WHERE process_pid = ${alert?.process_pid}`;
    jsonOf(await inside(['query', ...at, '--json', sql]), 'query');
    const asked = await inside(['query', ...at, sql]);
    expect(asked.stdout).toMatch(/^process_name +process_command_line\nsh +sh -c /);
    expectError(await inside(['query', ...at, 'SELECT 1; SELECT 2']), 'SQL_REFUSED', 1);
    expect(processesOf(terminal.pid).length).toBeGreaterThan(2);

    // Whoever follows sees each alert from then on: a lineage until there is one.
    while (!followed.includes('\n')) {
      startLineage(SERVER, 'planted-secret');
      await sleep(200);
    }
    const [line = ''] = followed.split('\n');
    expect(validateSchema(readSchema('agent-run'), JSON.parse(line))).toMatchObject({ rule_id: 'de-linux-0001' });

    terminal.press('\x03');
    await expectOver(terminal, data);
    const printed = [terminal.raw, followed, listed.stdout, shown.stdout, asked.stdout].join('');
    expect(printed).not.toContain('planted-secret');
    expect(filesHolding(data, 'planted-secret')).toEqual([]);
  });

  it('end it while it starts, and start it again', async () => {
    const data = await dataWith(WEB_SHELL);
    const terminal = inTerminal(data);
    while (!existsSync(join(data, 'agent.sock'))) await sleep(5);
    terminal.press('\x03');
    await expectOver(terminal, data);

    const child = start(
      ['agent', 'run', '--data', data, '--json', '--interval', '50'],
      {},
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.on('data', (bytes: Buffer) => (texts[name] += bytes));
    jsonOf(await inside(['agent', 'status', '--data', data, '--wait', '--json']), 'agent-status');
    startLineage(SERVER, 'x');
    while (!texts.stdout.includes('\n')) await sleep(10);
    const printed = validateSchema(readSchema('agent-run'), JSON.parse(texts.stdout.split('\n')[0] ?? ''));
    expect(printed).toMatchObject({ rule_id: 'de-linux-0001' });
    jsonOf(await inside(['agent', 'stop', '--data', data, '--json']), 'agent-stop');
    expect(await ended).toBe(0);
    // In good order the first time, too.
    const gaps = (await linesOf(data, 'agent')).filter(
      ({ type, data: { cause } }) => type === 'collector.gap' && cause === 'stopped',
    );
    expect(gaps).toEqual([]);
  });
});
