import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Asked, createSandbox, type Outcome, type Sandbox } from '../../src/sandbox/sandbox-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';

const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c';
const HUGE = "WITH RECURSIVE c(y) AS (SELECT 'x' UNION ALL SELECT y || y FROM c) SELECT max(length(y)) FROM c";
const NOTHING = 'SELECT 1 WHERE 0';

const asked = (sql: string, deadlineMs = 20_000, patienceMs?: number): Asked => ({ sql, deadlineMs, patienceMs });

/** What came of each, in the order it came: its rows, or the code of its error. */
async function outcomes(sandbox: Sandbox, all: readonly Asked[]): Promise<[number, unknown][]> {
  const came: [number, Outcome][] = [];
  await sandbox.askEach(all, (at, outcome) => came.push([at, outcome]));
  return came.map(([at, outcome]) => [at, 'error' in outcome ? outcome.error.code : outcome.answer.rows]);
}

/** The processes that answer for this one. */
function childrenAnswering(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isAnswering(pid));
}

/** The one there is: never 0, which would stop every process of ours. */
function theChild(): number {
  const [child, ...more] = childrenAnswering();
  if (child === undefined || more.length > 0) throw new Error(`not one child answers, but ${more.length}`);
  return child;
}

function isAnswering(pid: number): boolean {
  try {
    const parent = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]);
    return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('sandbox/child-io');
  } catch {
    return false;
  }
}

describe('many questions at once', () => {
  it('are answered in order, with rows, without, and with errors, again and again', async () => {
    await using sandbox = createSandbox();
    const many = Array.from({ length: 300 }, (_, n) =>
      n % 7 === 0 ? `SELECT ${n}` : n % 11 === 0 ? 'SELEC' : NOTHING,
    );
    const expected = many.map((sql, n) => [n, sql === NOTHING ? [] : sql === 'SELEC' ? 'SQL_ERROR' : [[n]]]);
    for (let times = 0; times < 2; times += 1) {
      expect(
        await outcomes(
          sandbox,
          many.map((sql) => asked(sql)),
        ),
      ).toEqual(expected);
    }
    expect((await sandbox.ask({ sql: 'SELECT 2' })).rows).toEqual([[2]]);
    expect(await outcomes(sandbox, [])).toEqual([]);
  });

  it('lose only those that never end, that need too much, and that may not be', async () => {
    await using sandbox = createSandbox();
    const many = [
      NOTHING,
      asked(ENDLESS, 100),
      NOTHING,
      HUGE,
      'SELECT 4',
      "ATTACH 'x' AS y",
      asked(ENDLESS, 100),
      NOTHING,
    ];
    expect(
      await outcomes(
        sandbox,
        many.map((one) => (typeof one === 'string' ? asked(one) : one)),
      ),
    ).toEqual([
      [0, []],
      [1, 'DEADLINE'],
      [2, []],
      [3, 'MEMORY'],
      [4, [[4]]],
      [5, 'SQL_REFUSED'],
      [6, 'DEADLINE'],
      [7, []],
    ]);
  });

  it('wait for those before them, and hold up those behind', async () => {
    await using sandbox = createSandbox();
    const order: string[] = [];
    const first = sandbox.ask({ sql: 'SELECT 1' }).then(() => order.push('first'));
    const many = sandbox.askEach([asked(NOTHING), asked(NOTHING)], (at) => order.push(`many ${at}`));
    const last = sandbox.ask({ sql: 'SELECT 2' }).then(() => order.push('last'));
    await Promise.all([first, many, last]);
    expect(order).toEqual(['first', 'many 0', 'many 1', 'last']);
  });

  it('end with the sandbox', async () => {
    const sandbox = createSandbox();
    await sandbox.ask({ sql: 'SELECT 1' });
    const many = sandbox.askEach([asked(ENDLESS, 60_000), asked(NOTHING)], () => undefined);
    many.catch(() => undefined);
    setImmediate(() => void sandbox.close());
    await expectCodeAsync(many, 'CLOSED');
  });
});

describe.runIf(process.platform === 'linux')('patience', () => {
  it('does not count the time for which the child was given none', async () => {
    await using sandbox = createSandbox();
    await sandbox.ask({ sql: NOTHING });
    const child = theChild();
    process.kill(child, 'SIGSTOP');
    const answering = outcomes(sandbox, [asked('SELECT 1', 150, 60_000), asked('SELECT 2', 150, 60_000)]);
    // Long over the deadline; how long exactly doesn't matter.
    await sleep(400);
    process.kill(child, 'SIGCONT');
    expect(await answering).toEqual([
      [0, [[1]]],
      [1, [[2]]],
    ]);
    expect(childrenAnswering()).toEqual([child]);
  });

  it('ends: then the machine is to blame, and the rest is asked in another child', async () => {
    await using sandbox = createSandbox();
    await sandbox.ask({ sql: NOTHING });
    const child = theChild();
    process.kill(child, 'SIGSTOP');
    // Asked carefully the second time, of a child that isn't stopped.
    expect(await outcomes(sandbox, [asked('SELECT 1', 150, 300), asked('SELECT 2', 20_000)])).toEqual([
      [0, [[1]]],
      [1, [[2]]],
    ]);
    expect(childrenAnswering()).not.toContain(child);
  });

  it('is none for what works all the time', async () => {
    await using sandbox = createSandbox();
    await sandbox.ask({ sql: NOTHING });
    expect(await outcomes(sandbox, [asked(ENDLESS, 100, 600_000), asked(NOTHING)])).toEqual([
      [0, 'DEADLINE'],
      [1, []],
    ]);
  });
});
