import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { HASHES } from '../../src/core/digest.ts';
import type { PrivateKey } from '../../src/core/keys.ts';
import { Batches } from '../../src/ledger/batches-io.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import { firstEpoch } from '../../src/ledger/epochs.ts';
import { entriesFileName } from '../../src/ledger/format.ts';
import { type BatchContext, BatchReader, batchSigners } from '../../src/ledger/line-batch.ts';
import { readGenesis } from '../../src/ledger/open-io.ts';
import type { WalkedLine } from '../../src/ledger/place.ts';
import { listEntries } from '../../src/ledger/scan-io.ts';
import type * as verifying from '../../src/ledger/verify-io.ts';
import { walkEntries } from '../../src/ledger/walk-io.ts';
import { ensureBuilt } from '../support/cli.ts';
import { compiled } from '../support/compiled.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { actor, copyOf, edit, fakeSurroundings, logKey, open, origin, verify } from './ledger-support.ts';

const LINES = 1100;
const alice = testKey('alice');
const mallory = testKey('mallory');
/** Says it is alice, and signs with another key. */
const forged: PrivateKey = { publicKey: alice.publicKey, handle: mallory.handle };
const signers = [alice.publicKey];

type Plan = { readonly signer?: (i: number) => PrivateKey | undefined; readonly back?: number };

/** A log of lines that `signer` signs, by default alice every one; `back` is where a clock goes back. */
async function signedLog(
  { signer = () => alice, back }: Plan = {},
  directory = join(tempDirectory(), 'log'),
): Promise<string> {
  const createdAt = '2026-01-01T00:00:00.000Z';
  createLedger({ directory, host: 'host-1', origin, hash: 'blake3', key: logKey, createdAt });
  const surroundings = fakeSurroundings();
  await using writer = await open(directory, surroundings);
  const written: Promise<unknown>[] = [];
  for (let i = 0; i < LINES; i += 1) {
    if (i === back) surroundings.ts -= 60_000;
    const key = signer(i);
    const data = { name: `entry ${i} – ${'x'.repeat(80)}` };
    written.push(writer.append({ type: 'process.start', actor, data, ...(key && { signer: key }) }));
  }
  await Promise.all(written);
  await writer.head();
  return directory;
}

/** One core is the reference: lines are taken one by one. With two, compiled threads start in a fraction of the time. */
async function bothWays(directory: string) {
  const one = await verify(directory, { signers, cores: 1 });
  const { verifyLedger } = await compiled<typeof verifying>('ledger/verify-io.js');
  expect(await verifyLedger(directory, { key: logKey.publicKey, signers, cores: 2 })).toEqual(one);
  return one;
}

const failureOf = ({ checks }: Awaited<ReturnType<typeof verify>>) => {
  const failed = checks.find(({ status }) => status === 'fail');
  return [failed?.name, failed?.code, failed?.detail?.['seq']];
};

const shelf = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
const good = join(shelf, 'log');
beforeAll(async () => {
  await ensureBuilt();
  await signedLog({}, good);
});
afterAll(() => rmSync(shelf, { recursive: true, force: true }));

describe('verifying signed lines on several cores', () => {
  it('trusts what one core trusts, and counts the same', async () => {
    const report = await bothWays(good);
    expect(report.verdict).toBe('trusted');
    expect(report.checks.find(({ name }) => name === 'signatures')?.detail).toEqual({ signed: LINES });
  });

  it.each([0, LINES - 1])('names the bad signature of line %i', async (bad) => {
    const report = await bothWays(
      await signedLog({ signer: (i) => (i === bad ? forged : i % 3 === 0 ? undefined : alice) }),
    );
    expect(failureOf(report)).toEqual(['signatures', 'LINE_SIGNATURE', bad]);
  });

  it('names the first of several, and keys it does not know', async () => {
    const report = await bothWays(
      await signedLog({ signer: (i) => (i === 900 ? forged : i >= 800 ? mallory : alice) }),
    );
    expect(failureOf(report)).toEqual(['signatures', 'SIGNER_UNKNOWN', 800]);
  });

  it('sees what is recorded among signed lines', async () => {
    const report = await bothWays(await signedLog({ back: 650 }));
    expect(report.verdict).toBe('trusted');
    expect(report.checks.find(({ name }) => name === 'clock')?.detail).toEqual({ jumps: 1 });
  });

  it.each<[string, (lines: string[]) => string[], string, number | undefined]>([
    ['changed', (l) => l.with(700, (l[700] ?? '').replace('entry 700', 'entry 7OO')), 'LINE_CHANGED', 700],
    ['moved', (l) => l.with(700, l[701] ?? '').with(701, l[700] ?? ''), 'LINE_SEQUENCE', 700],
    ['taken out', (l) => l.toSpliced(700, 1), 'LINE_SEQUENCE', 700],
    ['turned to junk', (l) => l.with(700, '\u0000'), 'LINE_MALFORMED', 700],
    ['cut off', (l) => l.slice(0, 1050), 'LINES_MISSING', undefined],
  ])('a line that was %s is named as on one core', async (_, change, code, seq) => {
    const directory = copyOf(good);
    edit(join(directory, 'entries', entriesFileName(0)), (bytes) =>
      utf8(change(bytes.toString('utf8').trimEnd().split('\n')).join('\n').concat('\n')),
    );
    expect(failureOf(await bothWays(directory))).toEqual(['lines', code, seq]);
  });

  it('a last line without its end is as on one core', async () => {
    const directory = copyOf(good);
    edit(join(directory, 'entries', entriesFileName(0)), (bytes) => Buffer.concat([bytes, utf8('{"actor":')]));
    expect((await bothWays(directory)).verdict).toBe('trusted');
  });
});

function walk(directory: string): Iterable<WalkedLine[]> {
  return walkEntries(directory, readGenesis(directory).limits.rotate, listEntries(directory));
}

function contextOf(directory: string): BatchContext {
  const genesis = readGenesis(directory);
  return { hash: genesis.hash, signers: batchSigners(firstEpoch(genesis), signers) };
}

describe('Batches', () => {
  it('have the signatures checked by threads', async () => {
    await using batches = Batches.on(contextOf(good), 2);
    let signed = 0;
    for await (const { plain } of batches?.of(walk(good)) ?? []) signed += plain?.signed ?? 0;
    expect(signed).toBe(LINES);
  });

  it('give every line as it is when the threads die', async () => {
    const file = readFileSync(join(good, 'entries', entriesFileName(0)), 'utf8');
    // A context no thread can begin with.
    await using batches = Batches.on({ hash: 'blake3' } as unknown as BatchContext, 2);
    const lines: string[] = [];
    for await (const { plain, lines: taken } of batches?.of(walk(good)) ?? []) {
      expect(plain).toBeUndefined();
      for (const { bytes } of taken()) lines.push(Buffer.from(bytes).toString('utf8'));
    }
    expect(`${lines.join('\n')}\n`).toBe(file);
  });

  it('start no thread on one core', () => {
    expect(Batches.on(contextOf(good), 1)).toBeUndefined();
  });
});

describe('BatchReader', () => {
  it('says nothing of lines it does not see the whole of', async () => {
    const bytes = new Uint8Array(readFileSync(join(good, 'entries', entriesFileName(0))));
    const three = bytes.subarray(0, bytes.indexOf(0x0a, bytes.indexOf(0x0a, bytes.indexOf(0x0a) + 1) + 1) + 1);
    const reader = new BatchReader(contextOf(good), HASHES.blake3);
    expect(reader.read(three, 0)).toMatchObject({ firstSeq: 0, signed: 3, prev: readGenesis(good).digest });
    expect(reader.read(three, 1)).toBeUndefined();
    expect(reader.read(three.subarray(0, -1), 0)).toBeUndefined();
    expect(reader.read(new Uint8Array(), 0)).toBeUndefined();
    const shared = new Uint8Array(new SharedArrayBuffer(three.length));
    shared.set(three);
    expect(reader.read(shared, 0)).toMatchObject({ signed: 3 });
  });

  it("holds each key of the log to the lines of its time, and a log's key to nothing beside it", () => {
    const key = logKey.publicKey;
    const epochs = [
      { key, start: 0 },
      { key: alice.publicKey, start: 10 },
    ] as const;
    const ranges = batchSigners(epochs, [mallory.publicKey, key]).map(({ keyid, from, to }) => [keyid, from, to]);
    expect(ranges).toEqual([
      [key.keyid, 0, 11],
      [alice.publicKey.keyid, 11, Number.POSITIVE_INFINITY],
      [mallory.publicKey.keyid, 0, Number.POSITIVE_INFINITY],
    ]);
  });
});
