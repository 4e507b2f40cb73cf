import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../core/errors.ts';
import { IpcError } from '../../ipc/errors.ts';
import type { Health, Hello } from '../../ipc/gen/ipc_pb.ts';
import type { CollectorProcess } from '../../ipc/spawn-io.ts';
import { AgentError } from '../errors.ts';
import { FIRST_BACKOFF_MS, GOOD_RUN_MS, LAST_BACKOFF_MS, STOP_MS } from '../format.ts';
import { CollectorSession, type SessionHandlers } from './session-io.ts';

/** starting: not yet said hello. watching. waiting: it ended, and is started again after a pause. stopped: so are we. */
export type CollectorState = 'starting' | 'watching' | 'waiting' | 'stopped';

export type SupervisorOptions = {
  /** @throws IpcError */
  readonly spawn: () => Promise<CollectorProcess>;
  /** Checks who it is and takes in what it wrote while nobody listened. @throws AgentError COLLECTOR to refuse it */
  readonly admit: (hello: Hello) => Promise<void>;
  readonly handlers: SessionHandlers;
  /** It was told to start. */
  readonly watching: (session: CollectorSession, hello: Hello) => void;
  /** It is about to be told to stop. */
  readonly parting: (session: CollectorSession) => Promise<void>;
  /** It ended, and nobody asked it to. */
  readonly ended: (reason: string) => Promise<void>;
};

/** Keeps one collector running: starts it, listens, and when it dies starts it again, less and less eagerly. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  state: CollectorState = 'starting';
  starts = 0;
  pid: number | undefined;
  hello: Hello | undefined;
  /** Of the last round. */
  health: Health | undefined;
  lastTrouble: string | undefined;
  #session: CollectorSession | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The connection, while it watches. */
  get session(): CollectorSession | undefined {
    return this.state === 'watching' ? this.#session : undefined;
  }

  /** What it announced, while it watches. */
  get capabilities(): readonly string[] {
    return this.state === 'watching' ? (this.hello?.capabilities ?? []) : [];
  }

  /**
   * Until `signal` is aborted; then the collector ends in good order.
   * @throws what a handler throws that isn't the collector's fault
   */
  async run(signal: AbortSignal): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    while (!signal.aborted) {
      const began = performance.now();
      const trouble = await this.#once(signal);
      if (signal.aborted) break;
      this.state = 'waiting';
      this.lastTrouble = trouble;
      await this.#options.ended(trouble);
      if (performance.now() - began > GOOD_RUN_MS) backoff = FIRST_BACKOFF_MS;
      await sleep(backoff, undefined, { signal }).catch(() => undefined);
      backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
    }
    this.state = 'stopped';
  }

  /** One life of the collector. @returns why it ended */
  async #once(signal: AbortSignal): Promise<string> {
    this.state = 'starting';
    this.starts += 1;
    let child: CollectorProcess;
    try {
      child = await this.#options.spawn();
    } catch (error) {
      if (error instanceof IpcError) return messageOf(error);
      throw error;
    }
    this.pid = child.pid;
    const session = new CollectorSession(child.channel);
    const stop = () => void this.#stop(session, child);
    signal.addEventListener('abort', stop, { once: true });
    let trouble = '';
    try {
      await this.#listen(session, signal);
    } catch (error) {
      trouble = blameCollector(error);
    } finally {
      signal.removeEventListener('abort', stop);
      this.#session = undefined;
      child.channel.destroy();
      // It ends by itself when its stream closes; one that hangs is not waited for.
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const { code, signal: by, complaint } = await child.exited;
      clearTimeout(timer);
      this.pid = undefined;
      const how = by === null ? `with status ${code}` : `by ${by}`;
      const more = [trouble, complaint].filter((text) => text !== '').join('; ');
      trouble = `it ended ${how}${more === '' ? '' : `: ${more}`}`;
    }
    return trouble.slice(0, 900);
  }

  async #listen(session: CollectorSession, signal: AbortSignal): Promise<void> {
    const hello = await session.hello();
    await this.#options.admit(hello);
    if (signal.aborted) return;
    this.hello = hello;
    this.#session = session;
    await session.start(hello.capabilities);
    this.state = 'watching';
    this.#options.watching(session, hello);
    await session.run(this.#options.handlers);
  }

  async #stop(session: CollectorSession, child: CollectorProcess): Promise<void> {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    void child.exited.then(() => clearTimeout(timer));
    try {
      if (this.state === 'watching') await this.#options.parting(session);
      await session.stop('the agent ends');
    } catch {
      child.kill('SIGTERM');
    }
  }
}

/** @throws whatever is not the collector's fault */
function blameCollector(error: unknown): string {
  if (error instanceof IpcError || (error instanceof AgentError && error.code === 'COLLECTOR')) return error.message;
  throw error;
}
