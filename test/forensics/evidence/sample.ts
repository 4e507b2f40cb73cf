import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import type { Report } from '../../../src/core/checks.ts';
import { sha256 } from '../../../src/core/digest.ts';
import { encodeEnvelope } from '../../../src/core/dsse.ts';
import { validateEvent } from '../../../src/core/event.ts';
import type { EventData, EventType } from '../../../src/core/event-data.ts';
import { traceLink, traceNext, traceOpen, traceSeed, traceStop } from '../../../src/core/evidence/trace-chain.ts';
import { encodeCanonicalJson } from '../../../src/core/jcs.ts';
import type { JsonObject } from '../../../src/core/strict-json.ts';
import { type ExportOptions, exportEvidence } from '../../../src/forensics/evidence/export-io.ts';
import { EVIDENCE_CHECKS, type EvidenceCheckName } from '../../../src/forensics/evidence/format.ts';
import type { EvidenceTrust } from '../../../src/forensics/evidence/verification.ts';
import { verifyEvidence } from '../../../src/forensics/evidence/verify-io.ts';
import { createLedger } from '../../../src/ledger/create-io.ts';
import { readGenesis } from '../../../src/ledger/open-io.ts';
import { type LedgerWriter, openLedgerWriter } from '../../../src/ledger/writer-io.ts';
import {
  ENROLMENT_PAYLOAD_TYPE,
  type EnrollableRole,
  type HostEnrolmentDocument,
  type OperatorEnrolmentDocument,
} from '../../../src/verify/enrolment-document.ts';
import type { TrustRoot } from '../../../src/verify/root-document.ts';
import { testKey } from '../../support/keys.ts';
import { day, keyid, pinnedRoot, ROLES, type RootPlan, signed } from '../../support/trust.ts';

/** Hosts with real logs on disk, and packages of them. Keys, hosts and logs go by plain names. */

export const TRACE = 'trace-7';
export const BUNDLE = `sha256:${'b'.repeat(64)}` as const;
const BOOT = 'boot-1';

/** Time and chance that repeat: the same calls give the same lines. */
function surroundings(seed: string) {
  let tick = 0;
  return {
    boot: BOOT,
    clock: { now: () => 1_800_000_000_000 + ++tick, mono: () => 1_000_000 + tick },
    random: (bytes: number) => sha256(utf8(`${seed} ${++tick}`)).slice(0, bytes),
  };
}

/** Writes events that the contract allows, and signs those that are asked for. */
export class Log {
  readonly directory: string;
  readonly host: string;
  readonly keyName: string;
  #writer: LedgerWriter | undefined;

  constructor(data: string, host: string, log: string, keyName = `${host} log`) {
    this.directory = join(data, host, log);
    this.host = host;
    this.keyName = keyName;
    mkdirSync(join(data, host), { recursive: true });
    createLedger({
      directory: this.directory,
      host,
      origin: `daemoneye.invalid/${host}/${log}`,
      hash: 'blake3',
      key: testKey(keyName),
      createdAt: day(1),
      rotate: 8,
    });
  }

  async append<T extends EventType>(type: T, data: EventData[T], signer?: string) {
    this.#writer ??= await openLedgerWriter({
      directory: this.directory,
      key: testKey(this.keyName),
      ...surroundings(this.directory.split('/').slice(-2).join('/')),
    });
    return this.#writer.append({
      type,
      actor: { type: 'process', id: 'test' },
      data: validateEvent(type, data) as unknown as JsonObject,
      ...(signer === undefined ? {} : { signer: testKey(signer) }),
    });
  }

  async close(): Promise<void> {
    await this.#writer?.head();
    await this.#writer?.close();
    this.#writer = undefined;
  }
}

export type TracePlan = {
  readonly id?: string;
  readonly events?: number;
  readonly stop?: boolean;
  readonly sign?: boolean;
  /** Another key than the log's own. */
  readonly signAs?: string;
  /** Another log, which holds the trace's first line. */
  readonly startIn?: Log;
};

const entity = (host: string, pid: number) => `${host}:${BOOT}:${pid}:${pid}00`;
const process = (host: string, pid: number) => ({
  entity: entity(host, pid),
  process_pid: pid,
  process_name: `p${pid}`,
  argv_state: 'denied' as const,
});

/** A trace of `events` execs, one unrelated line after each, signed by the log's key. */
export async function writeTrace(log: Log, plan: TracePlan = {}): Promise<void> {
  const { id = TRACE, events = 3, stop = true, sign = true } = plan;
  const signer = sign ? (plan.signAs ?? log.keyName) : undefined;
  const start: EventData['trace.start'] = {
    trace_id: id,
    entity: entity(log.host, 10),
    depth: 4,
    capture: { cmdlines: true, network: true, files: false },
    max: { seconds: 60, events: 100, bytes: 1_000_000 },
    cause: 'rule',
    reason: 'a shell under a web server',
    rule_id: 'web-shell',
    alert_id: 'alert-1',
  };
  let end = traceOpen(id, traceSeed(start));
  const add = async <T extends EventType>(type: T, data: EventData[T], to = log): Promise<void> => {
    end = traceNext(end, (await to.append(type, data, signer)).leaf);
  };
  await add('trace.start', { ...start, ...traceLink(end) }, plan.startIn);
  for (let i = 0; i < events; i += 1) {
    await add('process.exec', { ...process(log.host, 11 + i), ...traceLink(end) });
    await log.append('process.snapshot', process(log.host, 900 + i));
  }
  if (stop) await add('trace.stop', { ...traceStop(end), cause: 'exited' });
}

export type HostLogs = { readonly procmond: Log; readonly agent: Log; readonly install: Log };

/**
 * A host's three logs: what procmond saw (a start, noise, the exec that fired, the trace with noise in it, noise), the
 * agent's alert, and the bundle that brought the rule.
 */
export async function writeHost(data: string, host = 'host-1', plan: TracePlan = {}): Promise<HostLogs> {
  const [procmond, agent, install] = ['procmond', 'agent', 'install'].map((name) => new Log(data, host, name));
  if (procmond === undefined || agent === undefined || install === undefined) throw new Error('three logs were made');
  const start = { collector_name: 'procmond', collector_version: '0.1.0', capabilities: [], sources: [] };
  await install.append('bundle.applied', {
    channel: 'rules/linux',
    seq: 1,
    payload: BUNDLE,
    kind: 'rules',
    root_version: 1,
    floor: day(10),
    files: 1,
    bytes: 100,
    signers: [],
  });
  await procmond.append('process.snapshot', process(host, 1));
  await procmond.append('collector.start', start);
  for (let pid = 2; pid < 6; pid += 1) await procmond.append('process.snapshot', process(host, pid));
  await procmond.append('collector.gap', { collector_name: 'procmond', cause: 'overrun', count: 3 });
  const fired = await procmond.append('process.exec', process(host, 10));
  await agent.append('alert.raised', {
    alert_id: 'alert-1',
    rule_id: 'web-shell',
    rule_version: 1,
    rule_severity: 'high',
    bundle: BUNDLE,
    completeness: 'full',
    evidence: [{ origin: `daemoneye.invalid/${host}/procmond`, seq: fired.seq }],
    started_trace: plan.id ?? TRACE,
  });
  await writeTrace(procmond, plan);
  for (let pid = 20; pid < 24; pid += 1) await procmond.append('process.snapshot', process(host, pid));
  for (const log of [procmond, agent, install]) await log.close();
  return { procmond, agent, install };
}

export const directoriesOf = (...hosts: readonly HostLogs[]): string[] =>
  hosts.flatMap(({ procmond, agent, install }) => [procmond, agent, install].map(({ directory }) => directory));

/** Two of three enrol; one of two seals evidence. */
export const ENCLAVE = {
  ...ROLES,
  enrol: { keys: ['enrol-a', 'enrol-b', 'enrol-c'], threshold: 2 },
  evidence: { keys: ['clerk-a', 'clerk-b'], threshold: 1 },
} as const;

export const rootWith = (plan: RootPlan = {}) => pinnedRoot({ roles: ENCLAVE, ...plan });
const ENROL = ['enrol-a', 'enrol-b'];

export type EnrolmentPlan = {
  readonly signers?: readonly string[];
  readonly change?: (document: HostEnrolmentDocument) => unknown;
};

/** The signed enrolment of all logs of a host. */
export function enrolHost({ procmond, agent, install }: HostLogs, plan: EnrolmentPlan = {}): Uint8Array {
  const { signers = ENROL, change = (document) => document } = plan;
  const logs = [procmond, agent, install].map(({ directory }) => {
    const { origin, digest, hash, key } = readGenesis(directory);
    return { origin, genesis: digest, hash, keyid: key.keyid, pem: key.pem };
  });
  const document = change({ v: 1, host: procmond.host, logs, issuedAt: day(5) });
  return encodeEnvelope(signed(ENROLMENT_PAYLOAD_TYPE, encodeCanonicalJson(document), signers));
}

export function enrolOperator(
  operator: string,
  roles: readonly EnrollableRole[],
  { expires = day(90), keys = [operator] }: { readonly expires?: string; readonly keys?: readonly string[] } = {},
): Uint8Array {
  const document: OperatorEnrolmentDocument = {
    v: 1,
    operator,
    keys: keys.map((name) => ({ keyid: keyid(name), pem: testKey(name).publicKey.pem })),
    roles,
    issuedAt: day(5),
    expires,
  };
  return encodeEnvelope(signed(ENROLMENT_PAYLOAD_TYPE, encodeCanonicalJson(document), ENROL));
}

/** Exports the trace of one host, sealed by its log key, unless said otherwise. @returns the file */
export async function exportOf(hosts: readonly HostLogs[], out: string, changes: Partial<ExportOptions> = {}) {
  const exported = await exportEvidence({
    logs: directoriesOf(...hosts),
    what: { trace: TRACE },
    enrolments: hosts.map((host) => enrolHost(host)),
    key: testKey(hosts[0]?.procmond.keyName ?? ''),
    case: 'plant-7',
    number: 1,
    createdAt: day(20),
    builder: { name: 'daemoneye', version: '0.1.0' },
    out,
    ...changes,
  });
  expect(exported.file).toBe(out);
  return exported;
}

/** Parsed once: keys are checked thoroughly. */
let enclaveRoot: TrustRoot | undefined;

/** What the other side has: the enclave's root, a floor of day 30, and nothing about the host but what travels. */
export function trustOf(changes: Partial<EvidenceTrust> = {}): EvidenceTrust {
  enclaveRoot ??= rootWith();
  return { root: enclaveRoot, floor: day(30), enrolments: [], ...changes };
}

export async function judge(path: string, trust: EvidenceTrust = trustOf()): Promise<Report> {
  return (await verifyEvidence(path, trust)).report;
}

export function expectTrusted(report: Report): void {
  expect(report.checks.filter(({ status }) => status !== 'pass')).toEqual([]);
  expect(report.checks.map(({ name }) => name)).toEqual([...EVIDENCE_CHECKS]);
  expect(report.verdict).toBe('trusted');
}

/** Refused by this check, alone, with this code. @returns its reason */
export function expectRefused(report: Report, check: EvidenceCheckName, code: string): string {
  const failures = report.checks.filter(({ status }) => status === 'fail');
  expect(failures.map((failure) => [failure.name, failure.code])).toEqual([[check, code]]);
  expect(report.checks.map(({ name }) => name)).toEqual([...EVIDENCE_CHECKS]);
  const after = report.checks.slice(EVIDENCE_CHECKS.indexOf(check) + 1);
  expect(after.every(({ status }) => status === 'skipped')).toBe(true);
  expect(report.verdict).toBe('refused');
  return failures[0]?.reason ?? '';
}
