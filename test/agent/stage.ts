import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { AlertRecord } from '../../src/agent/alerts/record.ts';
import { askAgent } from '../../src/agent/control/client-io.ts';
import type { AgentStatus } from '../../src/agent/status.ts';
import type { EventType } from '../../src/core/event-data.ts';
import { applyBundle } from '../../src/install/apply-io.ts';
import { type Line, parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { anyContent, makeBundle, makeEnclave, open, type TestBundle } from '../support/enclave.ts';
import { tempDirectory } from '../support/temp.ts';

const RULES = join(import.meta.dirname, '../../rules/linux');
const MAIN = join(import.meta.dirname, 'agent-process.ts');
const SHELL = '/bin/sh';

export const WEB_SHELL = { 'web.yaml': readFileSync(join(RULES, 'web-server-spawns-shell.yaml'), 'utf8') };

/** A rule of few words, for tests. */
export function rule(id: string, sql: string, more = ''): string {
  return `id: ${id}
name: Test rule ${id}
version: 1
severity: high
status: test
description: For tests.
author: nobody
license: Apache-2.0
attack: [{ tactic: execution, technique: T1059 }]
requires: { tables: [new_processes], capability: [process, arguments] }
mode: incremental
sql: |
${sql.replace(/^/gm, '  ')}
dedup: { key: [process_name], window: 1h }
budget_ms: 100
${more}tests:
  - name: hits
    given: { new_processes: [{ process_name: sample-hit, process_command_line: sample-hit marker-1 }] }
    expect: [{ process_name: sample-hit }]
  - name: is silent
    given: { new_processes: [{ process_name: other, process_command_line: other }] }
    expect: []
`;
}

/** A data directory in which a bundle with these rules was applied. */
export async function dataWith(files: NonNullable<TestBundle['files']>): Promise<string> {
  const data = await makeEnclave();
  await apply(data, { files });
  return data;
}

export async function apply(data: string, bundle: TestBundle): Promise<void> {
  const { path } = await makeBundle(tempDirectory(), bundle);
  await using install = await open(data);
  const options = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true };
  const { status } = await applyBundle(install, path, 'test', options);
  if (status !== 'applied') throw new Error(`the bundle was not applied but ${status}`);
}

type Said = {
  readonly ready?: true;
  readonly alert?: AlertRecord;
  readonly note?: string;
  readonly ended?: true;
  readonly failed?: string;
};

export type RunningAgent = {
  readonly child: ChildProcess;
  readonly said: readonly Said[];
  readonly status: () => Promise<AgentStatus>;
  /** The first alert of a rule about such a process, raised or yet to come. */
  readonly alert: (ruleId: string, processName?: string) => Promise<AlertRecord>;
  readonly until: <T>(look: () => T | undefined | Promise<T | undefined>) => Promise<T>;
  /** SIGTERM; resolves when it has ended. */
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
};

/** Starts the agent as a process of its own; resolves when it says that it is ready. */
export async function startAgent(
  data: string,
  options: { readonly ready?: boolean; readonly interval?: string } = {},
): Promise<RunningAgent> {
  const child = spawn(process.execPath, [MAIN, data, ...(options.interval === undefined ? [] : [options.interval])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const said: Said[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line) as Said));
  const until = async <T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> => {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`the agent ended: ${JSON.stringify(said.at(-1))}`);
      await sleep(20);
    }
  };
  if (options.ready !== false) await until(() => said.find(({ ready }) => ready));
  return {
    child,
    said,
    until,
    status: async () => (await askAgent(data, 'status')) as AgentStatus,
    alert: (ruleId, name) =>
      until(
        () =>
          said.find(({ alert }) => alert?.rule_id === ruleId && (name === undefined || alert.process_name === name))
            ?.alert,
      ),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** A real lineage: a copy of the shell named like a web server, which starts `sh`, which lives until the test ends. */
export function startLineage(name: string, secret: string): { readonly pid: number } {
  const program = join(tempDirectory(), name);
  copyFileSync(SHELL, program);
  const inner = `sh -c 'while :; do sleep 1; done' sh --password=${secret} ${secret}`;
  return startGroup(program, ['-c', `${inner}; true`]);
}

/** A process of that name, which lives until the test ends. */
export function startNamed(name: string, args: readonly string[] = []): { readonly pid: number } {
  const program = join(tempDirectory(), name);
  copyFileSync(SHELL, program);
  return startGroup(program, ['-c', 'while :; do sleep 1; done', name, ...args]);
}

function startGroup(program: string, args: readonly string[]): { readonly pid: number } {
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} could not be started`);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGKILL');
    await ended;
  });
  return { pid };
}

export async function linesOf(data: string, log: string): Promise<Line[]> {
  using reader = await openLedgerReader(join(data, 'logs', log));
  const lines: Line[] = [];
  for await (const line of reader.lines()) lines.push(parseLine(line));
  return lines;
}

export async function linesOfType(data: string, log: string, type: EventType): Promise<Line[]> {
  return (await linesOf(data, log)).filter((line) => line.type === type);
}

/** The plain files below a directory in which these bytes stand. */
export function filesHolding(directory: string, text: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => lstatSync(path).isFile() && readFileSync(path).includes(text));
}

export function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  // A zombie has ended.
  return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}
