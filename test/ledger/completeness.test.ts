import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, decodeUtf8, utf8 } from '../../src/core/bytes.ts';
import { signCheckpoint } from '../../src/core/checkpoint.ts';
import type { Report } from '../../src/core/checks.ts';
import { formatDigest, type HashName } from '../../src/core/digest.ts';
import { traceLink, traceNext, traceOpen, traceSeed, traceStop } from '../../src/core/evidence/trace-chain.ts';
import type { JsonObject } from '../../src/core/strict-json.ts';
import { encodeLogProof, parseLogProof } from '../../src/ledger/log-proof.ts';
import { verifyLogProof } from '../../src/ledger/log-proof-check.ts';
import { proveLogRange } from '../../src/ledger/log-proof-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';
import { actor, append, logKey, open, origin, testLedger } from './ledger-support.ts';

const TRACE = 'trace-1';

/** Noise, a trace of `events` lines with noise between them, noise. @returns the seqs of the trace's lines */
async function tracedLedger(
  options: { hash?: HashName; stop?: boolean; signed?: boolean; events?: number } = {},
): Promise<{ directory: string; traced: number[]; size: number }> {
  const { hash = 'blake3', stop = true, signed = true, events = 3 } = options;
  const { directory } = await testLedger({ hash, rotate: 8 });
  const traced: number[] = [];
  await using writer = await open(directory);
  for (let i = 0; i < 5; i += 1) await append(writer, i);
  const start = { trace_id: TRACE, reason: 'a test' };
  let end = traceOpen(TRACE, traceSeed(start));
  const add = async (type: string, data: JsonObject) => {
    const { seq, leaf } = await writer.append({ type, actor, data, ...(signed ? { signer: logKey } : {}) });
    traced.push(seq);
    end = traceNext(end, leaf);
  };
  await add('trace.start', { ...start, ...traceLink(end) });
  for (let i = 0; i < events; i += 1) {
    await append(writer, i);
    await add('process.exec', { i, ...traceLink(end) });
  }
  if (stop) await add('trace.stop', traceStop(end));
  for (let i = 0; i < 4; i += 1) await append(writer, i);
  return { directory, traced, size: (await writer.head()).checkpoint.size };
}

async function prove(directory: string, from: number, to: number, trace?: string) {
  using reader = await openLedgerReader(directory);
  return await proveLogRange(reader, { from, to, trace });
}

type Handed = { readonly proof: Uint8Array; readonly lines: Uint8Array };

const check = ({ proof, lines }: Handed, origin?: string): Report =>
  verifyLogProof({ proof, lines, key: logKey.publicKey, ...(origin === undefined ? {} : { origin }) });

function expectRefused(handed: Handed, name: string, code: string): void {
  const report = check(handed);
  expect(report.verdict).toBe('refused');
  const failed = report.checks.find(({ status }) => status === 'fail');
  expect([failed?.name, failed?.code], failed?.reason).toEqual([name, code]);
}

type Run = { from: number; to: number };
type ProofJson = {
  only: { trace: string };
  range: {
    origin: string;
    hash: string;
    size: number;
    from: number;
    to: number;
    runs: (Run & { head: string })[];
    hashes: (Run & { hash: string })[];
  };
};

/** The proof with its JSON changed. */
function changed(proof: Uint8Array, change: (json: ProofJson) => void): Uint8Array {
  const json = JSON.parse(decodeUtf8(proof));
  change(json);
  return utf8(JSON.stringify(sorted(json)));
}

function of<T>(list: readonly T[], i: number): T {
  const found = list[i];
  if (found === undefined) throw new Error(`there is no ${i}`);
  return found;
}

const runOf = ({ range }: ProofJson) => of(range.runs, 0);

/** Canonical order, so that only the change itself can be what is refused. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  );
}

const split = (lines: Uint8Array) => decodeUtf8(lines).split('\n').slice(0, -1);
const joined = (lines: readonly string[]) => utf8(lines.map((line) => `${line}\n`).join(''));

describe('what is shown of a range', () => {
  it.each<HashName>(['blake3', 'sha256'])(
    'proves how many lines are withheld, where, and that a trace is whole (%s)',
    async (hash) => {
      const { directory, traced, size } = await tracedLedger({ hash });
      const made = await prove(directory, 1, size - 1, TRACE);
      const report = check(made);
      expect(report.checks.filter(({ status }) => status !== 'pass')).toEqual([]);
      expect(report.verdict).toBe('trusted');
      expect(report.subject.detail).toEqual({
        size,
        from: 1,
        to: size - 1,
        shown: traced.length,
        withheld: size - 2 - traced.length,
        hash,
        trace: TRACE,
      });
      expect(report.checks.find(({ name }) => name === 'range')?.detail).toEqual({
        shown: 5,
        withheld: 10 - 5 + 5,
        stretches: 5,
      });
      expect(split(made.lines).map((line) => JSON.parse(line).seq)).toEqual(traced);
      expect(encodeLogProof(parseLogProof(made.proof))).toEqual(made.proof);
    },
  );

  it('proves every line of a range, and says nothing of traces', async () => {
    const { directory, size } = await tracedLedger({ stop: false, signed: true });
    const report = check(await prove(directory, 0, size));
    expect(report.verdict).toBe('trusted');
    expect(report.subject.detail).toMatchObject({ shown: size, withheld: 0 });
  });

  it('grows with what is shown, not with what is withheld', async () => {
    const { directory } = await tracedLedger();
    const short = await prove(directory, 4, 14, TRACE);
    await using writer = await open(directory);
    await Promise.all(Array.from({ length: 2000 }, (_, i) => append(writer, i)));
    await writer.head();
    const long = await prove(directory, 0, 2000, TRACE);
    expect(long.lines).toEqual(short.lines);
    expect(long.proof.length).toBeLessThan(short.proof.length * 3);
    expect(check(long).verdict).toBe('trusted');
  });

  it('is not made for what the other side would refuse', async () => {
    const { directory, traced, size } = await tracedLedger();
    const refused = (from: number, to: number, trace: string | undefined, code: string, from_ = directory) =>
      expectCodeAsync(prove(from_, from, to, trace), code);
    await refused(0, size, 'trace-2', 'TRACE_NOT_FOUND');
    await refused(0, traced.at(-1) ?? 0, TRACE, 'TRACE_NOT_WHOLE');
    await refused((traced[0] ?? 0) + 1, size, TRACE, 'TRACE_NOT_WHOLE');
    await refused(0, size + 1, TRACE, 'NO_SUCH_ENTRY');
    await refused(3, 3, undefined, 'NO_SUCH_ENTRY');
    await refused(4, 3, undefined, 'NO_SUCH_ENTRY');
    const running = await tracedLedger({ stop: false });
    await refused(0, running.size, TRACE, 'TRACE_NOT_WHOLE', running.directory);
    const unsigned = await tracedLedger({ signed: false });
    await refused(0, unsigned.size, TRACE, 'TRACE_LINE_UNSIGNED', unsigned.directory);
  });
});

describe('who hands over a proof and hides something', () => {
  it('drops a shown line of the trace, the first, one between or the last', async () => {
    const { directory, size, traced } = await tracedLedger();
    const { proof, lines } = await prove(directory, 0, size, TRACE);
    for (let i = 0; i < traced.length; i += 1) {
      const code = i === traced.length - 1 ? 'LINE_MISSING' : 'LINE_SEQUENCE';
      expectRefused({ proof, lines: joined(split(lines).toSpliced(i, 1)) }, 'lines', code);
    }
    expectRefused({ proof, lines: new Uint8Array() }, 'lines', 'LINE_MISSING');
    expectRefused({ proof, lines: lines.subarray(0, -1) }, 'lines', 'LINE_MALFORMED');
    expectRefused({ proof, lines: concatBytes(lines, lines) }, 'lines', 'LINE_SURPLUS');
  });

  it('hides a line of the trace in a withheld stretch, with a proof that is itself right', async () => {
    const { directory, size, traced } = await tracedLedger();
    using reader = await openLedgerReader(directory);
    for (const hidden of traced) {
      const shown = traced.filter((seq) => seq !== hidden);
      const range = await reader.proveRange(0, size, shown);
      const lines: string[] = [];
      for (const seq of shown) lines.push(decodeUtf8(await reader.line(seq)));
      const handed = {
        proof: encodeLogProof({ range, checkpoint: reader.head.note, trace: TRACE }),
        lines: joined(lines),
      };
      expectRefused(handed, 'trace', 'TRACE_NOT_WHOLE');
    }
    // Nothing shown at all: all of an empty choice is withheld, and that is no whole trace.
    const nothing = encodeLogProof({
      range: await reader.proveRange(0, size, []),
      checkpoint: reader.head.note,
      trace: TRACE,
    });
    expectRefused({ proof: nothing, lines: new Uint8Array() }, 'trace', 'TRACE_NOT_WHOLE');
  });

  it('claims another trace, another range, another size, or another log', async () => {
    const { directory, size } = await tracedLedger();
    const { proof, lines } = await prove(directory, 1, size, TRACE);
    const as = (change: (json: ProofJson) => void) => ({ proof: changed(proof, change), lines });
    expectRefused(
      as((json) => (json.only.trace = 'trace-2')),
      'trace',
      'TRACE_NOT_WHOLE',
    );
    expectRefused(
      as((json) => (json.range.from = 0)),
      'range',
      'PROOF_MALFORMED',
    );
    expectRefused(
      as((json) => (json.range.from = 3)),
      'range',
      'PROOF_MALFORMED',
    );
    expectRefused(
      as((json) => (json.range.to -= 2)),
      'range',
      'PROOF_MALFORMED',
    );
    expectRefused(
      as((json) => (json.range.to = json.range.from)),
      'range',
      'PROOF_MALFORMED',
    );
    expectRefused(
      as((json) => (json.range.size += 1)),
      'checkpoint',
      'PROOF_MISMATCH',
    );
    expectRefused(
      as((json) => (json.range.size = 0)),
      'checkpoint',
      'PROOF_MISMATCH',
    );
    expectRefused(
      as((json) => (json.range.origin = 'another/log')),
      'checkpoint',
      'CHECKPOINT_ORIGIN',
    );
    expect(check({ proof, lines }, 'another/log').checks[1]?.code).toBe('CHECKPOINT_ORIGIN');
    expectRefused(
      as((json) => (json.range.hash = 'sha256')),
      'proof',
      'RANGE_PROOF_MALFORMED',
    );
  });

  it('shows the lines as runs that they are not', async () => {
    const { directory, size } = await tracedLedger();
    const { proof, lines } = await prove(directory, 1, size, TRACE);
    const as = (change: (json: ProofJson) => void) => ({ proof: changed(proof, change), lines });
    expectRefused(
      as((json) => json.range.runs.pop()),
      'lines',
      'LINE_SURPLUS',
    );
    expectRefused(
      as((json) => json.range.runs.reverse()),
      'lines',
      'LINE_SEQUENCE',
    );
    expectRefused(
      as((json) => json.range.runs.push(...json.range.runs.slice(0, 1))),
      'lines',
      'LINE_MISSING',
    );
    expectRefused(
      as((json) => (runOf(json).to = 0)),
      'lines',
      'LINE_SURPLUS',
    );
    expectRefused(
      as((json) => (runOf(json).to = Number.MAX_SAFE_INTEGER)),
      'lines',
      'LINE_SEQUENCE',
    );
  });

  it('gives too many hashes, too few, none, others, shorter ones', async () => {
    const { directory, size } = await tracedLedger();
    const { proof, lines } = await prove(directory, 1, size, TRACE);
    const as = (change: (hashes: ProofJson['range']['hashes']) => void) => ({
      proof: changed(proof, ({ range }) => change(range.hashes)),
      lines,
    });
    expectRefused(
      as((hashes) => hashes.push(...hashes.slice(0, 1))),
      'range',
      'PROOF_MALFORMED',
    );
    expectRefused(
      as((hashes) => hashes.pop()),
      'range',
      'PROOF_MALFORMED',
    );
    expectRefused(
      as((hashes) => hashes.splice(0)),
      'range',
      'PROOF_MALFORMED',
    );
    expectRefused(
      as((hashes) => hashes.reverse()),
      'range',
      'PROOF_MALFORMED',
    );
    expectRefused(
      as((hashes) => (of(hashes, 1).hash = of(hashes, 0).hash)),
      'range',
      'PROOF_MISMATCH',
    );
    expectRefused(
      as((hashes) => (of(hashes, 0).hash = of(hashes, 0).hash.slice(0, -2))),
      'proof',
      'RANGE_PROOF_MALFORMED',
    );
    expectRefused(
      as((hashes) => (of(hashes, 0).hash += '00')),
      'proof',
      'RANGE_PROOF_MALFORMED',
    );
    const { hash } = parseLogProof(proof).range;
    const short = formatDigest(hash, new Uint8Array(31));
    expectRefused(
      as((hashes) => (of(hashes, 0).hash = short)),
      'proof',
      'RANGE_PROOF_MALFORMED',
    );
  });

  it('gives a checkpoint of size 0, an older one, one of another key, or none', async () => {
    const { directory, size } = await tracedLedger();
    const { proof, lines } = await prove(directory, 0, size, TRACE);
    const { range, trace = '' } = parseLogProof(proof);
    const { root } = (await openLedgerReader(directory)).head.checkpoint;
    const signed = (size: number, key = logKey) => signCheckpoint({ origin, size, root }, key, 'blake3');
    const as = (checkpoint: Uint8Array) => ({ proof: encodeLogProof({ range, checkpoint, trace }), lines });
    expectRefused(as(signed(0)), 'checkpoint', 'PROOF_MISMATCH');
    expectRefused(as(signed(size - 1)), 'checkpoint', 'PROOF_MISMATCH');
    expectRefused(as(signed(size, testKey('stranger'))), 'checkpoint', 'NOTE_SIGNATURE');
    expectRefused(as(utf8('no note')), 'checkpoint', 'NOTE_MALFORMED');
  });

  it('changes any byte of the lines', async () => {
    const { directory, size } = await tracedLedger();
    const { proof, lines } = await prove(directory, 0, size, TRACE);
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bent = lines.slice();
        bent[at] = (bent[at] ?? 0) ^ flip;
        expect(check({ proof, lines: bent }).verdict).toBe('refused');
      }),
      { numRuns: runs(60, 2000) },
    );
  });

  it('changes any byte of the proof', async () => {
    const { directory, size } = await tracedLedger();
    const { proof, lines } = await prove(directory, 0, size, TRACE);
    fc.assert(
      fc.property(fc.nat(proof.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bent = proof.slice();
        bent[at] = (bent[at] ?? 0) ^ flip;
        const report = check({ proof: bent, lines });
        // A cosignature may stand beside the log's signature, so only what is said must not change.
        expect(report.verdict).toBe('refused');
      }),
      { numRuns: runs(60, 2000) },
    );
  });

  it('signs a line of the trace with a key that nobody knows here', async () => {
    const { directory } = await testLedger();
    const stranger = testKey('stranger');
    const start = { trace_id: TRACE };
    let end = traceOpen(TRACE, traceSeed(start));
    await using writer = await open(directory);
    for (const [type, data] of [
      ['trace.start', { ...start, ...traceLink(end) }],
      ['trace.stop', undefined],
    ] as const) {
      const { leaf } = await writer.append({ type, actor, data: data ?? traceStop(end), signer: stranger });
      end = traceNext(end, leaf);
    }
    await writer.head();
    const made = await prove(directory, 0, 2, TRACE);
    expectRefused(made, 'line-signatures', 'LINE_SIGNER_UNKNOWN');
    const known = { ...made, key: logKey.publicKey, signers: [stranger.publicKey] };
    expect(verifyLogProof(known).verdict).toBe('trusted');
  });
});

describe('ledger prove A..B', () => {
  it('writes proof and lines, which ledger check-proof accepts with nothing but the key', async () => {
    const { directory, size } = await tracedLedger();
    const folder = tempDirectory();
    const [proof, line, key] = [join(folder, 'proof'), join(folder, 'lines'), join(folder, 'key.pem')];
    writeFileSync(key, logKey.publicKey.pem);
    const files = ['--out', proof, '--line', line];
    const made = await inside([
      'ledger',
      'prove',
      `0..${size}`,
      directory,
      '--only',
      `trace=${TRACE}`,
      ...files,
      '--json',
    ]);
    expect(made.code, made.stderr).toBe(0);
    expect(jsonOf(made, 'ledger-prove')).toMatchObject({
      from: 0,
      to: size,
      trace: TRACE,
      shown: 5,
      withheld: size - 5,
    });
    const checked = await inside(['ledger', 'check-proof', proof, '--line', line, '--key', key, '--json']);
    expect(jsonOf<Report>(checked, 'report').verdict).toBe('trusted');
    expect(checked.code).toBe(0);
    writeFileSync(line, joined(split(readFileSync(line)).toSpliced(1, 1)));
    expect((await inside(['ledger', 'check-proof', proof, '--line', line, '--key', key])).code).toBe(3);
  });

  it.each([
    [['3', '--only', 'trace=t'], 'USAGE_OPTION', 2],
    [['0..3'], 'USAGE_OPTION', 2],
    [['0..3', '--only', 'host=t', '--line', 'l'], 'USAGE_VALUE', 2],
    [['0..99999999999999999', '--line', 'l'], 'USAGE_VALUE', 2],
    [['0..3..4', '--line', 'l'], 'USAGE_VALUE', 2],
    [['0..4000000000', '--line', 'l'], 'NO_SUCH_ENTRY', 1],
    [['2..1', '--line', 'l'], 'NO_SUCH_ENTRY', 1],
  ])('%j', async ([what = '', ...options], code, exitCode) => {
    const { directory } = await testLedger({ lines: 3 });
    expectError(await inside(['ledger', 'prove', what, directory, ...options]), code, exitCode);
  });
});
