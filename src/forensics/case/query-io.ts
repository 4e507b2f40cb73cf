import { join } from 'node:path';
import { createDuckdbSandbox, type DuckdbLimits } from '../../sandbox/duckdb-sandbox-io.ts';
import type { FenceName } from '../../sandbox/fence.ts';
import { FENCE_WORDS } from '../../sandbox/fence.ts';
import type { Answer, Cell } from '../../sandbox/protocol.ts';
import type { Case } from './case-io.ts';
import { DATABASE_FILE } from './format.ts';

export type { Answer, Cell };

/** Asks a case questions, behind the gate and the fence of the sandbox, read-only. */
export type CaseReader = AsyncDisposable & {
  /** @param sql one SELECT over the tables of the contract @throws SandboxError */
  readonly query: (sql: string, options?: { readonly signal?: AbortSignal }) => Promise<Answer>;
  /** What the questions run behind, as a name and in words. Starts the sandbox. */
  readonly fence: () => Promise<{ readonly name: FenceName; readonly words: string }>;
  readonly close: () => Promise<void>;
};

/** Starts nothing yet: the first question does. */
export function openCaseReader({ directory }: Case, limits: Partial<DuckdbLimits> = {}): CaseReader {
  const sandbox = createDuckdbSandbox({ database: join(directory, DATABASE_FILE), limits });
  return {
    query: (sql, options) => sandbox.ask({ sql }, options),
    fence: async () => {
      const name = await sandbox.fence();
      return { name, words: FENCE_WORDS[name] };
    },
    close: sandbox.close,
    [Symbol.asyncDispose]: sandbox.close,
  };
}

/** One question, asked on its own. @throws SandboxError */
export async function queryCase(
  opened: Case,
  sql: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Answer> {
  await using reader = openCaseReader(opened);
  return await reader.query(sql, options);
}
