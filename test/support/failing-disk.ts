import type * as fs from 'node:fs';
import type * as promises from 'node:fs/promises';

/**
 * A disk that fails: every call that changes it, or makes a change durable, counts, and one or more of them throw EIO.
 * For tests that mock `node:fs` and `node:fs/promises` with {@link failingFs} and {@link failingPromises}; all calls
 * that don't fail are the real ones.
 */
export const disk = {
  /** Which changing call fails, from 1; none while it is 0. */
  failAt: 0,
  /** Whether all later ones fail too, as when the machine goes down. */
  forGood: true,
  /** Changing calls since it was set to fail. */
  calls: 0,
};

const CHANGING = [
  'renameSync',
  'fsyncSync',
  'writeSync',
  'rmSync',
  'mkdirSync',
  'symlinkSync',
  'chmodSync',
  'fchmodSync',
];
const HANDLE_CHANGING = ['write', 'datasync', 'truncate', 'sync'];

/** Counts; throws where it is to fail. */
function step(name: string): void {
  if (disk.failAt === 0) return;
  disk.calls += 1;
  const fails = disk.forGood ? disk.calls >= disk.failAt : disk.calls === disk.failAt;
  if (fails) throw Object.assign(new Error(`EIO: the test's disk failed in ${name}`), { code: 'EIO', syscall: name });
}

/** Makes the disk fail at that call, while `work` runs. @returns whether it came to that call */
export async function failingAt(call: number, forGood: boolean, work: () => Promise<unknown>): Promise<boolean> {
  Object.assign(disk, { failAt: call, forGood, calls: 0 });
  try {
    await work();
  } finally {
    disk.failAt = 0;
  }
  return disk.calls >= call;
}

type Call = (...args: never[]) => unknown;

function failing<T extends object>(real: T, names: readonly string[]): T {
  const wrapped = names.map((name) => {
    const call = real[name as keyof T] as Call;
    const counted = (...args: never[]) => {
      step(name);
      return call(...args);
    };
    return [name, counted] as const;
  });
  return { ...real, ...Object.fromEntries(wrapped) };
}

export function failingFs(real: typeof fs): typeof fs {
  return failing(real, CHANGING);
}

export function failingPromises(real: typeof promises): typeof promises {
  const open = async (...args: Parameters<typeof promises.open>) => {
    const handle = await real.open(...args);
    return new Proxy(handle, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        const call = value.bind(target) as Call;
        if (!HANDLE_CHANGING.includes(String(name))) return call;
        return async (...given: never[]) => {
          step(String(name));
          return await call(...given);
        };
      },
    });
  };
  return { ...real, open };
}
