import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entity } from '../../core/event-data.ts';
import { CollectorError } from '../errors.ts';
import type { Capabilities, Followed, Source, SourceContext, SourceHealth } from '../source.ts';
import { HashCache } from './executable-hashes-io.ts';
import { readProcText } from './read-io.ts';
import { Scanner } from './scanner-io.ts';
import { SocketScanner } from './sockets-io.ts';
import { parseCapabilities } from './status-file.ts';

export type ProcfsOptions = {
  /** Milliseconds between two looks at all processes. */
  readonly intervalMs: number;
  /** Milliseconds between two looks at all sockets; 0: never. */
  readonly socketsMs: number;
  readonly environment: boolean;
};

/** Between two looks at the processes of a trace. */
const FOLLOW_MS = 15;
/** Every how many of those, their sockets too. */
const FOLLOW_SOCKETS = 3;
/** A look that costs much is followed by so many times its cost of rest: watching stays cheap on a large machine. */
const REST_FACTOR = 20;
const MAX_REST_MS = 1000;
/** capabilities(7). */
const CAP_DAC_READ_SEARCH = 1n << 2n;
const CAP_SYS_PTRACE = 1n << 19n;

/** Linux processes and TCP sockets by polling /proc: needs no privilege, and misses what lives between two looks. */
export class ProcfsSource implements Source {
  readonly name = 'procfs';
  readonly #options: ProcfsOptions;
  #scanner: Scanner | undefined;
  #sockets: SocketScanner | undefined;
  #rounds = 0;
  #longest = 0;

  constructor(options: ProcfsOptions) {
    this.#options = options;
  }

  capabilities(): Capabilities {
    const { environment, socketsMs } = this.#options;
    const sees = ['process', 'arguments', 'hash', 'trace'];
    if (environment) sees.push('environment');
    if (socketsMs > 0) sees.push('network');
    return { sees, limitations: this.#limitations() };
  }

  #limitations(): string[] {
    const { intervalMs, socketsMs } = this.#options;
    const limitations = [`a process that lives less than ${intervalMs} ms may not be seen`];
    if (socketsMs > 0) limitations.push(`a connection that lasts less than ${socketsMs} ms may not be seen`);
    const held = parseCapabilities(readProcText('/proc/self/status')) ?? 0n;
    if ((held & CAP_SYS_PTRACE) === 0n) {
      limitations.push(
        "without CAP_SYS_PTRACE, programs, environment and sockets of other users' processes are not seen, nor that one became another program of the same name",
      );
    }
    if ((held & CAP_DAC_READ_SEARCH) === 0n) {
      limitations.push('without CAP_DAC_READ_SEARCH, programs that only others may read are not hashed');
    }
    if (!existsSync('/proc/1/stat')) limitations.push('/proc hides the processes of other users (hidepid)');
    if (!existsSync(`/proc/self/task/${process.pid}/children`)) {
      limitations.push('this kernel does not list children, so a trace sees only what the usual look sees');
    }
    return limitations;
  }

  /** @throws CollectorError PROCFS_UNAVAILABLE */
  async start({ host, boot, emit }: SourceContext, signal: AbortSignal): Promise<void> {
    const { environment, intervalMs, socketsMs } = this.#options;
    const hashes = await HashCache.create((version) => this.#scanner?.hashed(version));
    try {
      const bootTime = bootTimeNow();
      const scanner = new Scanner({ host, boot, hashes, environment, bootTime, emit });
      const sockets = new SocketScanner(scanner.table, emit);
      [this.#scanner, this.#sockets] = [scanner, sockets];
      await this.#firstLook(scanner, signal);
      if (signal.aborted) return;
      const looks = [repeatedly(() => this.#timed(() => scanner.scanLightly()), intervalMs, signal)];
      if (socketsMs > 0) looks.push(repeatedly(() => this.#timed(() => sockets.scan()), socketsMs, signal));
      await Promise.all(looks);
    } finally {
      this.#scanner = undefined;
      hashes.close();
    }
  }

  /** As much time for others as for itself. */
  async #firstLook(scanner: Scanner, signal: AbortSignal): Promise<void> {
    const slices = scanner.scanInSlices();
    for (let isDone = false; !isDone && !signal.aborted; ) {
      const costMs = costOf(() => {
        isDone = slices.next().done === true;
      });
      await sleep(costMs);
    }
    this.#rounds += 1;
  }

  follow(root: Entity, depth: number, signal: AbortSignal): readonly Followed[] {
    const scanner = this.#scanner;
    if (scanner === undefined) return [];
    scanner.scan();
    const living = scanner.descendants(root, depth);
    if (living.length === 0) return [];
    for (const { known } of living) scanner.snapshot(known);
    const holders = living.map(({ known }) => known);
    this.#sockets?.retell(holders);
    this.#sockets?.scan(holders);
    let look = 0;
    const again = () => {
      const now = scanner.descendants(root, depth).map(({ known }) => known);
      this.#timed(() => scanner.scanDescent(now));
      look += 1;
      if (look % FOLLOW_SOCKETS === 0 && this.#options.socketsMs > 0) this.#sockets?.scan(now);
    };
    void repeatedly(again, FOLLOW_MS, signal);
    return living.map(({ entity, depth: distance }) => ({ entity, depth: distance }));
  }

  health(): SourceHealth {
    return {
      state: this.#scanner === undefined ? 'standby' : 'active',
      rounds: this.#rounds,
      longestMicroseconds: this.#longest,
      denied: this.#scanner?.denied ?? 0,
    };
  }

  #timed(look: () => void): void {
    const started = performance.now();
    look();
    this.#rounds += 1;
    this.#longest = Math.max(this.#longest, Math.round((performance.now() - started) * 1000));
  }
}

/**
 * Does it now, and again so long after it is done, until aborted: however long it takes, others get their turn. Work
 * that costs much time and again is done less often; a single costly turn, such as the first, changes nothing. What it
 * throws, this rejects with.
 */
function repeatedly(work: () => void, afterMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  let lastCostMs = 0;
  const turn = () => {
    try {
      const costMs = costOf(work);
      const restMs = Math.min(Math.min(costMs, lastCostMs) * REST_FACTOR, MAX_REST_MS);
      timer = setTimeout(turn, Math.max(afterMs, restMs));
      lastCostMs = costMs;
    } catch (error) {
      reject(error);
    }
  };
  const stop = () => {
    clearTimeout(timer);
    resolve();
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  else turn();
  return promise;
}

/** Milliseconds of this thread's own time: on a busy machine the clock tells how much others did. */
function costOf(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/**
 * When the machine started, Unix milliseconds by today's clock; suspended time counts, as in start times of processes.
 * @throws CollectorError PROCFS_UNAVAILABLE
 */
export function bootTimeNow(): number {
  try {
    return Date.now() - Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1000;
  } catch (cause) {
    throw new CollectorError('PROCFS_UNAVAILABLE', '/proc is not mounted; mount it, or use another source', { cause });
  }
}
