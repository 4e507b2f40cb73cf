import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import eventSchema from '../../schemas/event.schema.json' with { type: 'json' };
import { EVENT_TYPES, formatEntity, isEventType, parseEntity, validateEvent } from '../../src/core/event.ts';
import type { EmbeddedEnvelope, EventData, EventType } from '../../src/core/event-data.ts';
import { validateSchema } from '../../src/core/schema.ts';
import { encodeLine } from '../../src/ledger/line.ts';
import { actor, fakeSurroundings, open, testLedger } from '../ledger/ledger-support.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

const entity = formatEntity({ host: 'h-1', boot: '0c8e', pid: 4711, start: '1234567' });
const sha256 = `sha256:${'a'.repeat(64)}` as const;
const blake3 = `blake3:${'b'.repeat(64)}` as const;
const kid = 'c'.repeat(64);
const floor = '2026-01-31T12:00:00.000Z';
const root = `${'A'.repeat(43)}=`;
const document: EmbeddedEnvelope = {
  payloadType: 'application/x',
  payload: 'e30=',
  signatures: [{ keyid: kid, sig: `${'A'.repeat(86)}==` }],
};
const process_: EventData['process.start'] = {
  entity,
  process_pid: 4711,
  process_start: 1_700_000_000_000,
  parent_entity: 'h-1:0c8e:1:1',
  process_parent_pid: 1,
  creator_entity: 'h-1:0c8e:1:1',
  process_name: 'nginx',
  process_executable: '/usr/sbin/nginx\ufffd',
  process_executable_raw: 'L3Vzci9zYmluL25naW54/w==',
  process_executable_state: 'file',
  process_executable_inode: '18446744073709551615',
  process_hash_sha256: 'd'.repeat(64),
  process_hash_blake3: 'e'.repeat(64),
  user_id: '33',
  group_id: '33',
  process_args_count: 3,
  argv_mask: 'nginx -g <1>',
  argv_commit: blake3,
  argv_state: 'captured',
  env_state: 'denied',
  lost: ['process_working_directory'],
  denied: ['process_cgroup'],
  event_provider: 'procfs',
};
const connection = {
  entity,
  process_pid: 4711,
  network_transport: 'tcp',
  network_type: 'ipv4',
  source_ip: '192.0.2.1',
  source_port: 40000,
  destination_ip: '203.0.113.5',
  destination_port: 443,
  socket_cookie: '9007199254740993',
} as const;
const trace = { trace_id: 't-1', tseq: 0, tprev: sha256 } as const;
const file = { entity, file_path: '/etc/passwd', file_inode: '12', file_mode: '0644' };
const trust = { version: 1, payload: sha256, expires: floor, floor };

/** One of each, with most of its fields. */
const EXAMPLES: { readonly [T in EventType]: EventData[T] } = {
  'process.start': { ...process_, ...trace },
  'process.exec': { ...process_, process_previous_executable: '/bin/sh' },
  'process.exit': { entity, process_pid: 4711, process_exit_code: 0, process_end: 1 },
  'process.snapshot': {
    entity,
    process_pid: 2,
    process_executable_state: 'none',
    process_args_count: 0,
    argv_mask: '',
    argv_state: 'captured',
  },
  'network.connect': { ...connection, network_direction: 'egress' },
  'network.accept': { ...connection, network_direction: 'ingress' },
  'network.close': { ...connection, source_bytes: '1', destination_bytes: '2' },
  'network.listen': {
    network_transport: 'udp',
    network_type: 'ipv6',
    destination_ip: '::',
    destination_port: 53,
    denied: ['entity'],
  },
  'file.open': { ...file, file_access: 'read' },
  'file.create': file,
  'file.rename': { ...file, file_previous_path: '/tmp/x' },
  'file.unlink': { file_path: '/tmp/x', lost: ['entity'] },
  'alert.raised': {
    alert_id: 'a-1',
    rule_id: 'de-linux-0001',
    rule_version: 1,
    rule_severity: 'high',
    bundle: sha256,
    threats: [{ tactic: 'execution', technique: 'T1059.004' }],
    completeness: 'partial',
    missing: ['no file events'],
    entity,
    fields: { n: 1, name: 'sh', none: null },
    evidence: [{ origin: 'o', seq: 3 }],
    started_trace: 't-1',
  },
  'alert.repeated': { alert_id: 'a-1', count: 2 },
  'alert.acknowledged': { alert_id: 'a-1' },
  'alert.closed': { alert_id: 'a-1', resolution: 'benign', reason: 'backup', document },
  'alert.undelivered': { alert_id: 'a-1', sink: 'syslog', reason: 'refused' },
  'alert.rule-degraded': { rule_id: 'de-linux-0001', missing: ['capability file'] },
  'alert.rule-quarantined': { rule_id: 'de-linux-0001', rule_version: 1, code: 'DEADLINE', reason: 'over 100 ms' },
  'trace.start': {
    ...trace,
    entity,
    depth: 8,
    capture: { cmdlines: true, network: true, files: false },
    max: { seconds: 600, events: 1, bytes: 1 },
    cause: 'command',
    reason: 'look',
    document,
  },
  'trace.limit': { trace_id: 't-1', limit: 'events', dropped: 4 },
  'trace.stop': { ...trace, cause: 'limit', tcount: 1, thead: blake3 },
  'operator.command': { operator: 'alice', action: 'trace.start', document },
  'operator.approval': { operator: 'bob', command: sha256, document },
  'operator.refused': { action: 'trace.start', code: 'ROLE', reason: 'not a hunter' },
  'operator.action': { action: 'query', subject: 'SELECT 1', digest: sha256 },
  'bundle.applied': {
    channel: 'rules/linux',
    seq: 3,
    payload: sha256,
    kind: 'rules',
    prev_active: sha256,
    root_version: 1,
    floor,
    files: 2,
    bytes: 100,
    signers: [kid],
  },
  'bundle.refused': { check: 'signatures', code: 'THRESHOLD', reason: 'one of two' },
  'bundle.rolled-back': {
    channel: 'rules/linux',
    seq: 2,
    payload: sha256,
    from_seq: 3,
    from_payload: sha256,
    reason: 'false positives',
  },
  'bundle.revoked': {
    channel: 'rules/linux',
    seq: 2,
    payload: sha256,
    code: 'KEY_REVOKED',
    reason: 'bob is gone',
    root_version: 2,
  },
  'trust.pinned': { ...trust, fingerprint: sha256 },
  'trust.rotated': trust,
  'receipt.issued': { nonce: 'a'.repeat(32) },
  'heads.accepted': {
    payload: sha256,
    nonces: ['a'.repeat(32)],
    issued_at: floor,
    expires: floor,
    root_version: 1,
    floor,
    document,
  },
  'floor.reset': {
    payload: sha256,
    nonce: 'a'.repeat(32),
    from: floor,
    floor,
    reason: 'a wrong clock',
    root_version: 1,
    document,
  },
  'floor.raised': { from: floor, floor, cause: 'witness', witnesses: [kid], root_version: 1 },
  'statement.refused': { statement: 'heads', code: 'HEADS_NONCE', reason: 'answers nobody here', payload: sha256 },
  'collector.start': {
    collector_name: 'procmond',
    collector_version: '0.1.0',
    capabilities: ['process', 'network'],
    sources: [{ name: 'tracefs', state: 'unavailable', reason: 'not mounted' }],
    clock_ticks_per_second: 100,
  },
  'collector.stop': { collector_name: 'procmond', cause: 'signal', events: 9 },
  'collector.gap': { cause: 'shed', types: ['process.exit'], count: 7, from_ts: 1, to_ts: 2 },
  'log.recovery': {
    adopted: 1,
    heads: ['a'],
    lost: 0,
    torn: [{ bytes: 12, digest: sha256, name: '000000000009-0123456789abcdef.torn' }],
    tornPieces: 1,
    tree: 0,
    clock: { clock: 'mono', from: 9, to: 3 },
  },
  'log.rotate': { from_kid: kid, to_kid: kid, document },
  'log.checkpoint': { size: 9, root },
  'log.redact': { seq: 4, commit: blake3, reason: 'court order' },
  'log.prune': { from: 0, to: 100, keeps: 'tree', document },
  'log.hold': { from: 0, to: 100, reason: 'court order', operator: 'ada', document },
  'log.release': { hold: 7, reason: 'case closed', operator: 'ada', document },
  'log.anchor': { origin: 'o', size: 9, root },
  'clock.jump': { clock: 'ts', from: 9, to: 3 },
};

/** The whole document, as an outsider would use it. */
const published = (line: unknown) => validateSchema(eventSchema, line);
const lineOf = (type: string, data: object) => ({
  actor: { id: 'x', type: 'host' as const },
  boot: '0c8e',
  data,
  mono: 1,
  n: `${'A'.repeat(22)}==`,
  prev: blake3,
  seq: 0,
  ts: 1,
  type,
  v: 1 as const,
});

describe('every type of event', () => {
  it('is in the examples', () => expect(Object.keys(EXAMPLES).sort()).toEqual([...EVENT_TYPES].sort()));

  it.each(EVENT_TYPES)('%s: its example passes, alone and as a line', (type) => {
    const data = EXAMPLES[type];
    expect(validateEvent(type, data)).toBe(data);
    const line = lineOf(type, data);
    expect(published(line)).toBe(line);
    encodeLine(line as never);
  });

  it.each(EVENT_TYPES)('%s: refuses an unknown field, a missing one and a null one', (type) => {
    const data: { readonly [field: string]: unknown } = { ...EXAMPLES[type] };
    expectCode(() => validateEvent(type, { ...data, argv: 'rm -rf /' }), 'SCHEMA_MISMATCH');
    expectCode(() => published(lineOf(type, { ...data, argv: 'rm -rf /' })), 'SCHEMA_MISMATCH');
    expectCode(() => validateEvent(type, {}), 'SCHEMA_MISMATCH');
    for (const field of Object.keys(data))
      expectCode(() => validateEvent(type, { ...data, [field]: null }), 'SCHEMA_MISMATCH');
  });

  it.each(EVENT_TYPES)('%s: nothing but its data passes as it', (type) => {
    for (const value of [null, [], 'x', 1, true]) expectCode(() => validateEvent(type, value), 'SCHEMA_MISMATCH');
  });
});

describe('what an event may not say', () => {
  it.each<[string, EventType, object]>([
    ['a pid as its identity', 'process.start', { entity: '4711' }],
    ['an identity with a newline', 'process.start', { entity: `${entity}\n` }],
    ['a number for what can pass 2^53', 'process.start', { process_executable_inode: 12 }],
    ['a 64-bit number with a leading zero', 'process.start', { process_executable_inode: '012' }],
    ['a time in seconds with a fraction', 'process.start', { process_start: 1.5 }],
    ['a hash of another length', 'process.start', { process_hash_sha256: 'ab' }],
    ['captured arguments without a mask', 'process.start', { argv_mask: undefined }],
    ['captured arguments without a commitment', 'process.start', { argv_commit: undefined }],
    ['a captured environment without either', 'process.start', { env_state: 'captured' }],
    ['a state nobody defined', 'process.start', { argv_state: 'unknown' }],
    ['raw bytes that are no base64', 'process.start', { process_executable_raw: 'x y' }],
    ['a place in no trace', 'process.start', { trace_id: undefined }],
    ['a trace place without its link', 'process.start', { tprev: undefined }],
    ['a port beyond the last', 'network.connect', { destination_port: 65536 }],
    ['a host name for an address', 'network.connect', { destination_ip: 'example.net' }],
    ['a mode in decimal', 'file.create', { file_mode: '999' }],
    ['a technique of no catalogue', 'alert.raised', { threats: [{ tactic: 'execution', technique: 'X1' }] }],
    ['a structured value in an alert', 'alert.raised', { fields: { a: { b: 1 } } }],
    ['a time without milliseconds', 'bundle.applied', { floor: '2026-01-31T12:00:00Z' }],
    ['an envelope with something beside', 'operator.command', { document: { ...document, note: 'x' } }],
    ['a capability nobody defined', 'collector.start', { capabilities: ['telepathy'] }],
  ])('%s', (_, type, changes) => {
    const data = Object.fromEntries(
      Object.entries({ ...EXAMPLES[type], ...changes }).filter(([, value]) => value !== undefined),
    );
    expectCode(() => validateEvent(type, data), 'SCHEMA_MISMATCH');
  });
});

describe('the frame', () => {
  it('takes no type that is not listed, whatever its data', () => {
    for (const type of ['process.fork', 'toString', '__proto__', 'entity', '']) {
      expect(isEventType(type)).toBe(false);
      expectCode(() => validateEvent(type, {}), 'SCHEMA_MISMATCH');
      expectCode(() => published(lineOf(type, {})), 'SCHEMA_MISMATCH');
    }
  });

  it('takes kid and sig together or not at all, and nothing else', () => {
    const line = lineOf('process.exit', EXAMPLES['process.exit']);
    expect(published({ ...line, kid, sig: `${'A'.repeat(86)}==` })).toBeTruthy();
    for (const more of [{ kid }, { sig: `${'A'.repeat(86)}==` }, { host: 'x' }, { v: 2 }, { ts: -1 }, { ts: 1.5 }]) {
      expectCode(() => published({ ...line, ...more }), 'SCHEMA_MISMATCH');
    }
  });

  it('judges data by its own type only', () => {
    expectCode(() => published(lineOf('process.exit', EXAMPLES['file.create'])), 'SCHEMA_MISMATCH');
  });
});

describe('what the ledger writes by itself', () => {
  it('is in the contract, frame and all: a clock that ran back, and a recovery', async () => {
    const { directory } = await testLedger({ lines: 3 });
    const [entries] = readdirSync(join(directory, 'entries'));
    appendFileSync(join(directory, 'entries', entries ?? ''), '{"torn');
    await using writer = await open(directory);
    const surroundings = fakeSurroundings();
    await writer.append({ type: 'process.exit', actor, data: EXAMPLES['process.exit'] });
    await writer.close();
    await using back = await open(directory, { ...surroundings, clock: { now: () => 1, mono: () => 1 } });
    await back.append({ type: 'process.exit', actor, data: EXAMPLES['process.exit'] });
    const text = readFileSync(join(directory, 'entries', entries ?? ''), 'utf8');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; data: unknown });
    const own = lines.slice(3);
    expect(own.map(({ type }) => type)).toEqual(['log.recovery', 'process.exit', 'clock.jump', 'process.exit']);
    for (const line of own) {
      expect(published(line)).toBe(line);
      validateEvent(line.type, line.data);
    }
  });
});

describe('the identity of a process', () => {
  it('reads back what it was made of', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,40}$/);
    const start = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
    fc.assert(
      fc.property(name, name, fc.nat(4_194_304), start, (host, boot, pid, ticks) => {
        const parts = { host, boot, pid, start: ticks };
        expect(parseEntity(formatEntity(parts))).toEqual(parts);
      }),
      { numRuns: runs(200, 10_000) },
    );
  });

  it.each(['', '1', 'h:b:1', 'h:b:01:1', 'h:b:1:-1', 'h:b:1:1:1', ':b:1:1', 'h::1:1', 'h b:b:1:1', 'h:b:1:1\n'])(
    'is not %j',
    (text) => expectCode(() => parseEntity(text), 'SCHEMA_MISMATCH'),
  );

  it('can not be made ambiguous by a colon in a part', () => {
    expectCode(() => formatEntity({ host: 'h:b', boot: 'b', pid: 1, start: '1' }), 'SCHEMA_MISMATCH');
    expectCode(() => formatEntity({ host: 'h', boot: 'b', pid: 1.5, start: '1' }), 'SCHEMA_MISMATCH');
  });
});
