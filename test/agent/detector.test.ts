import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type * as detectors from '../../src/agent/detect/detector-io.ts';
import { type LiveRule, liveRule } from '../../src/agent/detect/live-rule.ts';
import type { StoredLine } from '../../src/agent/store/rows.ts';
import type * as stores from '../../src/agent/store/volatile-io.ts';
import { utf8 } from '../../src/core/bytes.ts';
import { sha256Digest } from '../../src/core/digest.ts';
import type { JsonObject } from '../../src/core/strict-json.ts';
import type { Line } from '../../src/ledger/line.ts';
import { parseRule } from '../../src/rules/parse.ts';
import type { Cell } from '../../src/sandbox/protocol.ts';
import type * as sandboxes from '../../src/sandbox/sandbox-io.ts';
import { ensureBuilt } from '../support/cli.ts';
import { compiled } from '../support/compiled.ts';
import { tempDirectory } from '../support/temp.ts';
import { rule } from './stage.ts';

const SOURCE = { channel: 'test', seq: 1, payload: sha256Digest(utf8('')), path: 'test.yaml' };
const SHELLS =
  "SELECT entity, process_name, process_parent_name FROM new_processes WHERE process_name IN ('sh', 'bash')";
const ENDLESS = `SELECT process_name FROM new_processes WHERE process_name = 'burner' AND
(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c) > 0`;
const CONNECTIONS = rule('connections', 'SELECT entity FROM new_connections').replace(
  '[new_processes], capability: [process, arguments]',
  '[new_connections], capability: [network]',
);

let seq = 0;
function line(type: string, data: JsonObject): StoredLine {
  seq += 1;
  const frame = { seq, type, data, ts: Date.now(), boot: 'b', mono: 1, v: 1 } as unknown as Line;
  return { host: 'h', origin: 'o', line: frame, command: String(data['process_name']) };
}

const program = (type: string, pid: number, name: string, parent?: number) =>
  line(type, {
    entity: `h:b:${pid}:${pid}`,
    process_pid: pid,
    process_name: name,
    argv_state: 'captured',
    ...(parent === undefined ? {} : { parent_entity: `h:b:${parent}:${parent}` }),
  });

let Detector: typeof detectors.Detector;
let VolatileStore: typeof stores.VolatileStore;
let createSandbox: typeof sandboxes.createSandbox;

beforeAll(async () => {
  await ensureBuilt();
  ({ Detector } = await compiled<typeof detectors>('agent/detect/detector-io.js'));
  ({ VolatileStore } = await compiled<typeof stores>('agent/store/volatile-io.js'));
  ({ createSandbox } = await compiled<typeof sandboxes>('sandbox/sandbox-io.js'));
});

/** A detector with a real child over a real store. */
function detecting(...rules: string[]) {
  const volatile = new VolatileStore(tempDirectory(), {});
  const sandbox = createSandbox({ database: volatile.path });
  const hits: (readonly Cell[])[] = [];
  const missed: LiveRule[] = [];
  const failures: unknown[] = [];
  const detector = new Detector({
    volatile,
    sandbox,
    hit: (live, { rows }) => hits.push(...rows.map((row) => [live.rule.id, ...row])),
    quarantined: () => undefined,
    missed: (live) => missed.push(...live),
    failed: (error) => failures.push(error),
  });
  onTestFinished(async () => {
    await sandbox.close();
    volatile[Symbol.dispose]();
  });
  detector.setRules(rules.map((text) => liveRule(parseRule(utf8(text), 'test.yaml'), SOURCE)));
  const take = (...lines: StoredLine[]) => detector.notice(volatile.take(lines, Date.now()));
  return { detector, take, hits, missed, failures };
}

describe('the detector', () => {
  it('shows rules each program that a process was, also when it became another before they were asked', async () => {
    const { detector, take, hits } = detecting(rule('shells', SHELLS));
    await detector.settled();
    take(
      program('process.start', 1, 'nginx'),
      program('process.start', 2, 'nginx', 1),
      program('process.exec', 2, 'sh', 1),
      program('process.exec', 2, 'bash', 1),
      program('process.exec', 2, 'sleep', 1),
    );
    // Of what came in before the round, and while it was on its way.
    take(program('process.start', 3, 'sh', 1));
    take(program('process.exec', 3, 'curl', 1));
    await detector.settled();
    expect(hits).toEqual([
      ['shells', 'h:b:3:3', 'sh', 'nginx'],
      ['shells', 'h:b:2:2', 'sh', 'nginx'],
      ['shells', 'h:b:2:2', 'bash', 'nginx'],
    ]);
    // Once: nothing of it comes again.
    take(program('process.start', 4, 'sh', 1));
    await detector.settled();
    expect(hits.slice(3)).toEqual([['shells', 'h:b:4:4', 'sh', 'nginx']]);
    // What was asked about is not kept when it becomes something else later.
    take(program('process.exec', 4, 'sleep', 1));
    await detector.settled();
    expect(hits).toHaveLength(4);
  });

  it('asks rules only about what is new to them, and puts aside the one that never ends, alone', async () => {
    const { detector, take, hits, missed, failures } = detecting(
      rule('endless', ENDLESS).replace('budget_ms: 100', 'budget_ms: 20'),
      rule('shells', SHELLS),
      CONNECTIONS,
    );
    await detector.settled();
    const asked = () => detector.rules.map(({ evaluations }) => evaluations);
    expect(asked()).toEqual([1, 1, 1]);
    take(program('process.start', 1, 'nginx'), program('process.start', 2, 'sh', 1));
    await detector.settled();
    expect(asked()).toEqual([2, 2, 1]);
    take(program('process.start', 3, 'burner'), program('process.start', 4, 'bash', 1));
    await detector.settled();
    expect(detector.rules.map(({ state }) => state)).toEqual(['quarantined', 'active', 'active']);
    expect(hits.map(([, entity]) => entity)).toEqual(['h:b:2:2', 'h:b:4:4']);
    expect([missed, failures]).toEqual([[], []]);
  });
});
