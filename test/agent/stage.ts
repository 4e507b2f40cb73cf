import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, onTestFinished } from 'vitest';
import type { AlertRecord } from '../../src/agent/alerts/record.ts';
import { askAgent } from '../../src/agent/control/client-io.ts';
import type { AgentStatus } from '../../src/agent/status.ts';
import type { EventType } from '../../src/core/event-data.ts';
import { applyBundle } from '../../src/install/apply-io.ts';
import { loadLogPublicKey } from '../../src/install/host-keys-io.ts';
import { dataLayout } from '../../src/install/layout.ts';
import { type Line, parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { ensureBuilt } from '../support/cli.ts';
import { anyContent, makeBundle, makeEnclave, open, type TestBundle } from '../support/enclave.ts';
import { tempDirectory } from '../support/temp.ts';

const RULES = join(import.meta.dirname, '../../rules/linux');
const MAIN = join(import.meta.dirname, 'agent-process.ts');
const SHELL = '/bin/sh';

/** The web server of this test file: others, which run at the same time, have their own. */
export const SERVER = `web${process.pid.toString(36)}`;
/** The rule as it ships, for that server. */
export const WEB_SHELL = {
  'web.yaml': readFileSync(join(RULES, 'web-server-spawns-shell.yaml'), 'utf8').replaceAll('nginx', SERVER),
};

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
export async function dataWith(files: NonNullable<TestBundle['files']>, parent?: string): Promise<string> {
  const data = await makeEnclave(parent);
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
  /** The first alert of a rule about a process of that name or pid, raised or yet to come. */
  readonly alert: (ruleId: string, process?: string | number) => Promise<AlertRecord>;
  readonly until: <T>(look: () => T | undefined | Promise<T | undefined>) => Promise<T>;
  /** SIGTERM; resolves when it has ended. */
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
};

type StartOptions = {
  /** Whether to wait until it says that it is ready; default true. */
  readonly ready?: boolean;
  /** Milliseconds between two looks; default 50. */
  readonly interval?: string;
};

/** Starts the compiled agent as a process of its own, for this test. */
export async function startAgent(data: string, options: StartOptions = {}): Promise<RunningAgent> {
  const agent = await launchAgent(data, options);
  onTestFinished(() => agent.stop());
  return agent;
}

/** One agent for all tests of a file or `describe` that don't disturb each other: started when first asked for. */
export function sharedAgent(prepare: (parent: string) => Promise<string>) {
  let running: Promise<{ readonly data: string; readonly agent: RunningAgent }> | undefined;
  let parent: string | undefined;
  const begin = async () => {
    parent = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
    const data = await prepare(parent);
    return { data, agent: await launchAgent(data) };
  };
  afterAll(async () => {
    const started = await running?.catch(() => undefined);
    await started?.agent.stop();
    if (parent !== undefined) rmSync(parent, { recursive: true, force: true });
  });
  return () => {
    running ??= begin();
    return running;
  };
}

async function launchAgent(data: string, { ready = true, interval = '50' }: StartOptions = {}): Promise<RunningAgent> {
  await ensureBuilt();
  const child = spawn(process.execPath, [MAIN, data, interval], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
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
  const end = (signal: NodeJS.Signals) => async () => {
    child.kill(signal);
    await ended;
  };
  if (ready) await until(() => said.find(({ ready: isReady }) => isReady));
  return {
    child,
    said,
    until,
    status: async () => (await askAgent(data, 'status')) as AgentStatus,
    alert: (ruleId, name) => {
      const isIt = ({ alert }: Said) =>
        alert?.rule_id === ruleId && (name === undefined || [alert.process_name, alert.process_pid].includes(name));
      return until(() => said.find(isIt)?.alert);
    },
    stop: end('SIGTERM'),
    kill: end('SIGKILL'),
  };
}

/** A real lineage: a copy of the shell named like a web server, which starts `sh`, which lives until the test ends. */
export function startLineage(name: string, secret: string): Lineage {
  const program = join(tempDirectory(), name);
  copyFileSync(SHELL, program);
  const inner = `sh -c 'while :; do sleep 1; done' sh --password=${secret} ${secret}`;
  const { pid } = startGroup(program, ['-c', `${inner}; true`]);
  return { pid, shell: () => shellOf(pid) };
}

export type Lineage = {
  readonly pid: number;
  /** Its shell's pid, when there is one. */
  readonly shell: () => Promise<number>;
};

async function shellOf(pid: number): Promise<number> {
  for (;;) {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').map(Number);
    if (child !== undefined && child > 0 && readFileSync(`/proc/${child}/comm`, 'latin1') === 'sh\n') return child;
    await sleep(5);
  }
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

/** The process that another has started and whose command line holds that. @throws Error if there isn't one */
export function childOf(pid: number | undefined, text: string): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').map(Number);
  const found = children.find((child) => {
    try {
      return child > 0 && readFileSync(`/proc/${child}/cmdline`, 'latin1').includes(text);
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`${pid} has started nothing with ${text} in its command line`);
  return found;
}

export async function ended(...pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await sleep(10);
}

/** Both logs verify. */
export async function expectIntact(data: string): Promise<void> {
  for (const log of ['agent', 'procmond']) {
    const key = loadLogPublicKey(dataLayout(data), log);
    expect((await verifyLedger(join(data, 'logs', log), { key, anchors: [] })).verdict).toBe('trusted');
  }
}
