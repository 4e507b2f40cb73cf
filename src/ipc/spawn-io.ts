import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { type AgentSide, agentSide } from './channel.ts';
import { IpcError } from './errors.ts';
import { AGENT_DESCRIPTOR } from './format.ts';
import { type ProcmondOptions, procmondArguments, procmondMain } from './procmond-launch.ts';

export type CollectorExit = {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The first line of what it said on standard error, safe to print; empty if nothing. */
  readonly complaint: string;
};

export type CollectorProcess = {
  readonly pid: number;
  readonly channel: AgentSide;
  /** Resolves when it is gone and its streams are closed; never rejects. */
  readonly exited: Promise<CollectorExit>;
  /** SIGTERM asks it to finish; SIGKILL doesn't ask. */
  readonly kill: (signal: 'SIGTERM' | 'SIGKILL') => void;
};

export type SpawnProcmond = ProcmondOptions & {
  /** The Node.js to run it with; default this process's own. */
  readonly execPath?: string;
  /** Another main file, for tests. */
  readonly main?: string;
};

const MAX_COMPLAINT = 4096;

/**
 * Starts procmond behind its fences, joined to us by a socket pair on its descriptor 3. It ends when that closes, so
 * it never outlives the agent, however the agent dies.
 * @throws IpcError LAUNCH_OPTIONS or SPAWN_FAILED
 */
export async function spawnProcmond(options: SpawnProcmond): Promise<CollectorProcess> {
  const { execPath = process.execPath, main = procmondMain(), ...told } = options;
  return await spawnCollector(execPath, procmondArguments(told, main));
}

/**
 * Starts any collector that speaks proto/ipc.proto on descriptor 3. It gets an empty environment: nothing to inherit
 * (NODE_OPTIONS would undo the fences), nothing to leak.
 * @throws IpcError SPAWN_FAILED
 */
export async function spawnCollector(command: string, args: readonly string[]): Promise<CollectorProcess> {
  const child = spawn(command, args, { cwd: '/', env: {}, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(0, MAX_COMPLAINT);
  });
  const { promise: exited, resolve } = Promise.withResolvers<CollectorExit>();
  child.once('close', (code, signal) => resolve({ code, signal, complaint: firstLine(complaint) }));
  await new Promise<void>((started, failed) => {
    child.once('spawn', started);
    child.once('error', (cause) => {
      failed(
        new IpcError('SPAWN_FAILED', `could not start the collector: ${escapeForTerminal(cause.message)}`, { cause }),
      );
    });
  });
  const stream = child.stdio[AGENT_DESCRIPTOR] as Duplex | null | undefined;
  if (child.pid === undefined || stream === null || stream === undefined) {
    throw new IpcError('SPAWN_FAILED', 'could not start the collector: it has no descriptor 3');
  }
  return { pid: child.pid, channel: agentSide(stream), exited, kill: (signal) => void child.kill(signal) };
}

function firstLine(text: string): string {
  return escapeForTerminal(text.split('\n').find((line) => line.trim() !== '') ?? '');
}
