import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyEvidence } from '../../../src/forensics/evidence/verify-io.ts';
import type { HostEnrolmentDocument } from '../../../src/verify/enrolment-document.ts';
import { hasTool } from '../../support/cli.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';
import { tempDirectory } from '../../support/temp.ts';
import { filesOf, get } from './forge.ts';
import {
  BUNDLE,
  directoriesOf,
  enrolHost,
  enrolOperator,
  expectTrusted,
  exportOf,
  type HostLogs,
  judge,
  Log,
  TRACE,
  trustOf,
  writeHost,
  writeTrace,
} from './sample.ts';

type Line = { readonly type: string; readonly seq: number; readonly data: Record<string, unknown> };

/** Two hosts, host-1 with the trace of the sample and host-2 with trace-8; their logs are only ever read. */
let scratch: string;
let first: HostLogs;
let second: HostLogs;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  first = await writeHost(scratch, 'host-1');
  second = await writeHost(scratch, 'host-2', { id: 'trace-8' });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The package of host-1, exported anew: `data` has nothing else in it. */
async function packageOf(changes: Parameters<typeof exportOf>[2] = {}) {
  const data = tempDirectory();
  const out = join(data, 'plant-7-1.evidence.tar');
  const exported = await exportOf([first], out, changes);
  return { data, out, exported, files: await filesOf(out) };
}

const linesIn = (files: Awaited<ReturnType<typeof filesOf>>, log: string, host = 'host-1'): Line[] =>
  Buffer.from(get(files, `data/logs/${host}/${log}/lines.ndjson`))
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('a package of a trace', () => {
  it('holds the trace, what started it, what delivered the rule, and what could not be seen', async () => {
    const { files, out, exported } = await packageOf();
    const procmond = linesIn(files, 'procmond');
    expect(procmond.map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'collector.start'],
      [6, 'collector.gap'],
      [7, 'process.exec'],
      [8, 'trace.start'],
      [9, 'process.exec'],
      [11, 'process.exec'],
      [13, 'process.exec'],
      [15, 'trace.stop'],
    ]);
    expect(linesIn(files, 'agent').map(({ type, data }) => [type, data['started_trace']])).toEqual([
      ['alert.raised', TRACE],
    ]);
    expect(linesIn(files, 'install').map(({ type, data }) => [type, data['payload']])).toEqual([
      ['bundle.applied', BUNDLE],
    ]);
    const report = await judge(out);
    expectTrusted(report);
    expect(report.subject).toMatchObject({
      digest: exported.digest,
      detail: { case: 'plant-7', number: 1, hosts: 'host-1', logs: 3, lines: 10, withheld: 7, trace: TRACE },
    });
    expect(report.signers).toEqual([{ keyid: testKey('host-1 log').publicKey.keyid, role: 'log' }]);
  });

  it('holds lines, genesis and checkpoint verbatim', async () => {
    const { files } = await packageOf();
    const { directory } = first.procmond;
    const written = ['000000000000.ndjson', '000000000008.ndjson', '000000000016.ndjson']
      .map((name) => readFileSync(join(directory, 'entries', name), 'utf8'))
      .join('')
      .split('\n');
    const own = Buffer.from(get(files, 'data/logs/host-1/procmond/lines.ndjson')).toString().split('\n').slice(0, -1);
    expect(own).toEqual([1, 6, 7, 8, 9, 11, 13, 15].map((seq) => written[seq]));
    expect(Buffer.from(get(files, 'data/logs/host-1/procmond/genesis.json'))).toEqual(
      readFileSync(join(directory, 'genesis.json')),
    );
    const heads = ['a', 'b'].map((slot) => readFileSync(join(directory, 'checkpoints', `head.${slot}`), 'utf8'));
    expect(heads).toContain(Buffer.from(get(files, 'data/logs/host-1/procmond/checkpoint')).toString());
  });

  it('is the same bytes for the same logs', async () => {
    const { data, exported } = await packageOf();
    const again = await exportOf([first], join(data, 'again.tar'));
    expect([again.sha256, again.digest]).toEqual([exported.sha256, exported.digest]);
    expect(readdirSync(data).sort()).toEqual(['again.tar', 'plant-7-1.evidence.tar']);
  });

  it('is trusted unpacked, under any name', async () => {
    const { data, out } = await packageOf();
    execFileSync('tar', ['xf', out, '-C', data]);
    expectTrusted(await judge(join(data, 'plant-7-1.evidence')));
    execFileSync('mv', [join(data, 'plant-7-1.evidence'), join(data, 'renamed')]);
    expectTrusted(await judge(join(data, 'renamed')));
  });

  it('hands its copy to who asks for it, and leaves nothing behind otherwise', async () => {
    const { data, out } = await packageOf();
    const staging = join(data, 'staging');
    const { contents } = await verifyEvidence(out, trustOf(), { staging, name: 'it' });
    expect(contents?.logs.map(({ place }) => place.log)).toEqual(['agent', 'install', 'procmond']);
    expect(existsSync(join(staging, 'data/logs/host-1/procmond/lines.ndjson'))).toBe(true);
  });

  it.skipIf(!hasTool('sha256sum') || !hasTool('openssl'))('can be checked with stock tools', async () => {
    const { data, out } = await packageOf();
    execFileSync('tar', ['xf', out, '-C', data]);
    writeFileSync(join(data, 'key.pem'), testKey('host-1 log').publicKey.pem);
    const script = `
      sha256sum -c --quiet tagmanifest-sha256.txt && sha256sum -c --quiet manifest-sha256.txt
      sed 's/.*"payload":"\\([^"]*\\)".*/\\1/' signatures/seal.dsse.json | base64 -d | cmp - tagmanifest-sha256.txt
      sed 's/.*"sig":"\\([^"]*\\)".*/\\1/' signatures/seal.dsse.json | base64 -d > ../signature
      type=application/vnd.daemoneye.evidence.tagmanifest
      { printf 'DSSEv1 %d %s %d ' "\${#type}" "$type" "$(wc -c < tagmanifest-sha256.txt)"; cat tagmanifest-sha256.txt; } > ../signed
      openssl pkeyutl -verify -pubin -inkey ../key.pem -rawin -in ../signed -sigfile ../signature`;
    const said = execFileSync('sh', ['-e', '-c', script], { cwd: join(data, 'plant-7-1.evidence') }).toString();
    expect(said).toContain('Signature Verified Successfully');
  });

  it('carries several hosts side by side', async () => {
    const data = tempDirectory();
    const out = join(data, 'plant-7-1.evidence.tar');
    const ranges = [{ log: 'procmond', from: 0, to: 20 }];
    await expectCodeAsync(exportOf([first, first], out), 'EXPORT_INPUT');
    await exportOf([first, second], out, { what: { trace: 'trace-8' }, key: testKey('host-2 log') });
    const report = await judge(out);
    expectTrusted(report);
    expect(report.subject.detail).toMatchObject({ hosts: 'host-2', trace: 'trace-8' });
    await exportOf([first], join(data, 'ranges.tar'), { what: { ranges } });
    const whole = await judge(join(data, 'ranges.tar'));
    expectTrusted(whole);
    expect(whole.subject.detail).toMatchObject({ lines: 20, withheld: 0 });
    expect(whole.checks.find(({ name }) => name === 'trace')?.reason).toContain('claims no whole trace');
  });

  it('takes along only enrolments that concern it', async () => {
    const out = join(tempDirectory(), 'plant-7-1.evidence.tar');
    const enrolments = [
      enrolHost(first),
      enrolHost(second),
      enrolOperator('alice', ['evidence']),
      enrolOperator('bob', ['evidence']),
    ];
    const { document } = await exportOf([first], out, { enrolments, key: testKey('alice') });
    expect(document.enrolments).toHaveLength(2);
    const report = await judge(out);
    expectTrusted(report);
    expect(report.signers).toEqual([{ keyid: testKey('alice').publicKey.keyid, role: 'evidence', operator: 'alice' }]);
  });

  it('may be sealed by a holder of the role evidence, and needs no enrolment inside when it is known', async () => {
    const { out } = await packageOf({ key: testKey('clerk-b'), enrolments: [] });
    expectTrusted(await judge(out, trustOf({ enrolments: [enrolHost(first)] })));
  });

  it('reaches over logs where its trace does', async () => {
    const data = tempDirectory();
    const [agent, procmond] = [new Log(data, 'host-3', 'agent'), new Log(data, 'host-3', 'procmond')];
    for (let i = 0; i < 30; i += 1) await procmond.append('collector.gap', { cause: 'shed', count: i });
    await writeTrace(procmond, { events: 12, startIn: agent });
    for (const log of [agent, procmond]) await log.close();
    const out = join(data, 'plant-7-1.evidence.tar');
    const host = { agent, procmond, install: agent };
    const logs = [agent.directory, procmond.directory];
    const { document } = await exportOf([host], out, { logs, enrolments: [], key: testKey('clerk-a') });
    expect(document.hosts[0]?.logs.map(({ log, from, lines, withheld }) => [log, from, lines, withheld])).toEqual([
      ['agent', 0, 1, 0],
      ['procmond', 30, 13, 12],
    ]);
    const change = (enrolment: HostEnrolmentDocument) => ({ ...enrolment, logs: enrolment.logs.slice(0, 2) });
    expectTrusted(await judge(out, trustOf({ enrolments: [enrolHost(host, { change })] })));
    await expectCodeAsync(
      exportOf([host], join(data, 'a.tar'), { logs: [procmond.directory], enrolments: [] }),
      'TRACE_NOT_WHOLE',
    );
  });
});

describe('an export that the other side would refuse is not made', () => {
  const tryExport = async (changes: Parameters<typeof exportOf>[2], plan: Parameters<typeof writeHost>[2]) => {
    const data = tempDirectory();
    const host = plan === undefined ? first : await writeHost(data, 'host-1', plan);
    return () => exportOf([host], join(data, 'plant-7-1.evidence.tar'), changes);
  };

  it.each<[string, Parameters<typeof exportOf>[2], Parameters<typeof writeHost>[2] | undefined, string]>([
    ['a trace nobody knows', { what: { trace: 'trace-9' } }, undefined, 'TRACE_NOT_FOUND'],
    ['a trace that still runs', {}, { stop: false }, 'TRACE_NOT_WHOLE'],
    ['a trace that nobody signed', {}, { sign: false }, 'TRACE_LINE_UNSIGNED'],
    ['nothing', { what: { ranges: [] } }, undefined, 'NOTHING_SELECTED'],
    ['a log that is not there', { what: { ranges: [{ log: 'kernel', from: 0, to: 1 }] } }, undefined, 'EXPORT_INPUT'],
    ['a range beyond the head', { what: { ranges: [{ log: 'agent', from: 0, to: 2 }] } }, undefined, 'EXPORT_INPUT'],
    ['an empty range', { what: { ranges: [{ log: 'agent', from: 1, to: 1 }] } }, undefined, 'EXPORT_INPUT'],
    ['a case with a strange name', { case: '../x' }, undefined, 'EXPORT_INPUT'],
  ])('%s', async (_, changes, plan, code) => {
    await expectCodeAsync(await tryExport(changes, plan), code);
  });

  it('a trace whose log has lost a line', async () => {
    const data = tempDirectory();
    const host = await writeHost(data);
    await expectCodeAsync(
      exportOf([host], join(data, 'a.tar'), { logs: directoriesOf(host).filter((name) => !name.endsWith('procmond')) }),
      'TRACE_NOT_FOUND',
    );
    const file = join(host.procmond.directory, 'entries', '000000000008.ndjson');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"pid":900', '"pid":901').replace('process_pid":11', 'process_pid":12'));
    await expectCodeAsync(exportOf([host], join(data, 'a.tar')), 'TRACE_NOT_WHOLE');
    writeFileSync(file, text.replace('"count":3', '"count":4').replace('"cause":"exited"', '"cause":"failed"'));
    await expectCodeAsync(exportOf([host], join(data, 'a.tar')), 'LOG_DAMAGED');
    expect(readdirSync(data)).toEqual(['host-1']);
  });

  it('over an existing file', async () => {
    const { out } = await packageOf();
    await expectCodeAsync(exportOf([first], out), 'OUTPUT_EXISTS');
  });
});
