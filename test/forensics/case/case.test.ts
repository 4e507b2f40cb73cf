import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acquireLock } from '../../../src/durable/lock-io.ts';
import { addPackage } from '../../../src/forensics/case/add-io.ts';
import {
  type Case,
  caseDirectory,
  createCase,
  listCases,
  openCase,
  readReport,
} from '../../../src/forensics/case/case-io.ts';
import { type CaseReader, openCaseReader, queryCase } from '../../../src/forensics/case/query-io.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';
import { tempDirectory } from '../../support/temp.ts';
import { day } from '../../support/trust.ts';
import {
  ALERTS,
  BOOT,
  type EventPlan,
  entityOf,
  INCIDENT,
  makeLog,
  makePackage,
  processData,
  START,
  verifySample,
} from './sample.ts';

const NOW = day(22);
const add = { now: NOW, verify: verifySample };
const data = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
let file: string;
let reader: CaseReader;
let incident: Case;

beforeAll(async () => {
  const logs = [await makeLog(data, { events: INCIDENT }), await makeLog(data, { log: 'agent', events: ALERTS })];
  ({ file } = await makePackage(data, logs));
  await createCase(data, 'incident', NOW);
  await addPackage(data, 'incident', file, add);
  incident = openCase(data, 'incident');
  reader = openCaseReader(incident);
});

afterAll(async () => {
  await reader.close();
  rmSync(data, { recursive: true, force: true });
});

async function rowsOf(sql: string): Promise<readonly unknown[]> {
  return (await reader.query(sql)).rows;
}

describe('the tables of a case', () => {
  it('hold every shown line, byte for byte, in the order of time', async () => {
    const texts = (await rowsOf('SELECT text FROM lines ORDER BY log_origin, event_sequence')).map(
      (row) => (row as string[])[0],
    );
    const held = join(
      incident.directory,
      'packages',
      readdirSync(join(incident.directory, 'packages')).sort()[0] ?? '',
    );
    const told = ['agent', 'procmond'].map((log) =>
      readFileSync(join(held, 'data/logs/host-a', log, 'lines.ndjson'), 'utf8'),
    );
    expect(`${texts.join('\n')}\n`).toBe(told.join(''));
    expect(
      await rowsOf('SELECT count(*) FROM (SELECT ts < lag(ts) OVER (ORDER BY rowid) AS back FROM lines) WHERE back'),
    ).toEqual([[0]]);
    expect(await rowsOf('SELECT min(rowid), max(rowid), count(*) FROM lines')).toEqual([[0, 12, 13]]);
  });

  it('hold leaf hashes that link each line to the one before', async () => {
    const linked = `SELECT count(*) FROM lines a JOIN lines b ON a.log_origin = b.log_origin AND b.event_sequence = a.event_sequence + 1
      WHERE json_extract_string(b.text, '$.prev') = a.leaf`;
    expect(await rowsOf(linked)).toEqual([[9]]);
    expect(await rowsOf("SELECT count(*) FROM lines WHERE leaf LIKE 'blake3:%'")).toEqual([[13]]);
  });

  it('tell which lines are signed', async () => {
    expect(await rowsOf('SELECT signed, count(*) FROM lines GROUP BY 1 ORDER BY 1')).toEqual([
      [0, 3],
      [1, 10],
    ]);
  });

  it('have one row a process, with the newest that is known of it', async () => {
    const sql =
      'SELECT process_pid, process_name, process_executable, argv_mask, process_command_line, argv_state, process_parent_name, process_exit_code FROM processes ORDER BY process_pid';
    expect(await rowsOf(sql)).toEqual([
      [100, 'nginx', null, null, null, 'lost', null, null],
      [101, 'sh', '/bin/sh', 'sh -c <text:12>', 'sh -c <text:12>', 'captured', 'nginx', null],
      [102, 'curl', null, null, null, 'lost', 'sh', 7],
      [103, 'e\u202evil\u001b[31m', null, null, null, 'lost', null, null],
    ]);
  });

  it('have one row a thing that happened to a process', async () => {
    const sql = `SELECT event_action, process_pid FROM process_events WHERE entity = '${entityOf(101)}' ORDER BY event_sequence`;
    expect(await rowsOf(sql)).toEqual([
      ['start', 101],
      ['exec', 101],
    ]);
  });

  it('have one row a connection, closed where its end was seen', async () => {
    const sql =
      'SELECT process_name, destination_port, connection_state, connection_end - ts, process_executable FROM connections';
    expect(await rowsOf(sql)).toEqual([['curl', 8080, 'closed', 2000, null]]);
  });

  it('have alerts, traces and their ends', async () => {
    expect(await rowsOf('SELECT rule_id, rule_severity, state, trace_id FROM alerts')).toEqual([
      ['shell-from-web-server', 'high', 'open', 'trace-1'],
    ]);
    expect(
      await rowsOf('SELECT trace_id, cause, captures_network, captures_files, end_cause, line_count FROM traces'),
    ).toEqual([['trace-1', 'rule', 1, 0, 'exited', 9]]);
  });

  it('tell what could not be seen, and what was withheld', async () => {
    const sql = 'SELECT cause, count, from_sequence, to_sequence FROM gaps ORDER BY cause, from_sequence';
    expect(await rowsOf(sql)).toEqual([
      ['denied', 3, null, null],
      ['withheld', 2, 1, 3],
      ['withheld', 1, 7, 8],
    ]);
  });

  it('have the views of the contract', async () => {
    expect(await rowsOf('SELECT Image, ParentImage FROM process_creation WHERE ProcessId = 102')).toEqual([
      [null, '/bin/sh'],
    ]);
    expect(await rowsOf('SELECT Initiated, DestinationPort FROM network_connection')).toEqual([['true', 8080]]);
  });

  it('are read behind a fence, and nothing else is', async () => {
    await expectCodeAsync(reader.query(`SELECT * FROM read_text('${file}')`), 'SQL_REFUSED');
    await expectCodeAsync(reader.query(`SELECT * FROM '${file}'`), 'SQL_REFUSED');
    expect((await reader.fence()).words).toMatch(/^(?:fenced by|gate only)/);
  });
});

/** A case of its own from these events: what a host may write that nobody expects. */
async function caseOf(
  events: readonly EventPlan[],
): Promise<{ opened: Case; rows: (sql: string) => Promise<readonly unknown[]> }> {
  const folder = tempDirectory();
  const log = await makeLog(folder, { events });
  const { file: packed } = await makePackage(folder, [log], {
    what: { ranges: [{ log: 'procmond', from: 0, to: events.length }] },
  });
  await createCase(folder, 'odd', NOW);
  await addPackage(folder, 'odd', packed, add);
  const opened = openCase(folder, 'odd');
  return { opened, rows: async (sql) => (await queryCase(opened, sql)).rows };
}

function event(type: string, eventData: EventPlan['data']): EventPlan {
  return { type, data: eventData };
}

describe('evidence as it really is', () => {
  it('has orphans, reused pids, and processes that are their own ancestors', async () => {
    const again = `host-a:${BOOT}:7:999`;
    const { rows } = await caseOf([
      event('process.exit', { process_pid: 5, process_exit_code: 1 }),
      event('process.start', processData(7, { process_name: 'first' })),
      event('process.exit', { entity: entityOf(7), process_pid: 7 }),
      event('process.start', processData(7, { entity: again, process_name: 'second' })),
      event('process.start', processData(8, { parent_entity: entityOf(9) })),
      event('process.start', processData(9, { parent_entity: entityOf(8) })),
      event('network.close', { process_pid: 1, network_transport: 'tcp', network_type: 'ipv4' }),
    ]);
    const sql = `SELECT list(process_name ORDER BY event_sequence), count(process_end) FROM processes WHERE process_pid = 7`;
    expect(await rows(sql)).toEqual([['["first","second"]', 1]]);
  });

  it('keeps a line that fits no table, in lines only', async () => {
    const { rows } = await caseOf([
      event('process.start', { entity: { not: 'text' }, process_pid: 'many' }),
      event('process.start', {}),
      event('network.connect', { network_transport: null }),
      event('alert.raised', { alert_id: 5 }),
      event('trace.start', {}),
      event('log.anchor', { origin: 'elsewhere', size: 'x' }),
      event('made.up', { anything: 1 }),
      event('process.exit', { entity: 'x', process_end: 'never' }),
    ]);
    const sql = `SELECT (SELECT count(*) FROM lines), (SELECT count(*) FROM processes), (SELECT count(*) FROM connections),
      (SELECT count(*) FROM traces), (SELECT count(*) FROM process_events)`;
    expect(await rows(sql)).toEqual([[8, 0, 0, 0, 0]]);
  });

  it('tells connections on the same addresses apart, by cookie or by their time', async () => {
    const addresses = {
      process_pid: 1,
      network_transport: 'tcp',
      network_type: 'ipv4',
      source_ip: 'a',
      source_port: 1,
      destination_ip: 'b',
      destination_port: 2,
    };
    const { rows } = await caseOf([
      event('network.connect', addresses),
      event('network.close', addresses),
      event('network.connect', addresses),
      event('network.connect', { ...addresses, socket_cookie: '18446744073709551615' }),
      event('network.close', { ...addresses, socket_cookie: '18446744073709551615' }),
      event('network.listen', { ...addresses, source_ip: 'c' }),
    ]);
    const sql = 'SELECT connection_state FROM connections ORDER BY event_sequence';
    expect(await rows(sql)).toEqual([['closed'], ['open'], ['closed'], ['listening']]);
    expect(await rows('SELECT count(DISTINCT connection_id) FROM connections')).toEqual([[4]]);
  });

  it('knows a connection again that a trace tells of once more, by its socket', async () => {
    const address = {
      ...{ process_pid: 1, network_transport: 'tcp', network_type: 'ipv4', source_ip: 'a', source_port: 1 },
      ...{ destination_ip: 'b', destination_port: 2, socket_inode: '7' },
    };
    const { rows } = await caseOf([
      event('network.connect', address),
      event('network.connect', { ...address, trace_id: 't1' }),
      event('network.close', address),
      event('network.connect', address),
      event('network.connect', { ...address, socket_inode: '8' }),
    ]);
    const sql = 'SELECT event_sequence, connection_state, trace_id FROM connections ORDER BY event_sequence';
    expect(await rows(sql)).toEqual([
      [0, 'closed', 't1'],
      [3, 'open', null],
      [4, 'open', null],
    ]);
  });

  it('forgets what a program was when it becomes another', async () => {
    const hash = 'cd'.repeat(32);
    const { rows } = await caseOf([
      event(
        'process.start',
        processData(7, { process_executable: '/bin/a', process_hash_sha256: hash, argv_mask: 'a', user_id: '5' }),
      ),
      event('process.exec', processData(7, { process_executable: '/bin/b', argv_state: 'lost' })),
    ]);
    const sql = 'SELECT process_executable, process_hash_sha256, argv_mask, argv_state, user_id FROM processes';
    expect(await rows(sql)).toEqual([['/bin/b', null, null, 'lost', '5']]);
  });

  it('says which lines an anchor in another log covers', async () => {
    const folder = tempDirectory();
    const logs = [
      await makeLog(folder, {
        events: [event('made.up', { n: 0 }), event('made.up', { n: 1 }), event('made.up', { n: 2 })],
      }),
      await makeLog(folder, {
        log: 'agent',
        events: [event('log.anchor', { origin: 'daemoneye/host-a/procmond', size: 2, root: 'x' })],
      }),
    ];
    const ranges = [
      { log: 'procmond', from: 0, to: 3 },
      { log: 'agent', from: 0, to: 1 },
    ];
    const packed = await makePackage(folder, logs, { what: { ranges } });
    await createCase(folder, 'anchored', NOW);
    await addPackage(folder, 'anchored', packed.file, add);
    const sql = "SELECT anchored FROM lines WHERE log_origin LIKE '%procmond' ORDER BY event_sequence";
    expect((await queryCase(openCase(folder, 'anchored'), sql)).rows).toEqual([[1], [1], [0]]);
  });
});

describe('adding a package', () => {
  it('is done once', async () => {
    const before = statSync(join(incident.directory, 'case.duckdb')).ino;
    expect((await addPackage(data, 'incident', file, add)).status).toBe('unchanged');
    expect(statSync(join(incident.directory, 'case.duckdb')).ino).toBe(before);
    expect(openCase(data, 'incident').document.packages).toHaveLength(1);
  });

  it('keeps the report of its verification', () => {
    const [held] = incident.document.packages;
    expect(readReport(incident.directory, held?.digest ?? 'sha256:').verdict).toBe('trusted');
  });

  it('merges packages that overlap, each line once', async () => {
    const folder = tempDirectory();
    const log = await makeLog(folder, { events: Array.from({ length: 10 }, (_, n) => event('made.up', { n })) });
    await createCase(folder, 'both', NOW);
    for (const [number, from, to] of [
      [1, 0, 6],
      [2, 3, 10],
    ] as const) {
      const packed = await makePackage(folder, [log], { number, what: { ranges: [{ log: 'procmond', from, to }] } });
      expect((await addPackage(folder, 'both', packed.file, add)).status).toBe('added');
    }
    const { rows } = await queryCase(openCase(folder, 'both'), 'SELECT event_sequence FROM lines ORDER BY rowid');
    expect(rows).toEqual(Array.from({ length: 10 }, (_, n) => [n]));
  });

  it('refuses two histories of one log', async () => {
    const folder = tempDirectory();
    const events = [event('made.up', { n: 1 })];
    await createCase(folder, 'forked', NOW);
    const outcomes = [];
    for (const chance of [0, 100]) {
      const log = await makeLog(join(folder, String(chance)), { events, chance });
      const packed = await makePackage(folder, [log], {
        number: chance + 1,
        what: { ranges: [{ log: 'procmond', from: 0, to: 1 }] },
      });
      outcomes.push(() => addPackage(folder, 'forked', packed.file, add));
    }
    await outcomes[0]?.();
    await expectCodeAsync(outcomes[1]?.() ?? Promise.resolve(), 'LOG_FORK');
    const forked = openCase(folder, 'forked');
    expect(forked.document.packages).toHaveLength(1);
    expect((await queryCase(forked, 'SELECT count(*) FROM lines')).rows).toEqual([[1]]);
  });

  it('refuses one changed character, naming log and line, and changes nothing', async () => {
    const folder = tempDirectory();
    const changed = join(folder, 'changed.tar');
    const bytes = readFileSync(file);
    const at = bytes.indexOf('"process_name":"curl"');
    bytes.write('C', at + '"process_name":"'.length);
    writeFileSync(changed, bytes);
    await createCase(folder, 'clean', NOW);
    const outcome = await addPackage(folder, 'clean', changed, add);
    expect(outcome.status).toBe('refused');
    const failures = outcome.report.checks.filter(({ status }) => status === 'fail');
    expect(failures).toMatchObject([{ name: 'bag', code: 'BAG_CHANGED' }]);
    expect(failures[0]?.reason).toMatch(/procmond of host host-a, line \d+ \(seq 8\)/);
    expect(readdirSync(join(folder, 'cases/clean/packages'))).toEqual([]);
    expect(openCase(folder, 'clean').document.packages).toEqual([]);
  });

  it('refuses a host that nobody enrolled', async () => {
    const folder = tempDirectory();
    const log = await makeLog(folder, { events: INCIDENT });
    const packed = await makePackage(folder, [log], { withoutEnrolment: true });
    await createCase(folder, 'clean', NOW);
    const { status, report } = await addPackage(folder, 'clean', packed.file, add);
    expect(status).toBe('refused');
    // Sealed by the host's own key, too: nobody on this side ever heard of it.
    expect(report.checks.find((check) => check.status === 'fail')).toMatchObject({
      name: 'signatures',
      code: 'KEY_ONLY_INSIDE',
    });
    expect(readdirSync(join(folder, 'cases/clean/packages'))).toEqual([]);
  });

  it('never opens a database that came along', async () => {
    const folder = tempDirectory();
    const bag = join(folder, 'sample-1.evidence');
    mkdirSync(join(bag, 'data'), { recursive: true });
    writeFileSync(join(bag, 'data', 'case.duckdb'), 'not ours');
    await createCase(folder, 'clean', NOW);
    const outcome = await addPackage(folder, 'clean', bag, add);
    expect(outcome.report.checks[0]).toMatchObject({ name: 'container', status: 'fail', code: 'UNKNOWN_NAME' });
  });

  it('is refused while another process holds the case', async () => {
    using _ = acquireLock(join(incident.directory, 'lock'));
    await expectCodeAsync(addPackage(data, 'incident', file, add), 'CASE_BUSY');
  });

  it('notices when a copy of before was changed', async () => {
    const folder = tempDirectory();
    const log = await makeLog(folder, { events: INCIDENT });
    await createCase(folder, 'hurt', NOW);
    const first = await makePackage(folder, [log], { number: 1 });
    await addPackage(folder, 'hurt', first.file, add);
    const copy = join(
      folder,
      'cases/hurt/packages',
      `${first.digest.slice(7)}.evidence`,
      'data/logs/host-a/procmond/lines.ndjson',
    );
    writeFileSync(copy, readFileSync(copy, 'utf8').replace('nginx', 'nginy'));
    const second = await makePackage(folder, [log], { number: 2 });
    await expectCodeAsync(addPackage(folder, 'hurt', second.file, add), 'CASE_DAMAGED');
  });

  it('clears away what a killed addition left', async () => {
    const folder = tempDirectory();
    await createCase(folder, 'crashed', NOW);
    const packages = join(folder, 'cases/crashed/packages');
    mkdirSync(join(packages, '.incoming-abc'));
    await addPackage(folder, 'crashed', file, add);
    expect(readdirSync(packages).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('a case', () => {
  it('can be asked before anything is in it', async () => {
    const folder = tempDirectory();
    const empty = await createCase(folder, 'empty', NOW);
    expect((await queryCase(empty, 'SELECT count(*) FROM lines, processes')).rows).toEqual([[0]]);
    expect(listCases(folder)).toEqual(['empty']);
  });

  it.each(['', '..', 'A', 'a/b', 'a b', '-a', 'x'.repeat(49), 'a\u001b'])('is not called %j', (name) => {
    expectCode(() => caseDirectory('/data', name), 'CASE_NAME');
  });

  it('is not made twice', async () => {
    await expectCodeAsync(createCase(data, 'incident', NOW), 'CASE_EXISTS');
  });

  it('that is not there is told', () => {
    expectCode(() => openCase(data, 'nope'), 'CASE_NOT_FOUND');
  });

  it('whose own file was changed is told', async () => {
    const folder = tempDirectory();
    await createCase(folder, 'hurt', NOW);
    writeFileSync(join(folder, 'cases/hurt/case.json'), '{"v":2}');
    expectCode(() => openCase(folder, 'hurt'), 'CASE_DAMAGED');
  });

  it('that another program holds open for writing is told', async () => {
    const folder = tempDirectory();
    const held = await createCase(folder, 'held', NOW);
    const path = join(held.directory, 'case.duckdb');
    chmodSync(path, 0o600);
    const instance = await DuckDBInstance.create(path);
    try {
      chmodSync(path, 0o444);
      await expectCodeAsync(queryCase(held, 'SELECT 1'), 'DATABASE');
      // Adding takes no notice: the new database takes the place of the old, which stays with who holds it.
      expect((await addPackage(folder, 'held', file, add)).status).toBe('added');
      expect((await queryCase(held, 'SELECT count(*) FROM lines')).rows).toEqual([[13]]);
    } finally {
      instance.closeSync();
    }
    expect((await queryCase(held, 'SELECT count(*) FROM lines')).rows).toEqual([[13]]);
  });

  it('keeps its database to be read only, and its directory to its owner', () => {
    expect(statSync(join(incident.directory, 'case.duckdb')).mode & 0o777).toBe(0o444);
    expect(statSync(incident.directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(incident.directory).sort()).toEqual(['case.duckdb', 'case.json', 'lock', 'packages']);
    expect(existsSync(join(incident.directory, 'case.duckdb.wal'))).toBe(false);
  });

  it('starts where the sample says', async () => {
    expect(await rowsOf('SELECT min(ts) FROM lines')).toEqual([[START + 1000]]);
  });
});
