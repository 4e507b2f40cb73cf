import { randomBytes, randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { Clock } from './clock.ts';
import type { Surroundings } from './composer.ts';

/** The machine's clocks: wall clock in milliseconds; monotonic, since boot where the system counts from there. */
export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => Number(process.hrtime.bigint() / 1000n),
};

const LINUX_BOOT_ID = '/proc/sys/kernel/random/boot_id';
const BOOT_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let boot: string | undefined;

/**
 * Which run of the machine this is. On Linux the kernel's own random boot id; elsewhere the minute the machine started,
 * as the wall clock has it now: good enough to tell runs apart, and two names for one run at worst.
 */
export function systemBoot(): string {
  boot ??= linuxBootId() ?? `started-${Math.round((Date.now() / 1000 - uptime()) / 60)}`;
  return boot;
}

function linuxBootId(): string | undefined {
  try {
    const id = readFileSync(LINUX_BOOT_ID, 'utf8').trim();
    return BOOT_ID.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

const POOL_BYTES = 16 * 1024;
const pool = new Uint8Array(POOL_BYTES);
let drawn = POOL_BYTES;

/** From the system's random generator, asked for many draws at once: each call to it costs more than a hash. */
export function systemRandom(bytes: number): Uint8Array {
  if (bytes > POOL_BYTES - drawn) {
    if (bytes > POOL_BYTES) return new Uint8Array(randomBytes(bytes));
    randomFillSync(pool);
    drawn = 0;
  }
  drawn += bytes;
  return pool.slice(drawn - bytes, drawn);
}

/** What a writer needs in production. */
export function systemSurroundings(): Surroundings {
  return { clock: systemClock, boot: systemBoot(), random: systemRandom };
}
