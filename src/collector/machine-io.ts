import { existsSync, readFileSync } from 'node:fs';
import { arch, platform, release } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { parseLine } from '../ledger/line.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { systemBoot, systemClock } from '../ledger/surroundings-io.ts';
import type { Surroundings } from './options.ts';
import { TICKS_PER_SECOND } from './procfs/process-io.ts';
import { parseStatLine } from './procfs/stat-line.ts';

/** This machine and this process. */
export function machineSurroundings(): Surroundings {
  const isLinux = platform() === 'linux';
  return {
    boot: systemBoot(),
    clock: systemClock,
    pid: process.pid,
    start: ownStart(),
    system: {
      host_os_type: platform(),
      host_os_kernel: release(),
      host_architecture: arch(),
      ...(isLinux ? { clock_ticks_per_second: TICKS_PER_SECOND } : {}),
    },
    usage: () => {
      const { user, system } = process.cpuUsage();
      return { residentBytes: process.memoryUsage.rss(), cpuMicroseconds: user + system };
    },
    sleep,
  };
}

/** Resolves after that time, or when aborted. */
async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch {
    // Aborted: the caller looks at its signal.
  }
}

function ownStart(): string | undefined {
  if (!existsSync('/proc/self/stat')) return undefined;
  return parseStatLine(new Uint8Array(readFileSync('/proc/self/stat')))?.start;
}

/**
 * When the last line that a log's head covers was written, Unix milliseconds; undefined for an empty log.
 * @throws as `openLedgerReader`
 */
export async function lastMoment(directory: string): Promise<number | undefined> {
  using reader = await openLedgerReader(directory);
  return reader.size === 0 ? undefined : parseLine(await reader.line(reader.size - 1)).ts;
}
