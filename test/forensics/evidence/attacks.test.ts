import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeTarHeader, tarPadding } from '../../../src/archive/tar-header.ts';
import { concatBytes, encodeBase64, utf8 } from '../../../src/core/bytes.ts';
import { signCheckpoint, verifyCheckpoint } from '../../../src/core/checkpoint.ts';
import type { Report } from '../../../src/core/checks.ts';
import { formatDigest } from '../../../src/core/digest.ts';
import type { EvidenceTrust } from '../../../src/forensics/evidence/verification.ts';
import { parseGenesis } from '../../../src/ledger/genesis.ts';
import type { HostEnrolmentDocument } from '../../../src/verify/enrolment-document.ts';
import { parseRoot } from '../../../src/verify/trust-root.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';
import { tempDirectory } from '../../support/temp.ts';
import { day, keyid, rootDocument, rootFile } from '../../support/trust.ts';
import {
  editJson,
  editLines,
  editText,
  type Files,
  filesOf,
  get,
  judgeFiles,
  remanifest,
  replaced,
  reseal,
  without,
  writeDirectoryOf,
  writeTarOf,
} from './forge.ts';
import {
  directoriesOf,
  ENCLAVE,
  enrolHost,
  enrolOperator,
  expectRefused,
  expectTrusted,
  exportOf,
  type HostLogs,
  judge,
  rootWith,
  TRACE,
  trustOf,
  writeHost,
} from './sample.ts';

/** An honest package of host-1, sealed by its own log key; everything below is made of it. */
let scratch: string;
let host: HostLogs;
let other: HostLogs;
let tar: string;
let files: Files;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  host = await writeHost(scratch);
  other = await writeHost(scratch, 'host-2');
  tar = join(scratch, 'plant-7-1.evidence.tar');
  await exportOf([host], tar);
  files = await filesOf(tar);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const LOG = 'data/logs/host-1/procmond';
const LINES = `${LOG}/lines.ndjson`;
const RANGE = `${LOG}/range-proof.json`;
const PACKAGE = 'data/package.json';
const SEAL = 'signatures/seal.dsse.json';
/** Somebody who may seal packages, and lies. */
const clerk = (changed: Files): Files => reseal(changed, ['clerk-a']);

/** Without the way over a file: what can be wrong with that way has tests of its own, and uses `shipped`. */
async function judged(changed: Files, trust: EvidenceTrust = trustOf(), name?: string): Promise<Report> {
  return judgeFiles(changed, trust, name);
}

async function shipped(changed: Files): Promise<Report> {
  return judge(await writeTarOf(changed, join(tempDirectory(), 'x.tar')));
}

const without2 = <T>(list: T[], at: number): T[] => list.filter((_, i) => i !== at);

it('the forge itself breaks nothing, and judges as the program does', async () => {
  expectTrusted(await shipped(files));
  const changed = clerk(editText(files, LINES, (text) => text.replace('boot-1', 'boot-2')));
  for (const one of [files, changed, without(files, SEAL)]) {
    const withoutContainer = ({ checks }: Report) => checks.filter(({ name }) => name !== 'container');
    expect(withoutContainer(await judged(one))).toEqual(withoutContainer(await shipped(one)));
  }
  expectTrusted(await judged(reseal(files, ['host-1 log'])));
  expectTrusted(await judged(clerk(files)));
});

describe('a container', () => {
  const raw = (name: string, body = 'x') =>
    concatBytes(encodeTarHeader(name, body.length), utf8(body), new Uint8Array(tarPadding(body.length)));

  it.each<[string, () => Promise<Report>, string]>([
    ['with a file of an unknown name', () => shipped(replaced(files, 'data/run-me.sh', 'x')), 'UNKNOWN_NAME'],
    ['with a verdict of its own', () => shipped(replaced(files, 'verdict.json', '{}')), 'UNKNOWN_NAME'],
    ['with a file that a log does not have', () => shipped(replaced(files, `${LOG}/notes.txt`, 'x')), 'UNKNOWN_NAME'],
    ['that would have us fetch', () => shipped(replaced(files, 'fetch.txt', 'http://x 1 data/x')), 'BAG_FETCH'],
    [
      'with twins under case',
      () => shipped(new Map([...files, ['data/logs/HOST-1/agent/checkpoint', utf8('x')]])),
      'PATH_TWIN',
    ],
    [
      'with a gigantic document',
      () => shipped(replaced(files, PACKAGE, ' '.repeat(1024 * 1024 + 1))),
      'PART_TOO_LARGE',
    ],
  ])('%s', async (_, report, code) => {
    expectRefused(await report(), 'container', code);
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array, string]>([
    ['cut off inside a file', (bytes) => bytes.subarray(0, 5000), 'TAR_TRUNCATED'],
    ['without its end', (bytes) => bytes.subarray(0, bytes.length - 1024), 'TAR_MISSING_EOF'],
    ['empty', () => new Uint8Array(), 'TAR_MISSING_EOF'],
    ['an archive of nothing', () => new Uint8Array(1024), 'NOT_A_PACKAGE'],
    ['with a second one behind it', (bytes) => concatBytes(bytes, bytes), 'TAR_CONCATENATED'],
    [
      'with a file beside the bag',
      (bytes) => concatBytes(bytes.subarray(0, -1024), raw('zz/bagit.txt'), new Uint8Array(1024)),
      'NOT_A_PACKAGE',
    ],
    [
      'with a file outside of any directory',
      () => concatBytes(raw('bagit.txt'), new Uint8Array(1024)),
      'NOT_A_PACKAGE',
    ],
    ['no archive', () => utf8('x'.repeat(2000)), 'TAR_CHECKSUM'],
  ])('that is %s', async (_, change, code) => {
    const bytes = new Uint8Array((await import('node:fs')).readFileSync(tar));
    const path = join(tempDirectory(), 'x.tar');
    writeFileSync(path, change(bytes));
    expectRefused(await judge(path), 'container', code);
  });

  it('that is a directory with a link in it, or with a stranger', async () => {
    const directory = writeDirectoryOf(without(files, PACKAGE), join(tempDirectory(), 'plant-7-1.evidence'));
    symlinkSync('/etc/passwd', join(directory, PACKAGE));
    expectRefused(await judge(directory), 'container', 'DIRECTORY_LINK');
    const second = writeDirectoryOf(files, join(tempDirectory(), 'plant-7-1.evidence'));
    writeFileSync(join(second, 'data', '.hidden'), 'x');
    expectRefused(await judge(second), 'container', 'UNKNOWN_NAME');
  });

  it('that is not there is trouble on this side, not a verdict', async () => {
    await expectCodeAsync(judge(join(scratch, 'nowhere.tar')), 'NOT_FOUND');
  });
});

describe('a bag', () => {
  it.each<[string, () => Files, string]>([
    ['without its tagmanifest', () => without(files, 'tagmanifest-sha256.txt'), 'BAG_TAGMANIFEST_MISSING'],
    ['without its manifest', () => without(files, 'manifest-sha256.txt'), 'BAG_FILE_MISSING'],
    ['without bagit.txt', () => without(files, 'bagit.txt'), 'BAG_FILE_MISSING'],
    ['with a file missing', () => without(files, `${LOG}/checkpoint`), 'BAG_FILE_MISSING'],
    [
      'with an unlisted payload',
      () => replaced(files, `data/enrolments/${'a'.repeat(64)}.dsse.json`, 'x'),
      'BAG_UNLISTED',
    ],
    [
      'with a manifest that lists a file no more',
      () => editText(files, 'manifest-sha256.txt', (text) => text.replace(/.*checkpoint\n/, '')),
      'BAG_CHANGED',
    ],
    [
      'with another manifest',
      () => editText(files, 'manifest-sha256.txt', (text) => text.replace(/^./, (c) => (c === '0' ? '1' : '0'))),
      'BAG_CHANGED',
    ],
    [
      'with other bag-info',
      () => editText(files, 'bag-info.txt', (text) => text.replace('2027', '2026')),
      'BAG_CHANGED',
    ],
    ['with another checkpoint', () => replaced(files, `${LOG}/checkpoint`, 'x'), 'BAG_CHANGED'],
    ['with another package.json', () => editJson(files, PACKAGE, (json) => (json.number = 2)), 'BAG_CHANGED'],
    [
      'with a tagmanifest out of order',
      () => editLines(files, 'tagmanifest-sha256.txt', (lines) => lines.toReversed()),
      'BAG_MALFORMED',
    ],
    [
      'with a tagmanifest in capitals',
      () => editText(files, 'tagmanifest-sha256.txt', (text) => text.toUpperCase()),
      'BAG_MALFORMED',
    ],
    [
      'with a line twice in the tagmanifest',
      () => editLines(files, 'tagmanifest-sha256.txt', ([first = '', ...rest]) => [first, first, ...rest]),
      'BAG_MALFORMED',
    ],
    [
      'with no line end in the tagmanifest',
      () => editText(files, 'tagmanifest-sha256.txt', (text) => text.trimEnd()),
      'BAG_MALFORMED',
    ],
  ])('%s', async (_, make, code) => {
    expectRefused(await judged(make()), 'bag', code);
  });

  it('of another version', async () => {
    const bagit = editText(files, 'bagit.txt', (text) => text.replace('1.0', '0.97'));
    const { factOf, encodeManifest } = await import('../../../src/forensics/evidence/bag.ts');
    const tags = ['bagit.txt', 'bag-info.txt', 'manifest-sha256.txt'];
    const facts = new Map(tags.map((path) => [path, factOf(get(bagit, path))]));
    const whole = replaced(bagit, 'tagmanifest-sha256.txt', '').set('tagmanifest-sha256.txt', encodeManifest(facts));
    expectRefused(await judged(whole), 'bag', 'BAG_MALFORMED');
  });
});

describe('one changed character in the lines is refused, and the line is named', () => {
  const flip = (line: number, edit: (text: string) => string) => (lines: string[]) =>
    lines.map((text, i) => (i === line ? edit(text) : text));
  /** seqs of the lines in the package, by their number less one. */
  const SEQS = [1, 6, 7, 8, 9, 11, 13, 15];

  it.each(SEQS.map((seq, i) => [i + 1, seq]))('line %i (seq %i), by a courier', async (number, seq) => {
    const changed = editLines(
      files,
      LINES,
      flip(number - 1, (text) => text.replace('boot-1', 'boot-2')),
    );
    const reason = expectRefused(await judged(changed), 'bag', 'BAG_CHANGED');
    expect(reason).toContain(`the log procmond of host host-1, line ${number} (seq ${seq})`);
  });

  it.each(SEQS.map((seq, i) => [i + 1, seq]))(
    'line %i (seq %i), with the manifests made to fit',
    async (number, seq) => {
      const changed = editLines(
        files,
        LINES,
        flip(number - 1, (text) => text.replace('"mono":1', '"mono":2')),
      );
      const reason = expectRefused(await judged(remanifest(changed)), 'signatures', 'SEAL_MISMATCH');
      expect(reason).toContain(`the log procmond of host host-1, line ${number} (seq ${seq})`);
    },
  );

  it.each(SEQS.map((seq, i) => [i + 1, seq]))('line %i (seq %i), by who may seal packages', async (number, seq) => {
    const changed = editLines(
      files,
      LINES,
      flip(number - 1, (text) => text.replace('boot-1', 'boot-2')),
    );
    const reason = expectRefused2(await judged(clerk(changed)), 'LINE_CHANGED');
    expect(reason).toContain(`the log procmond of host host-1, line ${number} (seq ${seq})`);
  });

  it('also where its link to the line before is what was changed', async () => {
    const changed = editLines(
      files,
      LINES,
      flip(2, (text) =>
        text.replace(
          /"prev":"blake3:./,
          '"prev":"blake3:x'.replace('x', text.includes('"prev":"blake3:0') ? '1' : '0'),
        ),
      ),
    );
    expect(expectRefused2(await judged(clerk(changed)), 'LINE_CHANGED')).toContain('line 3 (seq 7)');
  });

  it.each<[string, (lines: string[]) => string[], string, string]>([
    ['a line taken out', (lines) => without2(lines, 4), 'LINE_SEQUENCE', 'line 5 (seq 9)'],
    ['the last line taken out', (lines) => lines.slice(0, -1), 'LINE_MISSING', 'line 8 (seq 15)'],
    [
      'a line twice',
      (lines) => [...lines.slice(0, 3), lines[2] ?? '', ...lines.slice(3)],
      'LINE_SEQUENCE',
      'line 4 (seq 8)',
    ],
    ['a line more at the end', (lines) => [...lines, lines.at(-1) ?? ''], 'LINE_SURPLUS', 'line 9'],
    ['two lines swapped', ([a = '', b = '', ...rest]) => [b, a, ...rest], 'LINE_SEQUENCE', 'line 1 (seq 1)'],
    [
      'a line renumbered',
      (lines) => lines.map((l) => l.replace('"seq":11', '"seq":12')),
      'LINE_SEQUENCE',
      'line 6 (seq 11)',
    ],
    [
      'a line spelled otherwise',
      (lines) => lines.map((l, i) => (i === 5 ? l.replace('{', '{ ') : l)),
      'LINE_MALFORMED',
      'line 6 (seq 11)',
    ],
    [
      'a line that is no JSON',
      (lines) => lines.map((l, i) => (i === 5 ? l.slice(1) : l)),
      'LINE_MALFORMED',
      'line 6 (seq 11)',
    ],
    [
      'a line without its signature',
      (lines) => lines.map((l, i) => (i === 5 ? l.replace(/"kid":"[^"]*",/, '').replace(/"sig":"[^"]*",/, '') : l)),
      'LINE_CHANGED',
      'line 6 (seq 11)',
    ],
    ['an empty line', (lines) => ['', ...lines], 'LINE_MALFORMED', 'line 1 (seq 1)'],
  ])('%s', async (_, edit, code, where) => {
    const changed = editLines(files, LINES, edit);
    // package.json and the bag are made to fit: only the lines themselves tell.
    const fitting = editJson(changed, PACKAGE, (json) => {
      for (const log of json.hosts[0].logs) if (log.log === 'procmond') log.bytes = get(changed, LINES).length;
    });
    expect(expectRefused2(await judged(clerk(fitting)), code)).toContain(where);
    expect(expectRefused(await judged(changed), 'bag', 'BAG_CHANGED')).toContain(where);
  });

  it('all lines taken out', async () => {
    const changed = editLines(files, LINES, () => []);
    expect(expectRefused(await judged(changed), 'bag', 'BAG_CHANGED')).toContain('line 1 (seq 1)');
  });

  it('a line without its newline', async () => {
    const changed = editText(files, LINES, (text) => text.trimEnd());
    const reason = expectRefused(await judged(changed), 'bag', 'BAG_CHANGED');
    expect(reason).toContain('line 8 (seq 15)');
  });

  /** The ranges can't be judged by lines that don't hold, so they are left out, and the lines decide. */
  function expectRefused2(report: Report, code: string): string {
    const failures = report.checks.filter(({ status }) => status === 'fail');
    expect(failures.map((failure) => [failure.name, failure.code])).toEqual([['lines', code]]);
    expect(report.checks.find(({ name }) => name === 'ranges')?.status).toBe('skipped');
    expect(report.verdict).toBe('refused');
    return failures[0]?.reason ?? '';
  }
});

describe('a seal', () => {
  it.each<[string, () => Files, EvidenceTrust | undefined, string]>([
    ['that is missing', () => without(files, SEAL), undefined, 'SEAL_MISSING'],
    ['without signatures', () => editJson(files, SEAL, (json) => (json.signatures = [])), undefined, 'SEAL_MISSING'],
    ['that is no envelope', () => replaced(files, SEAL, '{}'), undefined, 'SEAL_MALFORMED'],
    [
      'of another payload type',
      () => editJson(files, SEAL, (json) => (json.payloadType = 'text/plain')),
      undefined,
      'SEAL_MALFORMED',
    ],
    [
      'over something else',
      () => editJson(files, SEAL, (json) => (json.payload = encodeBase64(utf8('x')))),
      undefined,
      'SEAL_MISMATCH',
    ],
    [
      'with a broken signature',
      () => editJson(files, SEAL, (json) => (json.signatures[0].sig = encodeBase64(new Uint8Array(64)))),
      undefined,
      'SEAL_SIGNATURE',
    ],
    ['by a stranger', () => reseal(files, ['eve']), undefined, 'SIGNER_UNKNOWN'],
    ['by holders of another role', () => reseal(files, ['rules-a', 'rules-b', 'enrol-a']), undefined, 'ROLE_NOT_HELD'],
    ['by the root keys', () => reseal(files, ['root-a', 'root-b']), undefined, 'ROLE_NOT_HELD'],
    ["by another host's log key", () => reseal(files, ['host-2 log']), trustOf({ enrolments: [] }), 'SIGNER_UNKNOWN'],
    [
      'by too few holders',
      () => clerk(files),
      trustOf({ root: rootWith({ roles: { ...ENCLAVE, evidence: { keys: ['clerk-a', 'clerk-b'], threshold: 2 } } }) }),
      'THRESHOLD_NOT_MET',
    ],
    ['by a revoked key', () => clerk(files), trustOf({ root: rootWith({ revoked: ['clerk-a'] }) }), 'KEY_REVOKED'],
    [
      'by a key past its end',
      () => clerk(files),
      trustOf({ root: rootWith({ keys: { 'clerk-a': { notAfter: day(29) } } }) }),
      'KEY_EXPIRED',
    ],
    [
      'by a revoked log key',
      () => files,
      trustOf({ root: rootWith({ revoked: ['host-1 log'], keys: { 'host-1 log': {} } }) }),
      'KEY_REVOKED',
    ],
    ['judged by an expired root', () => files, trustOf({ floor: day(1001) }), 'ROOT_EXPIRED'],
  ])('%s', async (_, make, trust, code) => {
    expectRefused(await judged(make(), trust), 'signatures', code);
  });

  it("by an enrolled log key of a host that isn't in the package", async () => {
    const trust = trustOf({ enrolments: [enrolHost(other)] });
    expectRefused(await judged(reseal(files, ['host-2 log']), trust), 'signatures', 'ROLE_NOT_HELD');
  });

  it('by an operator: only with the role, and only until the enrolment expires', async () => {
    const sealed = reseal(files, ['alice']);
    expectTrusted(await judged(sealed, trustOf({ enrolments: [enrolOperator('alice', ['evidence'])] })));
    const hunter = trustOf({ enrolments: [enrolOperator('alice', ['operator:hunter'])] });
    expectRefused(await judged(sealed, hunter), 'signatures', 'ROLE_NOT_HELD');
    expectRefused(await judged(sealed, trustOf()), 'signatures', 'SIGNER_UNKNOWN');
  });

  it('by several, where the role asks for them', async () => {
    const root = rootWith({ roles: { ...ENCLAVE, evidence: { keys: ['clerk-a', 'clerk-b'], threshold: 2 } } });
    const report = await judged(reseal(files, ['clerk-a', 'clerk-b', 'eve']), trustOf({ root }));
    expectTrusted(report);
    expect(report.signers.map((signer) => signer.keyid)).toEqual([keyid('clerk-a'), keyid('clerk-b')]);
  });

  it('of another package', async () => {
    const second = join(tempDirectory(), 'second.tar');
    await exportOf([host], second, { number: 2 });
    const mixed = replaced(files, SEAL, '').set(SEAL, get(await filesOf(second), SEAL));
    expectRefused(await judged(mixed), 'signatures', 'SEAL_MISMATCH');
  });
});

describe('two packages mixed', () => {
  it('are refused, whatever is taken from which', async () => {
    const second = join(tempDirectory(), 'second.tar');
    await exportOf([other], second, { number: 2 });
    const strangers = await filesOf(second);
    const both = new Map([...files, ...[...strangers].filter(([path]) => path.startsWith('data/logs/host-2'))]);
    expectRefused(await judged(both), 'bag', 'BAG_UNLISTED');
    expectRefused(await judged(clerk(both)), 'package', 'PACKAGE_MISMATCH');
    const lines = replaced(files, LINES, '').set(LINES, get(strangers, 'data/logs/host-2/procmond/lines.ndjson'));
    expectRefused(await judged(lines), 'bag', 'BAG_CHANGED');
    expectRefused(await judged(lines), 'bag', 'BAG_CHANGED');
    // Same shape, another host: the links don't hold.
    expect(get(lines, LINES).length).toBe(get(files, LINES).length);
    const report = await judged(clerk(lines));
    expect(report.checks.find(({ status }) => status === 'fail')).toMatchObject({
      name: 'lines',
      code: 'LINE_CHANGED',
    });
  });
});

describe('a package whose account of itself is false, sealed by somebody who may', () => {
  const account = (edit: (log: Record<string, unknown>, json: Record<string, unknown>) => void) => () =>
    clerk(
      editJson(files, PACKAGE, (json) => {
        for (const log of json.hosts[0].logs) if (log.log === 'procmond') edit(log, json);
      }),
    );
  const swapped = (...names: string[]) => {
    const left = new Map(files);
    for (const name of names) {
      left.set(`data/logs/host-1/agent/${name}`, get(files, `${LOG}/${name}`));
      left.set(`${LOG}/${name}`, get(files, `data/logs/host-1/agent/${name}`));
    }
    return clerk(left);
  };

  it.each<[string, () => Files, string]>([
    ['fewer withheld lines', account((log) => (log['withheld'] = 0)), 'PACKAGE_MISMATCH'],
    ['more withheld lines', account((log) => (log['withheld'] = 8)), 'PACKAGE_MISMATCH'],
    ['fewer lines', account((log) => (log['lines'] = 7)), 'PACKAGE_MISMATCH'],
    ['other bytes', account((log) => (log['bytes'] = 1)), 'PACKAGE_MISMATCH'],
    ['a shorter range', account((log) => (log['to'] = 15)), 'PACKAGE_MISMATCH'],
    ['a later range', account((log) => (log['from'] = 2)), 'PACKAGE_MISMATCH'],
    ['a smaller log', account((log) => (log['size'] = 16)), 'PACKAGE_MISMATCH'],
    ['another genesis', account((log) => (log['genesis'] = `sha256:${'0'.repeat(64)}`)), 'PACKAGE_MISMATCH'],
    ['another origin', account((log) => (log['origin'] = 'daemoneye.invalid/host-1/agent')), 'PACKAGE_MISMATCH'],
    ['another hash', account((log) => (log['hash'] = 'sha256')), 'PACKAGE_MISMATCH'],
    ['an enrolment less', account((_, json) => (json['enrolments'] = [])), 'PACKAGE_MISMATCH'],
    [
      'an enrolment twice',
      account((_, json) => (json['enrolments'] = [...(json['enrolments'] as []), ...(json['enrolments'] as [])])),
      'PACKAGE_MISMATCH',
    ],
    ['a schema that is not there', account((_, json) => (json['schemas'] = ['event', 'more'])), 'PACKAGE_MISMATCH'],
    [
      'a log that is not there',
      account(
        (_, json) =>
          (json['hosts'] = [
            { host: 'host-1', logs: [{ ...(json['hosts'] as [{ logs: [object] }])[0].logs[0], log: 'kernel' }] },
          ]),
      ),
      'PACKAGE_MISMATCH',
    ],
    ['an unknown field', account((_, json) => (json['verdict'] = 'trusted')), 'PACKAGE_MALFORMED'],
    ['a strange case', account((_, json) => (json['case'] = '../../x')), 'PACKAGE_MALFORMED'],
    ['another case than its directory', account((_, json) => (json['case'] = 'plant-8')), 'PACKAGE_MISMATCH'],
    [
      'package.json with a space in it',
      () => clerk(editText(files, PACKAGE, (text) => `${text} `)),
      'PACKAGE_MALFORMED',
    ],
    [
      'two logs swapped whole',
      () => swapped('genesis.json', 'lines.ndjson', 'range-proof.json', 'checkpoint'),
      'PACKAGE_MISMATCH',
    ],
    ['two genesis documents swapped', () => swapped('genesis.json'), 'PACKAGE_MISMATCH'],
    ['two proofs swapped', () => swapped('range-proof.json'), 'PACKAGE_MISMATCH'],
    ['lines swapped', () => swapped('lines.ndjson'), 'PACKAGE_MISMATCH'],
    ['a proof that is none', () => clerk(replaced(files, RANGE, '{}')), 'RANGE_PROOF_MALFORMED'],
    [
      'a proof with hashes of two kinds',
      () => clerk(editText(files, RANGE, (text) => text.replace('"hash":"blake3:', '"hash":"sha256:'))),
      'RANGE_PROOF_MALFORMED',
    ],
    ['a genesis that is none', () => clerk(replaced(files, `${LOG}/genesis.json`, '{}')), 'GENESIS_MALFORMED'],
    [
      'an enrolment under another name',
      () =>
        clerk(
          new Map(
            [...files].map(([path, bytes]) => [
              path.startsWith('data/enrolments') ? `data/enrolments/${'0'.repeat(64)}.dsse.json` : path,
              bytes,
            ]),
          ),
        ),
      'PACKAGE_MISMATCH',
    ],
  ])('%s', async (_, make, code) => {
    expectRefused(await judged(make()), 'package', code);
  });

  it('bag-info.txt of its own', async () => {
    const changed = clerk(files);
    const { factOf, encodeManifest } = await import('../../../src/forensics/evidence/bag.ts');
    const edited = editText(changed, 'bag-info.txt', (text) => text.replace('plant-7', 'plant-8'));
    const tags = ['bagit.txt', 'bag-info.txt', 'manifest-sha256.txt'];
    const tagmanifest = encodeManifest(new Map(tags.map((path) => [path, factOf(get(edited, path))])));
    const { encodeEnvelope } = await import('../../../src/core/dsse.ts');
    const { signed } = await import('../../support/trust.ts');
    const { SEAL_PAYLOAD_TYPE } = await import('../../../src/forensics/evidence/format.ts');
    edited.set('tagmanifest-sha256.txt', tagmanifest);
    edited.set(SEAL, encodeEnvelope(signed(SEAL_PAYLOAD_TYPE, tagmanifest, ['clerk-a'])));
    expectRefused(await judged(edited), 'package', 'PACKAGE_MISMATCH');
  });
});

describe('keys that nobody admitted', () => {
  const unenrolled = (): Files => {
    const [path = ''] = [...files.keys()].filter((name) => name.startsWith('data/enrolments'));
    return editJson(without(files, path), PACKAGE, (json) => (json.enrolments = []));
  };
  const withEnrolment = (enrolment: Uint8Array) => trustOf({ enrolments: [enrolment] });
  const only = 'a key that is found only inside the package proves nothing';

  it('of an unknown host, which sealed the package itself', async () => {
    const report = await judged(reseal(unenrolled(), ['host-1 log']));
    expect(expectRefused(report, 'signatures', 'KEY_ONLY_INSIDE')).toContain(only);
  });

  it('of an unknown host, sealed by somebody who may', async () => {
    expect(expectRefused(await judged(clerk(unenrolled())), 'enrolment', 'KEY_ONLY_INSIDE')).toContain(only);
  });

  it('that enrol themselves inside the package', async () => {
    const out = join(tempDirectory(), 'x.tar');
    await exportOf([host], out, { enrolments: [enrolHost(host, { signers: ['host-1 log'] })] });
    expect(expectRefused(await judge(out), 'signatures', 'KEY_ONLY_INSIDE')).toContain(only);
    await exportOf([host], `${out}2`, {
      enrolments: [enrolHost(host, { signers: ['rules-a', 'rules-b'] })],
      key: testKey('clerk-a'),
    });
    expect(expectRefused(await judge(`${out}2`), 'enrolment', 'KEY_ONLY_INSIDE')).toContain(only);
  });

  it('under a trust root of another enclave, chain and all', async () => {
    const foreign = { root: { keys: ['eve'] }, enrol: { keys: ['mallory'] }, evidence: { keys: ['clerk-a'] } };
    const trust = trustOf({ root: rootWith({ roles: foreign }) });
    expect(expectRefused(await judged(files, trust), 'signatures', 'KEY_ONLY_INSIDE')).toContain(only);
    expect(expectRefused(await judged(clerk(files), trust), 'enrolment', 'KEY_ONLY_INSIDE')).toContain(only);
  });

  const later = (document: HostEnrolmentDocument) => ({ ...document, expires: day(29) });
  it.each<[string, () => Uint8Array, string]>([
    ['whose enrolment expired', () => enrolHost(host, { change: later }), 'EXPIRED'],
    ['whose enrolment too few signed', () => enrolHost(host, { signers: ['enrol-a'] }), 'THRESHOLD_NOT_MET'],
    ['of another host that is enrolled', () => enrolHost(other), 'KEY_ONLY_INSIDE'],
    [
      'enrolled for another log of the host',
      () => enrolHost(host, { change: (d) => ({ ...d, logs: d.logs.slice(1) }) }),
      'KEY_ONLY_INSIDE',
    ],
    [
      'enrolled under another host',
      () => enrolHost(host, { change: (d) => ({ ...d, host: 'host-2' }) }),
      'LOG_NOT_ENROLLED',
    ],
    [
      'enrolled with another genesis',
      () =>
        enrolHost(host, {
          change: (d) => ({ ...d, logs: d.logs.map((log) => ({ ...log, genesis: `sha256:${'0'.repeat(64)}` })) }),
        }),
      'LOG_NOT_ENROLLED',
    ],
    [
      'where another key is enrolled',
      () =>
        enrolHost(host, {
          change: (d) => ({
            ...d,
            logs: d.logs.map((log) => ({ ...log, keyid: keyid('eve'), pem: testKey('eve').publicKey.pem })),
          }),
        }),
      'LOG_NOT_ENROLLED',
    ],
    [
      'enrolled with another hash',
      () => enrolHost(host, { change: (d) => ({ ...d, logs: d.logs.map((log) => ({ ...log, hash: 'sha256' })) }) }),
      'LOG_NOT_ENROLLED',
    ],
  ])('%s', async (_, enrolment, code) => {
    expectRefused(await judged(clerk(unenrolled()), withEnrolment(enrolment())), 'enrolment', code);
  });
});

describe('checkpoints', () => {
  const note = (change: { size?: number; origin?: string; root?: Uint8Array }, signer = 'host-1 log') => {
    const { key, origin } = parseGenesis(get(files, `${LOG}/genesis.json`));
    const honest = verifyCheckpoint(get(files, `${LOG}/checkpoint`), { key, hash: 'blake3', origin });
    return replaced(files, `${LOG}/checkpoint`, '').set(
      `${LOG}/checkpoint`,
      signCheckpoint({ ...honest, ...change }, testKey(signer), 'blake3'),
    );
  };

  it.each<[string, () => Files, string]>([
    ['by another key', () => note({}, 'host-2 log'), 'NOTE_SIGNATURE'],
    [
      'of another log of the same key',
      () =>
        replaced(files, `${LOG}/checkpoint`, '').set(
          `${LOG}/checkpoint`,
          get(files, 'data/logs/host-1/agent/checkpoint'),
        ),
      'CHECKPOINT_ORIGIN',
    ],
    ['of another size', () => note({ size: 21 }), 'CHECKPOINT_SIZE'],
    ['that are none', () => replaced(files, `${LOG}/checkpoint`, 'x'), 'NOTE_MALFORMED'],
  ])('%s', async (_, make, code) => {
    expectRefused(await judged(clerk(make())), 'checkpoints', code);
  });

  it('over another root, by a host that signs two histories', async () => {
    const report = await judged(clerk(note({ root: new Uint8Array(32) })));
    expectRefused(report, 'ranges', 'PROOF_MISMATCH');
  });

  it('of a revoked log key count only where the revocation spares them', async () => {
    const { key, origin } = parseGenesis(get(files, `${LOG}/genesis.json`));
    const { size, root } = verifyCheckpoint(get(files, `${LOG}/checkpoint`), { key, hash: 'blake3', origin });
    const heads = ['agent', 'install', 'procmond'].map((log) => {
      const own = `data/logs/host-1/${log}`;
      const genesis = parseGenesis(get(files, `${own}/genesis.json`));
      const head = verifyCheckpoint(get(files, `${own}/checkpoint`), { ...genesis });
      return { origin: genesis.origin, size: head.size, root: formatDigest('blake3', head.root) };
    });
    const rootRevoking = (validThrough: typeof heads) => {
      const document = rootDocument({ roles: ENCLAVE });
      const keys = [{ keyid: key.keyid, validThrough }];
      return parseRoot(rootFile({ ...document, revoked: { ...document.revoked, keys } }).bytes);
    };
    const sealed = clerk(files);
    expectTrusted(await judged(sealed, trustOf({ root: rootRevoking(heads) })));
    expectRefused(await judged(sealed, trustOf({ root: rootRevoking([]) })), 'checkpoints', 'KEY_REVOKED');
    const elsewhere = heads.map((head) => ({ ...head, size: head.size + 1 }));
    expectRefused(await judged(sealed, trustOf({ root: rootRevoking(elsewhere) })), 'checkpoints', 'KEY_REVOKED');
    expect([size, root.length]).toEqual([20, 32]);
  });
});

describe('range proofs, forged by somebody who may seal', () => {
  const range = (
    edit: (json: {
      hashes: { from: number; to: number; hash: string }[];
      runs: { from: number; to: number; head: string }[];
    }) => void,
  ) => clerk(editJson(files, RANGE, edit));

  it.each<[string, () => Files, string]>([
    [
      'a withheld stretch replaced',
      () => range((json) => Object.assign(json.hashes[2] ?? {}, { hash: `blake3:${'0'.repeat(64)}` })),
      'PROOF_MISMATCH',
    ],
    ['a withheld stretch left out', () => range((json) => json.hashes.splice(2, 1)), 'PROOF_MALFORMED'],
    ['stretches out of order', () => range((json) => json.hashes.reverse()), 'PROOF_MALFORMED'],
    ['a stretch more', () => range((json) => json.hashes.push(json.hashes[0] as never)), 'PROOF_MALFORMED'],
  ])('%s', async (_, make, code) => {
    expect(expectRefused(await judged(make()), 'ranges', code)).toContain('the log procmond of host host-1');
  });

  it('a line withheld after all, and said not to exist', async () => {
    // The clerk takes out the exec with seq 11 and makes every count, run and file fit.
    const changed = editLines(files, LINES, (lines) => lines.filter((line) => !line.includes('"seq":11')));
    const fitting = editJson(changed, PACKAGE, (json) => {
      for (const log of json.hosts[0].logs) {
        if (log.log !== 'procmond') continue;
        log.lines -= 1;
        log.withheld += 1;
        log.bytes = get(changed, LINES).length;
      }
    });
    const forged = editJson(fitting, RANGE, (json) => {
      json.runs = json.runs.filter(({ from }: { from: number }) => from !== 11);
    });
    expectRefused(await judged(clerk(forged)), 'ranges', 'PROOF_MALFORMED');
  });
});

describe('a trace', () => {
  const exportRange = async (to: number, plan: Parameters<typeof writeHost>[2] = {}) => {
    const data = tempDirectory();
    const own = await writeHost(data, 'host-1', plan);
    const out = join(data, 'plant-7-1.evidence.tar');
    const what = { ranges: [{ log: 'procmond', from: 0, to }] };
    await exportOf([own], out, { what, logs: directoriesOf(own) });
    return filesOf(out);
  };
  const claiming = (package_: Files, trace = TRACE) =>
    clerk(editJson(package_, PACKAGE, (json) => (json.trace = trace)));

  it('that is claimed whole without its trace.stop', async () => {
    const cut = await exportRange(15);
    expectTrusted(await judged(cut));
    expect(expectRefused(await judged(claiming(cut)), 'trace', 'TRACE_NOT_WHOLE')).toContain('no trace.stop follows');
  });

  it('that is claimed and not there at all', async () => {
    expectRefused(await judged(claiming(files, 'trace-8')), 'trace', 'TRACE_NOT_WHOLE');
  });

  it('that is whole passes by the same way', async () => {
    expectTrusted(await judged(claiming(await exportRange(20))));
  });

  it('whose lines nobody signed', async () => {
    const unsigned = await exportRange(20, { sign: false });
    expect(expectRefused(await judged(unsigned), 'line-signatures', 'TRACE_LINE_UNSIGNED')).toContain('line 9 (seq 8)');
  });

  it('whose lines a stranger signed, on the host itself', async () => {
    const signedByStranger = await exportRange(20, { signAs: 'eve' });
    const reason = expectRefused(await judged(signedByStranger), 'line-signatures', 'LINE_SIGNER_UNKNOWN');
    expect(reason).toContain('line 9 (seq 8)');
  });
});
