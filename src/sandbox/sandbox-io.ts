import { isAbsolute } from 'node:path';
import type { Place } from '../core/tables.ts';
import type { Asked, Outcome } from './child-process-io.ts';
import { SandboxError } from './errors.ts';
import { launchOf } from './launch.ts';
import { childMain, DEFAULT_LIMITS, type Sandbox as OneByOne, type SandboxLimits, SandboxParent } from './parent-io.ts';

export type SandboxOptions = {
  /** Which tables of the contract there are; default `agent`. */
  readonly place?: Place;
  /**
   * Absolute path of a database to read; without it each question brings its own rows. In WAL mode its writer must
   * have it open: the child can't make the shared-memory file.
   */
  readonly database?: string;
  readonly limits?: Partial<SandboxLimits>;
};

export type { Asked, Outcome } from './child-process-io.ts';

/** A place to ask SQLite, one question or many at once. */
export type Sandbox = OneByOne & {
  /**
   * Asks many at once, without rows of their own. What a child died of is found by asking the rest again, one by one, in
   * another child; that one is answered with an error, and all others well. Other questions wait meanwhile.
   * @param answered called for each in order: an answer, or any error of `ask`, or STARVED
   * @throws SandboxError CLOSED, DATABASE, DEADLINE or CHILD_DIED when there is no child to ask
   */
  readonly askEach: (asked: readonly Asked[], answered: (at: number, outcome: Outcome) => void) => Promise<void>;
};

/**
 * A place to ask SQLite. Starts nothing yet: the first question does.
 * @throws SandboxError DATABASE for a path that can't be granted
 */
export function createSandbox({ place = 'agent', database, limits: changes }: SandboxOptions = {}): Sandbox {
  // A star in a path would be a wildcard of the permission that names it.
  if (database !== undefined && (!isAbsolute(database) || database.includes('*'))) {
    throw new SandboxError('DATABASE', 'the database to read must be an absolute path without a star in it');
  }
  const limits = { ...DEFAULT_LIMITS, ...changes };
  const { rows, cells, bytes, memoryBytes } = limits;
  const { execPath, platform } = process;
  const databases = database === undefined ? [] : [database];
  const launch = launchOf({ execPath, platform, main: childMain('child-io'), databases, memoryBytes });
  const open = { engine: 'sqlite', place, limits: { rows, cells, bytes } } as const;
  const parent = new SandboxParent(database === undefined ? open : { ...open, database }, limits, (begin) =>
    begin(launch),
  );
  const close = () => parent.close();
  return {
    ask: (question, ask) => parent.ask(question, ask ?? {}),
    askEach: (asked, answered) => parent.askEach(asked, answered),
    close,
    [Symbol.asyncDispose]: close,
  };
}
