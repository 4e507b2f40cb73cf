import { findPackageJSON } from 'node:module';
import { dirname } from 'node:path';
import { duckdbLaunch } from './duckdb-launch.ts';
import { SandboxError } from './errors.ts';
import { type FenceName, fencesFor } from './fence.ts';
import { fenceTools } from './fence-io.ts';
import {
  type BeginChild,
  childMain,
  DEFAULT_LIMITS,
  type Sandbox,
  type SandboxLimits,
  SandboxParent,
} from './parent-io.ts';
import type { DuckdbOpenRequest } from './protocol.ts';

const MIB = 1024 * 1024;

export type DuckdbLimits = SandboxLimits & {
  /** DuckDB's own limit, below `memoryBytes`: the nicer of two ways to be stopped. */
  readonly engineMemoryBytes: number;
};

export const DUCKDB_LIMITS: DuckdbLimits = {
  ...DEFAULT_LIMITS,
  deadlineMs: 10_000,
  memoryBytes: 1024 * MIB,
  engineMemoryBytes: 512 * MIB,
};

export type DuckdbSandboxOptions = {
  /** Absolute path of the database of a case. Readable by others: behind the fence the child is nobody. */
  readonly database: string;
  readonly limits?: Partial<DuckdbLimits>;
  /** Only this fence; default: the best that works here. */
  readonly fence?: FenceName;
};

/** A place to ask untrusted SQL about a case. */
export type DuckdbSandbox = Sandbox & {
  /** The fence that its child is behind; starts one to find out. @throws SandboxError DATABASE, DEADLINE or CHILD_DIED */
  readonly fence: () => Promise<FenceName>;
};

/** Starts nothing yet: the first question does. */
export function createDuckdbSandbox({ database, limits: changes, fence: only }: DuckdbSandboxOptions): DuckdbSandbox {
  const limits = { ...DUCKDB_LIMITS, ...changes };
  const { rows, cells, bytes, engineMemoryBytes } = limits;
  const open: DuckdbOpenRequest = {
    engine: 'duckdb',
    place: 'case',
    database,
    limits: { rows, cells, bytes },
    engineMemoryBytes,
  };
  let fence: FenceName = 'none';
  const parent = new SandboxParent(open, limits, async (begin) => {
    fence = await beginFenced(begin, database, limits.memoryBytes, only);
  });
  const close = () => parent.close();
  return {
    ask: (question, ask) => parent.ask(question, ask ?? {}),
    fence: async () => {
      await parent.ready();
      return fence;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The fence that held when it was last tried: what doesn't work here is tried once. */
let provenFence: FenceName | undefined;

/**
 * Tries the fences, best first. Nobody's SQL has run yet, so a child that dies here dies of its fence.
 * @returns the one that held
 */
async function beginFenced(
  begin: BeginChild,
  database: string,
  memoryBytes: number,
  only: FenceName | undefined,
): Promise<FenceName> {
  const { execPath, platform } = process;
  const tools = fenceTools();
  const chosen = only ?? provenFence;
  const fences = chosen === undefined ? fencesFor(platform, tools) : [chosen];
  const [main, packages] = [childMain('duckdb-child-io'), duckdbPackages()];
  let refusal = new SandboxError('CHILD_DIED', 'there is no way to start the sandbox here');
  for (const fence of fences) {
    try {
      await begin(duckdbLaunch({ execPath, platform, main, packages, database, memoryBytes, fence, tools }));
      if (only === undefined) provenFence = fence;
      return fence;
    } catch (error) {
      if (!(error instanceof SandboxError) || error.code !== 'CHILD_DIED') throw error;
      refusal = error;
    }
  }
  throw refusal;
}

function duckdbPackages(): string {
  const file = findPackageJSON('@duckdb/node-api', import.meta.url);
  if (file === undefined) throw new SandboxError('CHILD_DIED', 'DuckDB is not installed; install the program again');
  return dirname(dirname(file));
}
