import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeUtf8 } from '../../src/core/bytes.ts';
import { verifyCheckpoint } from '../../src/core/checkpoint.ts';
import { formatDigest, HASHES } from '../../src/core/digest.ts';
import { leafHash, rootOfLeaves } from '../../src/core/merkle.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import { parseLine } from '../../src/ledger/line.ts';
import { verifyLineSignature } from '../../src/ledger/line-signature.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { appendOnly, type LedgerAppender } from '../../src/ledger/writer-io.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import {
  actor,
  append,
  expectTrusted,
  fakeSurroundings,
  filesBelow,
  logKey,
  open,
  origin,
  testLedger,
} from './ledger-support.ts';

const newLedger = (directory: string) =>
  createLedger({ directory, host: 'h', origin, hash: 'blake3', key: logKey, createdAt: '2026-01-01T00:00:00.000Z' });

describe('creating a log', () => {
  it('makes an empty one that verifies', async () => {
    const directory = join(tempDirectory(), 'logs', 'agent');
    const genesis = newLedger(directory);
    expect(filesBelow(directory)).toEqual([
      'checkpoints/head.a',
      'checkpoints/head.b',
      'checkpoints/history.ndjson',
      'genesis.json',
    ]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'genesis.json')).mode & 0o777).toBe(0o600);
    const report = await expectTrusted(directory);
    expect(report.subject).toMatchObject({ type: 'ledger', name: origin, digest: genesis.digest });
  });

  it('never touches a directory that holds something', () => {
    const parent = tempDirectory();
    newLedger(join(parent, 'log'));
    const before = readFileSync(join(parent, 'log', 'genesis.json'));
    expectCode(() => newLedger(join(parent, 'log')), 'LEDGER_EXISTS');
    expectCode(() => newLedger(parent), 'LEDGER_EXISTS');
    expectCode(() => newLedger(join(parent, 'log', 'genesis.json')), 'LEDGER_EXISTS');
    expect(readFileSync(join(parent, 'log', 'genesis.json'))).toEqual(before);
    expect(readdirSync(parent)).toEqual(['log']);
  });

  it('refuses names that could not stand in a checkpoint', () => {
    const directory = join(tempDirectory(), 'log');
    const options = {
      directory,
      host: 'h',
      hash: 'blake3',
      key: logKey,
      createdAt: '2026-01-01T00:00:00.000Z',
    } as const;
    for (const bad of ['', 'a b', 'a+b', 'a\nb']) {
      expectCode(() => createLedger({ ...options, origin: bad }), 'GENESIS_MALFORMED');
    }
    expectCode(() => createLedger({ ...options, origin, host: '../x' }), 'GENESIS_MALFORMED');
    expectCode(() => createLedger({ ...options, origin, createdAt: 'today' }), 'GENESIS_MALFORMED');
    expectCode(() => createLedger({ ...options, origin, rotate: 0 }), 'GENESIS_MALFORMED');
    expect(readdirSync(join(directory, '..'))).toEqual([]);
  });
});

describe.each(['sha256', 'blake3'] as const)('appending (%s)', (hash) => {
  it('chains each line to the one before, and the first to the genesis', async () => {
    const { directory } = await testLedger({ hash });
    await using writer = await open(directory);
    let prev = writer.genesis.digest;
    const leaves: Uint8Array[] = [];
    for (let i = 0; i < 5; i += 1) {
      const { seq, leaf, line } = await append(writer, i);
      expect(seq).toBe(i);
      expect(parseLine(line)).toMatchObject({
        seq,
        prev,
        type: 'process.start',
        actor,
        data: { i, text: `entry ${i}` },
      });
      leaves.push(leafHash(HASHES[hash], line));
      expect(leaf).toBe(formatDigest(hash, leaves[i] as Uint8Array));
      prev = leaf;
    }
    expect(writer.size).toBe(5);
    const head = await writer.head();
    expect(head.checkpoint).toEqual({ origin, size: 5, root: rootOfLeaves(HASHES[hash], leaves) });
    expect(verifyCheckpoint(head.note, { key: logKey.publicKey, hash, origin })).toEqual(head.checkpoint);
  });

  it('goes on where it stopped, over several openings and files', async () => {
    const { directory, lines } = await testLedger({ hash, rotate: 4, lines: 3 });
    for (let round = 0; round < 4; round += 1) {
      await using writer = await open(directory);
      expect(writer.size).toBe(lines.length);
      for (let i = 0; i < 3; i += 1) lines.push((await append(writer, i)).line);
    }
    expect(readdirSync(join(directory, 'entries'))).toEqual(
      [0, 4, 8, 12].map((n) => `${String(n).padStart(12, '0')}.ndjson`),
    );
    const text = readdirSync(join(directory, 'entries')).map((name) =>
      readFileSync(join(directory, 'entries', name), 'utf8'),
    );
    expect(text.join('')).toBe(lines.map((line) => `${decodeUtf8(line)}\n`).join(''));
    const report = await expectTrusted(directory);
    expect(report.subject.detail).toEqual({ lines: 15, hash });
  });
});

describe('many at once', () => {
  it('keep the order of calls and share commits', async () => {
    const { directory } = await testLedger({ rotate: 64 });
    const count = 300;
    {
      await using writer = await open(directory);
      const done = await Promise.all(Array.from({ length: count }, (_, i) => append(writer, i)));
      expect(done.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(done.map(({ line }) => parseLine(line).data['i'])).toEqual(done.map(({ seq }) => seq));
      expect((await writer.head()).checkpoint.size).toBe(count);
    }
    await expectTrusted(directory);
  });

  it('waiting, are finished by closing; after it nothing is taken', async () => {
    const { directory } = await testLedger();
    const writer = await open(directory);
    const waiting = Array.from({ length: 20 }, (_, i) => append(writer, i));
    await writer.close();
    await writer.close();
    expect((await Promise.all(waiting)).length).toBe(20);
    await expectCodeAsync(append(writer, 20), 'LEDGER_CLOSED');
    await expectCodeAsync(writer.head(), 'LEDGER_CLOSED');
    expect((await expectTrusted(directory)).subject.detail?.['lines']).toBe(20);
  });

  it('a bad one among them fails alone', async () => {
    const { directory } = await testLedger();
    await using writer = await open(directory);
    const results = await Promise.allSettled([append(writer, 0), append(writer, 1, 'not a type'), append(writer, 2)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(writer.size).toBe(2);
  });
});

describe('back-pressure', () => {
  const big = { type: 'process.start', actor, data: { text: 'x'.repeat(60_000) } };

  it('refuses what a bounded queue has no room for, loses nothing of the rest, and says when there is room', async () => {
    const { directory } = await testLedger();
    {
      await using writer = await open(directory);
      const flood = Array.from({ length: 400 }, () => writer.append(big));
      const results = await Promise.allSettled(flood.concat(writer.append(big)));
      const taken = results.filter(({ status }) => status === 'fulfilled').length;
      const codes = new Set(results.flatMap((r) => (r.status === 'rejected' ? [r.reason.code] : [])));
      expect(codes).toEqual(new Set(['LEDGER_BUSY']));
      // 16 MiB of lines of about 60,300 bytes.
      expect(taken).toBeGreaterThan(270);
      expect(taken).toBeLessThan(285);
      expect(results.findIndex(({ status }) => status === 'rejected')).toBe(taken);
      await writer.ready();
      expect((await writer.append(big)).seq).toBe(taken);
    }
    await expectTrusted(directory);
  });

  it('makes who asks wait until the disk has caught up, and no longer', async () => {
    const { directory } = await testLedger();
    await using writer = await open(directory);
    await writer.ready();
    const flood = Array.from({ length: 200 }, () => writer.append(big));
    let done = 0;
    for (const one of flood) one.then(() => (done += 1));
    await writer.ready();
    expect(done).toBeGreaterThan(50);
    await Promise.all(flood);
    expect(writer.size).toBe(200);
  });
});

describe('a handle for appending only', () => {
  it('appends, and gives no way to anything else of the log', async () => {
    const { directory } = await testLedger({ lines: 2 });
    const appender = appendOnly(await open(directory));
    expect(Object.isFrozen(appender)).toBe(true);
    expect(Object.getOwnPropertyNames(appender).sort()).toEqual(['append', 'close', 'head', 'ready']);
    const [one, two] = await Promise.all([
      appender.append({ type: 'process.start', actor, data: { i: 2 } }),
      appender.append({ type: 'process.start', actor, data: { secret: 'another caller' } }),
    ]);
    // The bytes of one entry are a copy: around them lie no neighbours to read, and writing to them changes no log.
    expect(one.line.buffer.byteLength).toBe(one.line.length);
    one.line.fill(0);
    expect(parseLine(await readBack(directory, appender, 2)).data).toEqual({ i: 2 });
    expect(two.seq).toBe(3);
    await expectCodeAsync(appender.append({ type: 'process.start', actor, data: {} }), 'LEDGER_CLOSED');
    await expectTrusted(directory);
  });

  async function readBack(directory: string, appender: LedgerAppender, seq: number): Promise<Uint8Array> {
    expect((await appender.head()).checkpoint.size).toBe(4);
    await appender.close();
    using reader = await openLedgerReader(directory);
    return await reader.line(seq);
  }
});

describe('opening', () => {
  it('lets one writer in', async () => {
    const { directory } = await testLedger();
    const writer = await open(directory);
    await expectCodeAsync(open(directory), 'LOCKED');
    await writer.close();
    await (await open(directory)).close();
  });

  it('asks for the key of the genesis', async () => {
    const { directory } = await testLedger();
    await expectCodeAsync(open(directory, { key: testKey('other') }), 'WRONG_KEY');
    await (await open(directory)).close();
  });

  it('needs a log', async () => {
    await expectCodeAsync(open(tempDirectory()), 'LEDGER_NOT_FOUND');
    await expectCodeAsync(openLedgerReader(join(tempDirectory(), 'none')), 'LEDGER_NOT_FOUND');
  });

  it('changes nothing on its own, after a clean close', async () => {
    const { directory } = await testLedger({ lines: 7 });
    const files = filesBelow(directory).filter((name) => name !== 'lock');
    const before = files.map((name) => readFileSync(join(directory, name)));
    await (await open(directory)).close();
    expect(files.map((name) => readFileSync(join(directory, name)))).toEqual(before);
  });
});

describe('long lines', () => {
  const bytes = (length: number) => ({ type: 'process.start', actor, data: { x: 'x'.repeat(length) } });

  it('are taken up to 65,535 bytes and not one more', async () => {
    const { directory } = await testLedger();
    {
      await using writer = await open(directory);
      const overhead = (await writer.append(bytes(0))).line.length;
      // seq and time keep their number of digits, so the frame keeps its length.
      const { line } = await writer.append(bytes(65_535 - overhead));
      expect(line.length).toBe(65_535);
      await expectCodeAsync(writer.append(bytes(65_536 - overhead)), 'LINE_TOO_LONG');
      await writer.append(bytes(1));
      expect(writer.size).toBe(3);
    }
    await expectTrusted(directory);
    using reader = await openLedgerReader(directory);
    expect((await reader.line(1)).length).toBe(65_535);
  });
});

describe('signed lines', () => {
  it('carry a signature that verifies with openssl-style Ed25519 over the line without it', async () => {
    const { directory } = await testLedger();
    const signer = testKey('collector');
    {
      await using writer = await open(directory);
      const { line } = await writer.append({ type: 'trace.start', actor, data: {}, signer });
      const parsed = parseLine(line);
      expect(parsed.kid).toBe(signer.publicKey.keyid);
      expect(verifyLineSignature(parsed, signer.publicKey)).toBe(true);
      expect(verifyLineSignature(parsed, logKey.publicKey)).toBe(false);
    }
    await expectTrusted(directory, { signers: [signer.publicKey] });
  });
});

describe('clocks', () => {
  it('that run backwards are recorded, and then the entry', async () => {
    const { directory } = await testLedger();
    const around = fakeSurroundings();
    {
      await using writer = await open(directory, around);
      await append(writer, 0);
      around.ts -= 10_000;
      const { seq } = await append(writer, 1);
      expect(seq).toBe(2);
      around.micros -= 500_000;
      expect((await append(writer, 2)).seq).toBe(4);
      expect((await append(writer, 3)).seq).toBe(5);
    }
    using reader = await openLedgerReader(directory);
    const jump = parseLine(await reader.line(1));
    expect(jump).toMatchObject({ type: 'clock.jump', actor: { type: 'host', id: 'host-1' }, data: { clock: 'ts' } });
    expect(parseLine(await reader.line(3))).toMatchObject({ type: 'clock.jump', data: { clock: 'mono' } });
    const report = await expectTrusted(directory);
    expect(report.checks.find(({ name }) => name === 'clock')?.detail).toEqual({ jumps: 2 });
  });

  it('are compared over a restart: ts always, mono only within one boot', async () => {
    const { directory } = await testLedger({ lines: 3 });
    {
      const around = fakeSurroundings('boot-2');
      around.ts = 1_600_000_000_000;
      around.micros = 1;
      await using writer = await open(directory, around);
      await append(writer, 3);
    }
    using reader = await openLedgerReader(directory);
    // Both clocks went back; but mono of another boot means nothing.
    expect(parseLine(await reader.line(3))).toMatchObject({ type: 'clock.jump', data: { clock: 'ts' } });
    expect(reader.size).toBe(5);
    await expectTrusted(directory);
  });
});

describe('the history', () => {
  it('keeps heads every so many entries, or seconds', async () => {
    const { directory } = await testLedger();
    const around = fakeSurroundings();
    const sizes = () =>
      readFileSync(join(directory, 'checkpoints/history.ndjson'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => Number((JSON.parse(line) as { note: string }).note.split('\n')[1]));
    {
      await using writer = await open(directory, { ...around, history: { entries: 3, seconds: 60 } });
      for (let i = 0; i < 7; i += 1) await append(writer, i);
    }
    expect(sizes()).toEqual([3, 6]);
    {
      await using writer = await open(directory, { ...around, history: { entries: 1000, seconds: 60 } });
      await append(writer, 7);
      await writer.head();
      expect(sizes()).toEqual([3, 6]);
      around.micros += 60_000_000;
      await append(writer, 8);
    }
    expect(sizes()).toEqual([3, 6, 9]);
    await expectTrusted(directory);
  });
});
