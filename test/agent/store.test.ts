import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EventStore, type IncomingLine } from '../../src/agent/store/event-store-io.ts';
import { VolatileStore } from '../../src/agent/store/volatile-io.ts';
import type { JsonObject } from '../../src/core/strict-json.ts';
import { encodeLine } from '../../src/ledger/line.ts';
import { expectCode } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const ORIGIN = 'daemoneye.invalid/h/procmond';
const NONCE = 'AAAAAAAAAAAAAAAAAAAAAA==';
const PREV = `sha256:${'0'.repeat(64)}` as const;

function line(seq: number, type: string, data: JsonObject, ts = 1000 + seq): IncomingLine {
  const actor = { type: 'process', id: 'test' } as const;
  return { seq, line: encodeLine({ actor, boot: 'b', data, mono: 1, n: NONCE, prev: PREV, seq, ts, type, v: 1 }) };
}

function process(pid: number, more: JsonObject = {}): JsonObject {
  return { entity: `h:b:${pid}:${pid}`, process_pid: pid, process_name: `p${pid}`, argv_state: 'captured', ...more };
}

function openStore(): { store: EventStore; all: (sql: string) => unknown[] } {
  const path = join(tempDirectory(), 'events.db');
  const store = new EventStore(path);
  onTestFinished(() => store[Symbol.dispose]());
  return {
    store,
    all: (sql) => {
      using database = new DatabaseSync(path, { readOnly: true });
      return database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }));
    },
  };
}

const take = (store: EventStore, ...lines: IncomingLine[]) => store.take('h', ORIGIN, lines);

describe('the event store', () => {
  it('has one row a process: an exec leaves nothing of the program before it, the parent stays as it was', () => {
    const { store, all } = openStore();
    const nginx = process(1, {
      process_name: 'nginx',
      process_executable: '/usr/sbin/nginx',
      argv_mask: 'nginx -g <…>',
    });
    const child = { parent_entity: 'h:b:1:1', process_hash_sha256: 'a'.repeat(64) };
    const { changes } = take(
      store,
      line(0, 'process.snapshot', nginx),
      line(
        1,
        'process.start',
        process(2, { ...child, process_executable: '/bin/a', argv_mask: 'a', creator_entity: 'h:b:1:1' }),
      ),
      line(2, 'process.exec', process(1, { process_name: 'other', process_executable: '/bin/other' })),
      line(
        3,
        'process.exec',
        process(2, { process_name: 'b', process_executable: '/bin/b', argv_mask: 'b', parent_entity: 'h:b:9:9' }),
      ),
      line(4, 'process.snapshot', process(2, { process_hash_sha256: 'b'.repeat(64) })),
      line(5, 'process.exit', { entity: 'h:b:2:2', process_pid: 2, process_exit_code: 3 }),
    );
    expect([...changes.processes]).toEqual(['h:b:1:1', 'h:b:2:2']);
    expect(all('SELECT * FROM processes WHERE process_pid = 2')).toMatchObject([
      {
        ts: 1001,
        event_sequence: 1,
        process_name: 'p2',
        process_executable: '/bin/b',
        process_command_line: 'b',
        process_hash_sha256: 'b'.repeat(64),
        parent_entity: 'h:b:9:9',
        creator_entity: 'h:b:1:1',
        process_parent_name: 'nginx',
        process_parent_executable: '/usr/sbin/nginx',
        process_parent_command_line: 'nginx -g <…>',
        process_end: 1005,
        process_exit_code: 3,
      },
    ]);
    expect(all('SELECT event_action FROM process_events')).toHaveLength(6);
    expect(store.seenAt('h:b:2:2')).toEqual({ origin: ORIGIN, seq: 3, since: 1003 });
    expect(store.seenAt('h:b:1:1')?.seq).toBe(2);
  });

  it('knows the parent of a process also when it comes after it, and has rules look again', () => {
    const { store, all } = openStore();
    const before = take(store, line(0, 'process.snapshot', process(5, { parent_entity: 'h:b:9:9' }))).changes;
    const parent = process(9, { process_name: 'nginx', process_executable: '/usr/sbin/nginx', argv_mask: 'nginx <…>' });
    const { changes } = take(store, line(1, 'process.snapshot', parent), line(2, 'process.snapshot', parent));
    expect([[...before.processes], [...changes.processes]]).toEqual([['h:b:5:5'], ['h:b:9:9', 'h:b:5:5']]);
    const found = all('SELECT * FROM processes WHERE process_pid = 5');
    expect(found).toMatchObject([
      {
        process_parent_name: 'nginx',
        process_parent_executable: '/usr/sbin/nginx',
        process_parent_command_line: 'nginx <…>',
      },
    ]);
    // What it is later doesn't change what it was when it had the child.
    take(store, line(3, 'process.exec', { ...parent, process_name: 'other' }));
    expect(all('SELECT * FROM processes WHERE process_pid = 5')).toEqual(found);
  });

  it('takes each line once, and what is no row of a table leaves it as it was', () => {
    const { store, all } = openStore();
    take(store, line(0, 'process.start', process(1)));
    take(store, line(0, 'process.start', process(1)), line(1, 'process.start', { entity: 7, process_pid: 'x' }));
    expect(all('SELECT entity FROM process_events')).toEqual([{ entity: 'h:b:1:1' }]);
    expect(store.position(ORIGIN)).toBe(2);
    expectCode(
      () => take(store, line(2, 'process.start', process(3)), { seq: 3, line: new Uint8Array([1]) }),
      'LINE_MALFORMED',
    );
    expect(store.position(ORIGIN)).toBe(2);
    expect(all('SELECT count(*) AS n FROM processes')).toEqual([{ n: 1 }]);
  });

  it('follows connections from opening to end, also when the same addresses are used again', () => {
    const { store, all } = openStore();
    const address = {
      network_transport: 'tcp',
      network_type: 'ipv4',
      source_ip: '127.0.0.1',
      source_port: 5,
      destination_ip: '127.0.0.1',
      destination_port: 80,
    };
    const data = { ...address, entity: 'h:b:1:1', process_pid: 1, network_namespace: '4', socket_inode: '77' };
    const { changes } = take(
      store,
      line(0, 'process.start', process(1, { process_executable: '/bin/a', argv_mask: 'a <…>' })),
      line(1, 'network.connect', data),
      line(2, 'network.close', data),
      line(3, 'network.connect', data),
      line(4, 'network.listen', { ...data, socket_cookie: '9', destination_port: 81 }),
    );
    expect(changes.connections.size).toBe(3);
    expect(
      all(
        'SELECT connection_state, connection_end, process_executable, process_command_line FROM connections ORDER BY ts',
      ),
    ).toEqual([
      { connection_state: 'closed', connection_end: 1002, process_executable: '/bin/a', process_command_line: 'a <…>' },
      { connection_state: 'open', connection_end: null, process_executable: '/bin/a', process_command_line: 'a <…>' },
      {
        connection_state: 'listening',
        connection_end: null,
        process_executable: '/bin/a',
        process_command_line: 'a <…>',
      },
    ]);
  });

  it('knows a connection again that a trace tells of once more', () => {
    const { store, all } = openStore();
    const data = {
      ...{ network_transport: 'tcp', network_type: 'ipv4', destination_ip: '127.0.0.1', destination_port: 80 },
      ...{ process_pid: 1, network_namespace: '4', socket_inode: '77' },
    };
    const first = take(store, line(0, 'network.connect', data));
    const again = take(store, line(1, 'network.connect', { ...data, trace_id: 't1' }));
    expect([first.changes.connections.size, again.changes.connections.size]).toEqual([1, 0]);
    take(store, line(2, 'network.connect', { ...data, socket_inode: '78' }));
    expect(all('SELECT event_sequence, trace_id FROM connections ORDER BY ts')).toEqual([
      { event_sequence: 0, trace_id: 't1' },
      { event_sequence: 2, trace_id: null },
    ]);
  });

  it('knows alerts, what was made of them, and the lines of traces', () => {
    const { store } = openStore();
    const raised = {
      alert_id: 'a1',
      rule_id: 'r',
      rule_version: 1,
      rule_severity: 'low',
      completeness: 'full',
      dedup_key: 'k',
    };
    const trace = {
      trace_id: 't',
      entity: 'h:b:1:1',
      depth: 1,
      capture: { network: true, files: false, cmdlines: true },
      tseq: 0,
    };
    take(
      store,
      line(0, 'process.start', process(1, { process_start: 990 })),
      line(1, 'trace.start', trace),
      line(2, 'process.snapshot', { ...process(1), trace_id: 't', tseq: 1 }),
      line(3, 'trace.stop', { trace_id: 't', tseq: 2, tcount: 2, cause: 'exited' }),
    );
    store.take('h', 'agent', [
      line(0, 'alert.raised', { ...raised, entity: 'h:b:1:1' }),
      line(1, 'alert.repeated', { alert_id: 'a1', count: 4 }),
      line(2, 'alert.closed', { alert_id: 'a1', resolution: 'benign', reason: 'known' }),
    ]);
    expect(store.alert('a1')).toMatchObject({
      latency_ms: 10,
      count: 4,
      state: 'closed',
      event_sequence: 0,
      log_origin: 'agent',
    });
    expect(store.window('r', 'k')).toEqual({ alertId: 'a1', raised: 1000, count: 4 });
    expect(store.alertsAfter(0)).toEqual([]);
    expect(store.traceLines('t').map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it('says whether a column that is no secret has a value', () => {
    const { store } = openStore();
    take(store, line(0, 'process.start', process(1, { argv_mask: 'secret-mask' })));
    expect(store.holds('new_processes', 'process_name', 'p1')).toBe(true);
    expect(store.holds('processes', 'process_name', 'p2')).toBe(false);
    expect(store.holds('processes', 'process_command_line', 'secret-mask')).toBe(false);
    expect(store.holds('meta', 'name', 'x')).toBe(false);
  });

  it('forgets what is too old, and the oldest first when there is too much', () => {
    const { store } = openStore();
    take(
      store,
      line(0, 'process.start', process(1)),
      line(1, 'process.exit', { entity: 'h:b:1:1', process_pid: 1 }),
      line(2, 'process.start', process(2), 90_000),
    );
    store.prune(100_000, 50_000);
    expect(store.counts()).toMatchObject({ processes: 1, process_events: 1 });
    const many = Array.from({ length: 3000 }, (_, i) => line(i + 3, 'process.start', process(i + 3), 90_000 + i));
    take(store, ...many);
    const before = store.bytes;
    store.prune(100_000, 1e12, before / 2);
    expect(store.bytes).toBeLessThan(before);
    expect(store.counts()['process_events']).toBeLessThan(3000);
  });

  it('is for this user alone, opens again, and refuses what it does not know', () => {
    const path = join(tempDirectory(), 'events.db');
    {
      using store = new EventStore(path);
      take(store, line(0, 'process.start', process(1)));
      for (const end of ['', '-wal', '-shm']) expect(statSync(path + end).mode & 0o777).toBe(0o600);
    }
    {
      using store = new EventStore(path);
      expect(store.position(ORIGIN)).toBe(1);
    }
    {
      using database = new DatabaseSync(path);
      database.exec('PRAGMA user_version = 2');
    }
    new EventStore(path)[Symbol.dispose]();
    {
      using database = new DatabaseSync(path);
      database.exec('PRAGMA user_version = 9');
    }
    expectCode(() => new EventStore(path), 'STORE_VERSION');
    writeFileSync(path, 'no database at all, but long enough to be looked at as one'.repeat(20));
    expectCode(() => new EventStore(path), 'STORE_DAMAGED');
    chmodSync(path, 0o600);
  });
});

describe.runIf(globalThis.process.platform === 'linux')('the volatile store', () => {
  const volatile = () => {
    const data = tempDirectory();
    const store = new VolatileStore(data, {});
    onTestFinished(() => store[Symbol.dispose]());
    return { store, data };
  };
  const stored = (store: EventStore, ...lines: IncomingLine[]) => take(store, ...lines).taken;

  it('keeps arguments of the dead for a short time, then not a byte of them', () => {
    const { store } = openStore();
    const { store: clear } = volatile();
    const secret = 'argument-in-clear';
    clear.take(
      stored(
        store,
        { ...line(0, 'process.start', process(1)), command: `p1 ${secret}` },
        { ...line(1, 'process.start', process(2)), command: 'p2' },
        line(2, 'process.start', process(3)),
        line(3, 'process.exit', { entity: 'h:b:1:1', process_pid: 1 }),
      ),
      1003,
    );
    const bytes = () => ['', '-wal'].map((end) => readFileSync(clear.path + end, 'latin1')).join('');
    expect(bytes()).toContain(secret);
    expect([1, 2, 3].map((pid) => clear.lacksArguments(`h:b:${pid}:${pid}`))).toEqual([false, false, true]);
    clear.prune(1003 + 10_000, 10_001);
    expect(clear.lacksArguments('h:b:1:1')).toBe(false);
    clear.prune(1003 + 10_000, 10_000);
    expect(clear.lacksArguments('h:b:1:1')).toBe(true);
    expect(clear.lacksArguments('h:b:2:2')).toBe(false);
    expect(bytes()).not.toContain(secret);
  });

  it('what an agent that was killed has left is removed by the next', () => {
    const { store, data } = volatile();
    const left = store.directory;
    const next = new VolatileStore(data, {});
    onTestFinished(() => next[Symbol.dispose]());
    expect(statSync(left, { throwIfNoEntry: false })).toBeUndefined();
    expect(statSync(next.directory).mode & 0o777).toBe(0o700);
  });
});
