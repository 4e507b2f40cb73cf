import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../../../src/core/digest.ts';
import { encodeEnvelope, signEnvelope } from '../../../src/core/dsse.ts';
import { traceLink, traceNext, traceOpen, traceSeed, traceStop } from '../../../src/core/evidence/trace-chain.ts';
import type { JsonObject } from '../../../src/core/strict-json.ts';
import type { VerifyPackage } from '../../../src/forensics/case/add-io.ts';
import { type ExportOptions, exportEvidence } from '../../../src/forensics/evidence/export-io.ts';
import { verifyEvidence } from '../../../src/forensics/evidence/verify-io.ts';
import { createLedger } from '../../../src/ledger/create-io.ts';
import type { Genesis } from '../../../src/ledger/genesis.ts';
import { type LedgerWriter, openLedgerWriter } from '../../../src/ledger/writer-io.ts';
import { sealEnrolment } from '../../../src/verify/enrolment-document.ts';
import { testKey } from '../../support/keys.ts';
import { day, pinnedRoot, ROLES } from '../../support/trust.ts';

/** Real logs, exported and verified as the product does it; only clock and chance are ours. */

export const BOOT = '11111111-2222-3333-4444-555555555555';
/** Unix milliseconds of line 0; each line is a second later. */
export const START = Date.UTC(2027, 0, 20, 12);

export function entityOf(pid: number, host = 'host-a'): string {
  return `${host}:${BOOT}:${pid}:${pid * 100}`;
}

export type EventPlan = { readonly type: string; readonly data: JsonObject; readonly traced?: boolean };

export type LogPlan = {
  readonly host?: string;
  readonly log?: string;
  readonly events: readonly EventPlan[];
  readonly traceId?: string;
  /** Makes the random parts of the lines other ones. */
  readonly chance?: number;
};

export type SampleLog = { readonly directory: string; readonly genesis: Genesis; readonly enrolment: Uint8Array };

/** Writes a log with the real writer. */
export async function makeLog(folder: string, plan: LogPlan): Promise<SampleLog> {
  const { host = 'host-a', log = 'procmond', chance = 0 } = plan;
  const directory = join(folder, host, log);
  mkdirSync(join(folder, host), { recursive: true });
  const key = testKey(`${host}-${log}`);
  const origin = `daemoneye/${host}/${log}`;
  const genesis = createLedger({ directory, host, origin, hash: 'blake3', key, createdAt: day(10) });
  let second = 0;
  const clock = { now: () => START + second * 1000, mono: () => second++ * 1_000_000 };
  const random = (bytes: number) => new Uint8Array(bytes).fill((second + chance) % 256);
  await using writer = await openLedgerWriter({ directory, key, clock, boot: BOOT, random });
  await writeEvents(writer, plan, host);
  await writer.head();
  const { digest } = genesis;
  const enrolled = {
    origin,
    genesis: digest,
    hash: 'blake3' as const,
    keyid: key.publicKey.keyid,
    pem: key.publicKey.pem,
  };
  const document = sealEnrolment({ v: 1, host, logs: [enrolled], issuedAt: day(11) });
  return { directory, genesis, enrolment: encodeEnvelope(signEnvelope(document, testKey('enroller'))) };
}

async function writeEvents(
  writer: LedgerWriter,
  { events, traceId = 'trace-1', log = 'procmond' }: LogPlan,
  host: string,
) {
  const start = events.find(({ type }) => type === 'trace.start');
  let end = traceOpen(traceId, traceSeed({ ...start?.data, trace_id: traceId }));
  for (const { type, data, traced } of events) {
    const link = traced === true ? (type === 'trace.stop' ? traceStop(end) : traceLink(end)) : {};
    const signer = traced === true ? { signer: testKey(`${host}-${log}`) } : {};
    const { leaf } = await writer.append({
      type,
      actor: { type: 'process', id: log },
      data: { ...data, ...link },
      ...signer,
    });
    if (traced === true) end = traceNext(end, leaf);
  }
}

export type PackagePlan = {
  readonly number?: number;
  readonly what?: ExportOptions['what'];
  /** What the recipient will not know: keys found only inside prove nothing. */
  readonly withoutEnrolment?: boolean;
};

/** Exports logs as a sealed package. @returns the file and the digest */
export async function makePackage(
  folder: string,
  logs: readonly SampleLog[],
  { number = 1, what, withoutEnrolment = false }: PackagePlan = {},
): Promise<{ readonly file: string; readonly digest: Digest }> {
  const file = join(folder, `sample-${number}.evidence.tar`);
  const [first] = logs;
  if (first === undefined) throw new Error('a package needs a log');
  const { digest } = await exportEvidence({
    logs: logs.map(({ directory }) => directory),
    what: what ?? { trace: 'trace-1' },
    enrolments: withoutEnrolment ? [] : logs.map(({ enrolment }) => enrolment),
    key: testKey(`${first.genesis.host}-${first.genesis.origin.split('/').at(-1)}`),
    case: 'sample',
    number,
    createdAt: day(21),
    builder: { name: 'daemoneye', version: '0.1.0' },
    out: file,
  });
  return { file, digest };
}

/** The trust of the recipient: a root whose holder of `enrol` admitted the hosts. */
export const verifySample: VerifyPackage = (path, staging) => {
  const root = pinnedRoot({ roles: { ...ROLES, enrol: { keys: ['enroller'] } } });
  return verifyEvidence(path, { root, floor: day(12), enrolments: [] }, { staging });
};

/** A web server that starts a shell that starts a client that connects, beside others; and how the trace is told. */
export const INCIDENT: readonly EventPlan[] = [
  {
    type: 'collector.start',
    data: { collector_name: 'procmond', collector_version: '0.1.0', capabilities: ['process'], sources: [] },
  },
  snapshot(1, { process_name: 'init' }),
  snapshot(50, { process_name: 'other', parent_entity: entityOf(1), process_parent_pid: 1 }),
  traced('trace.start', {
    entity: entityOf(100),
    depth: 8,
    capture: { cmdlines: true, network: true, files: false },
    max: { seconds: 60, events: 1000, bytes: 1_000_000 },
    cause: 'rule',
    reason: 'web server starts a shell',
  }),
  traced(
    'process.snapshot',
    processData(100, { process_name: 'nginx', parent_entity: entityOf(1), process_parent_pid: 1 }),
  ),
  traced(
    'process.start',
    processData(101, { process_name: 'nginx', parent_entity: entityOf(100), process_parent_pid: 100 }),
  ),
  traced(
    'process.exec',
    processData(101, {
      process_name: 'sh',
      process_executable: '/bin/sh',
      parent_entity: entityOf(100),
      process_parent_pid: 100,
      argv_mask: 'sh -c <text:12>',
      argv_state: 'captured',
      process_hash_sha256: 'ab'.repeat(32),
    }),
  ),
  { type: 'process.exit', data: { entity: entityOf(50), process_pid: 50, process_exit_code: 0 } },
  traced(
    'process.start',
    processData(102, { process_name: 'curl', parent_entity: entityOf(101), process_parent_pid: 101 }),
  ),
  traced('network.connect', {
    entity: entityOf(102),
    process_pid: 102,
    process_name: 'curl',
    network_transport: 'tcp',
    network_type: 'ipv4',
    network_direction: 'egress',
    source_ip: '127.0.0.1',
    source_port: 40000,
    destination_ip: '127.0.0.1',
    destination_port: 8080,
  }),
  traced('network.close', {
    entity: entityOf(102),
    process_pid: 102,
    network_transport: 'tcp',
    network_type: 'ipv4',
    source_ip: '127.0.0.1',
    source_port: 40000,
    destination_ip: '127.0.0.1',
    destination_port: 8080,
  }),
  traced('process.exit', { entity: entityOf(102), process_pid: 102, process_exit_code: 7 }),
  traced(
    'process.start',
    processData(103, { process_name: 'e\u202evil\u001b[31m', parent_entity: entityOf(999), process_parent_pid: 999 }),
  ),
  { type: 'collector.gap', data: { collector_name: 'procmond', cause: 'denied', count: 3, reason: 'no permission' } },
  traced('trace.stop', { cause: 'exited' }),
];

/** The alert that started the trace, in the agent's own log. */
export const ALERTS: readonly EventPlan[] = [
  {
    type: 'alert.raised',
    data: {
      alert_id: 'alert-1',
      rule_id: 'shell-from-web-server',
      rule_version: 1,
      rule_name: 'Web server starts a shell',
      rule_severity: 'high',
      completeness: 'full',
      entity: entityOf(101),
      process_pid: 101,
      process_name: 'sh',
      started_trace: 'trace-1',
    },
  },
  { type: 'alert.repeated', data: { alert_id: 'alert-1', count: 2 } },
  { type: 'log.anchor', data: { origin: 'daemoneye/host-a/procmond', size: 5, root: 'A'.repeat(43).concat('=') } },
];

export function processData(pid: number, more: JsonObject = {}): JsonObject {
  return { entity: entityOf(pid), process_pid: pid, argv_state: 'lost', ...more };
}

function snapshot(pid: number, more: JsonObject): EventPlan {
  return { type: 'process.snapshot', data: processData(pid, more) };
}

function traced(type: string, data: JsonObject): EventPlan {
  return { type, data, traced: true };
}
