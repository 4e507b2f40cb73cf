import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { CommandClass } from 'clipanion';
import { describe, expect, it } from 'vitest';
import type { CliContext } from '../../../src/cli/command.ts';
import { EvidenceExport } from '../../../src/cli/commands/evidence/export.ts';
import { EvidenceVerify } from '../../../src/cli/commands/evidence/verify.ts';
import { TrustEnrolAccept } from '../../../src/cli/commands/trust/enrol-accept.ts';
import { TrustEnrolHost } from '../../../src/cli/commands/trust/enrol-host.ts';
import { TrustEnrolOperator } from '../../../src/cli/commands/trust/enrol-operator.ts';
import { TrustEnrolRequest } from '../../../src/cli/commands/trust/enrol-request.ts';
import { TrustEnrolSign } from '../../../src/cli/commands/trust/enrol-sign.ts';
import { Output } from '../../../src/cli/output.ts';
import { parseCommand } from '../../../src/cli/parse.ts';
import type { Report } from '../../../src/core/checks.ts';
import { formatPrivateKey } from '../../../src/core/keys.ts';
import { validateSchema } from '../../../src/core/schema.ts';
import { initHost } from '../../../src/install/host-io.ts';
import { systemRandom } from '../../../src/ledger/surroundings-io.ts';
import { inside, readSchema } from '../../support/cli.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';
import { tempDirectory } from '../../support/temp.ts';
import { day, keyid, rootDocument, rootFile } from '../../support/trust.ts';
import { editText, filesOf, writeTarOf } from './forge.ts';
import { Log, writeTrace } from './sample.ts';

/**
 * The commands as classes: parsed and run as the program does, errors thrown instead of printed. Whatever they print is
 * what their schemas say.
 */
async function run<T>(
  command: CommandClass<CliContext>,
  ...argv: string[]
): Promise<{ code: number; json: T; notes: string }> {
  const texts = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof texts) =>
    new Writable({
      decodeStrings: false,
      write(chunk: string | Buffer, _, done) {
        texts[name] += chunk.toString();
        done();
      },
    });
  const [stdout, stderr] = [stream('stdout'), stream('stderr')];
  const output = new Output(stdout, stderr, {}, { json: true, verbose: false, noColour: true });
  const signal = new AbortController().signal;
  const context = { env: {}, stdin: Readable.from([]), stdout, stderr, colorDepth: 1, output, signal, now: day(20) };
  const name = (command.paths?.[0] ?? []).join(' ');
  const words = [...name.split(' '), ...argv, '--json'];
  const code = await parseCommand(command, name, words, context as unknown as CliContext).execute();
  await output.flush();
  const schema = command === EvidenceVerify ? 'report' : name.replaceAll(' ', '-');
  validateSchema(readSchema(schema), JSON.parse(texts.stdout));
  return { code, json: JSON.parse(texts.stdout) as T, notes: texts.stderr };
}

type Enrolled = { file: string; fingerprint: string; signatures: number; signers?: { keyid: string }[] };
type Packed = {
  file: string;
  digest: string;
  package: { case: string; number: number; enrolments: string[]; trace?: string };
};

/** A host with a real data directory, a traced log in it, a pinned root; and an analyst's station with the same root. */
async function enclave() {
  const folder = tempDirectory();
  const host = join(folder, 'host');
  const station = join(folder, 'station');
  const roles = {
    root: { keys: ['root-a'] },
    enrol: { keys: ['enrol-a', 'enrol-b'], threshold: 2 },
    evidence: { keys: ['clerk-a'] },
  };
  const root = join(folder, '1.root.dsse.json');
  const { bytes } = rootFile(rootDocument({ roles }), ['root-a']);
  writeFileSync(root, bytes);
  const shown = await inside(['trust', 'show', root, '--json']);
  const { fingerprint } = JSON.parse(shown.stdout) as { fingerprint: string };
  let key = '';
  for (const data of [host, station]) {
    const made = initHost(data, day(10), systemRandom);
    if (data === host) key = made.host;
    expect(await inside(['trust', 'pin', root, '--fingerprint', fingerprint, '--data', data])).toMatchObject({
      code: 0,
    });
  }
  for (const name of ['enrol-a', 'enrol-b', 'clerk-a', 'eve', 'carol']) {
    writeFileSync(join(folder, `${name}.key.pem`), formatPrivateKey(testKey(name).handle));
    writeFileSync(join(folder, `${name}.pub.pem`), testKey(name).publicKey.pem);
  }
  const log = new Log(join(folder, 'logs'), key, 'procmond');
  await writeTrace(log);
  await log.close();
  const { cpSync } = await import('node:fs');
  cpSync(log.directory, join(host, 'logs', 'procmond'), { recursive: true });
  return { folder, host, station, root, at: (name: string) => join(folder, name) };
}

describe('enrolment, and evidence under it, on the command line', () => {
  it('goes from the request to a package that a station trusts', async () => {
    const { host, station, root, at } = await enclave();
    const request = at('host.enrolment.json');
    const asked = await run<Enrolled>(TrustEnrolRequest, '--out', request, '--data', host);
    expect(asked.json).toMatchObject({ signatures: 0, enrolment: { logs: [{ hash: 'blake3' }, { hash: 'blake3' }] } });
    await expectCodeAsync(run(TrustEnrolRequest, '--out', request, '--data', host), 'FILE_EXISTS');
    await expectCodeAsync(run(TrustEnrolAccept, request, '--data', station), 'UNSIGNED');

    // Two people sign copies, apart.
    const [a, b] = [at('a.json'), at('b.json')];
    const first = await run<Enrolled>(TrustEnrolHost, request, '--key', at('enrol-a.key.pem'), '--out', a);
    expect(first.json).toMatchObject({ signatures: 1, fingerprint: asked.json.fingerprint, keyid: keyid('enrol-a') });
    await run(TrustEnrolSign, request, '--key', at('enrol-b.key.pem'), '--out', b);
    const again = await run<Enrolled>(TrustEnrolHost, a, '--key', at('enrol-a.key.pem'));
    expect(again.json.signatures).toBe(1);
    await expectCodeAsync(run(TrustEnrolAccept, a, '--data', station), 'THRESHOLD_NOT_MET');
    await expectCodeAsync(run(TrustEnrolAccept, a, at('1.root.dsse.json'), '--data', station), 'ENROLMENT_MALFORMED');
    const accepted = await run<Enrolled>(TrustEnrolAccept, a, b, '--data', host);
    expect(accepted.json.signers?.map((signer) => signer.keyid)).toEqual([keyid('enrol-a'), keyid('enrol-b')]);
    expect(readdirSync(join(host, 'trust', 'enrolments'))).toEqual([`${asked.json.fingerprint.slice(7)}.dsse.json`]);

    const out = at('plant-7-3.evidence.tar');
    const packed = await run<Packed>(
      EvidenceExport,
      '--trace',
      'trace-7',
      '--out',
      out,
      '--data',
      host,
      '--key',
      at('clerk-a.key.pem'),
    );
    expect(packed.json.package).toMatchObject({
      case: 'plant-7',
      number: 3,
      trace: 'trace-7',
      enrolments: [asked.json.fingerprint],
    });

    for (const trust of [
      ['--data', station],
      ['--trust', root],
    ]) {
      const verified = await run<Report>(EvidenceVerify, out, ...trust);
      // The log of this test has another key than the data directory; both were enrolled.
      expect(verified.json.checks.filter(({ status }) => status !== 'pass')).toEqual([]);
      expect(verified).toMatchObject({ code: 0, json: { verdict: 'trusted' } });
    }
    const forged = editText(await filesOf(out), `data/logs/${hostIn(packed)}/procmond/lines.ndjson`, (text) =>
      text.replace('p11', 'p12'),
    );
    await writeTarOf(forged, at('forged.tar'), 'plant-7-3.evidence');
    const refused = await run<Report>(EvidenceVerify, at('forged.tar'), '--trust', root);
    expect(refused).toMatchObject({ code: 3, json: { verdict: 'refused' } });
    expect(refused.json.checks.find(({ status }) => status === 'fail')?.reason).toMatch(
      /procmond .*, line 2 \(seq 1\)/,
    );
  });

  it('exports without an enrolment, says so, and is believed only where the host is known', async () => {
    const { host, station, root, at } = await enclave();
    const out = at('plant-7-1.evidence.tar');
    const packed = await run<Packed>(
      EvidenceExport,
      '--range',
      'procmond:0-8',
      '--out',
      out,
      '--data',
      host,
      '--key',
      at('clerk-a.key.pem'),
    );
    expect(packed.notes).toContain('No enrolment goes along');
    const unknown = await run<Report>(EvidenceVerify, out, '--data', station);
    expect(unknown).toMatchObject({ code: 3 });
    expect(unknown.json.checks.find(({ status }) => status === 'fail')).toMatchObject({
      name: 'enrolment',
      code: 'KEY_ONLY_INSIDE',
    });
    const request = at('host.enrolment.json');
    await run(TrustEnrolRequest, '--out', request, '--data', host, '--expires', '5d');
    for (const name of ['enrol-a', 'enrol-b']) await run(TrustEnrolHost, request, '--key', at(`${name}.key.pem`));
    expect(await run(EvidenceVerify, out, '--trust', root, '--enrolment', request)).toMatchObject({ code: 0 });
    const late = await run<Report>(
      EvidenceVerify,
      out,
      '--trust',
      root,
      '--enrolment',
      request,
      '--floor',
      '2027-06-01',
    );
    expect(late.json.checks.find(({ status }) => status === 'fail')).toMatchObject({
      name: 'enrolment',
      code: 'EXPIRED',
    });
    await run(TrustEnrolAccept, request, '--data', station);
    expect(await run(EvidenceVerify, out, '--data', station)).toMatchObject({ code: 0 });
  });

  it('enrols operators for roles that the root leaves to enrolments', async () => {
    const { at, station } = await enclave();
    const operator = (role: string, out: string) =>
      run<Enrolled>(
        TrustEnrolOperator,
        'carol',
        '--public',
        at('carol.pub.pem'),
        '--role',
        role,
        '--expires',
        '90d',
        '--key',
        at('enrol-a.key.pem'),
        '--out',
        at(out),
      );
    await expectCodeAsync(operator('rules', 'x.json'), 'USAGE_VALUE');
    const made = await operator('evidence', 'carol.json');
    expect(made.json).toMatchObject({
      signatures: 1,
      enrolment: { operator: 'carol', roles: ['evidence'], expires: day(110) },
    });
    await expectCodeAsync(operator('evidence', 'carol.json'), 'FILE_EXISTS');
    await expectCodeAsync(run(TrustEnrolHost, at('carol.json'), '--key', at('enrol-b.key.pem')), 'USAGE_VALUE');
    await run(TrustEnrolSign, at('carol.json'), '--key', at('eve.key.pem'));
    await expectCodeAsync(run(TrustEnrolAccept, at('carol.json'), '--data', station), 'THRESHOLD_NOT_MET');
    await run(TrustEnrolSign, at('carol.json'), '--key', at('enrol-b.key.pem'));
    const accepted = await run<Enrolled>(TrustEnrolAccept, at('carol.json'), '--data', station);
    expect(accepted.json.signers).toHaveLength(2);
    expect(JSON.parse(readFileSync(accepted.json.file, 'utf8')).signatures).toHaveLength(3);
  });

  it.each([
    ['nothing to export', [], 'USAGE_OPTION'],
    ['both ways at once', ['--trace', 'x', '--range', 'procmond:0-1'], 'USAGE_OPTION'],
    ['a range that is none', ['--range', 'procmond:0'], 'USAGE_VALUE'],
    ['a trace nobody knows', ['--trace', 'trace-9'], 'TRACE_NOT_FOUND'],
  ])('refuses %s', async (_, argv, code) => {
    const data = join(tempDirectory(), 'data');
    initHost(data, day(10), systemRandom);
    await expectCodeAsync(run(EvidenceExport, ...argv, '--out', join(data, 'x-1.evidence.tar'), '--data', data), code);
  });
});

function hostIn({ json }: { json: Packed }): string {
  return (json.package as unknown as { hosts: { host: string }[] }).hosts[0]?.host ?? '';
}
