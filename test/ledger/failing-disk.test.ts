import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formatDigest } from '../../src/core/digest.ts';
import { signEnvelope } from '../../src/core/dsse.ts';
import { validateEvent } from '../../src/core/event.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import { type OpenLedgerFile, openLedgerFile } from '../../src/ledger/ledger-file-io.ts';
import { parseLine } from '../../src/ledger/line.ts';
import { encodeOrder, PRUNE_ORDER, parseOrder } from '../../src/ledger/orders.ts';
import { pruneLedger } from '../../src/ledger/prune-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { entriesBytes } from '../../src/ledger/scan-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import {
  actor,
  append,
  expectTrusted,
  fakeSurroundings,
  logKey,
  open,
  origin,
  testLedger,
  verify,
} from './ledger-support.ts';

const errno = (code: string) => Object.assign(new Error(`${code}: it failed`), { code });

type Call = 'write' | 'sync' | 'truncate';

/** A disk whose calls fail when `fails` says so, by an errno. */
class Disk {
  fails: (call: Call, path: string) => string | undefined = () => undefined;
  /** Of a write that fails, how many bytes arrive all the same. */
  partly = 0;
  /** Calls that were made, in order, as `sync entries/…`. */
  readonly calls: string[] = [];

  readonly openFile: OpenLedgerFile = async (path) => {
    const file = await openLedgerFile(path);
    const attempt = async (call: Call, work: () => Promise<void>, onFailure = async () => {}) => {
      this.calls.push(`${call} ${path.split('/').slice(-2).join('/')}`);
      const code = this.fails(call, path);
      if (code === undefined) return await work();
      await onFailure();
      throw errno(code);
    };
    return {
      write: (bytes, position) =>
        attempt(
          'write',
          () => file.write(bytes, position),
          () => file.write(bytes.subarray(0, this.partly), position),
        ),
      sync: () => attempt('sync', file.sync),
      truncate: (length) => attempt('truncate', () => file.truncate(length)),
      close: file.close,
    };
  };

  /** Fails one kind of call on some files. */
  fail(failing: Call, files: RegExp, code: string): void {
    this.fails = (call, path) => (call === failing && files.test(path) ? code : undefined);
  }

  mend(): void {
    this.fails = () => undefined;
  }
}

async function opened() {
  const { directory } = await testLedger({ lines: 3 });
  const disk = new Disk();
  const writer = await open(directory, { openFile: disk.openFile });
  onTestFinished(() => writer.close());
  return { directory, disk, writer };
}

describe('a full disk', () => {
  it('refuses the entry, keeps every byte of the log as it was, and takes entries again when there is room', async () => {
    const { directory, disk, writer } = await opened();
    const file = join(directory, 'entries/000000000000.ndjson');
    const before = readFileSync(file);
    disk.partly = 100;
    disk.fail('write', /entries/, 'ENOSPC');
    const refused = await Promise.allSettled([append(writer, 3), append(writer, 4)]);
    expect(refused.map((r) => r.status === 'rejected' && r.reason.code)).toEqual(['NO_SPACE', 'NO_SPACE']);
    await expectCodeAsync(append(writer, 3), 'NO_SPACE');
    expect(readFileSync(file)).toEqual(before);
    expect(writer.size).toBe(3);
    expect((await writer.head()).checkpoint.size).toBe(3);
    disk.mend();
    expect((await append(writer, 3)).seq).toBe(4);
    expect((await append(writer, 4)).seq).toBe(5);
    await writer.close();
    await expectTrusted(directory);
    // What is missing is said where it is missing, once.
    using reader = await openLedgerReader(directory);
    const { type, data, ts } = parseLine(await reader.line(3));
    expect([type, data]).toMatchObject(['collector.gap', { cause: 'unavailable' }]);
    validateEvent('collector.gap', data);
    const [from, to] = [Number(data['from_ts']), Number(data['to_ts'])];
    expect(from <= to && to <= ts).toBe(true);
  });

  it('says so with the entry that it takes first, also when that one is refused or malformed', async () => {
    const { directory, disk, writer } = await opened();
    disk.fail('write', /entries/, 'ENOSPC');
    await expectCodeAsync(append(writer, 3), 'NO_SPACE');
    disk.mend();
    await expectCodeAsync(
      writer.append({ type: 'process.start', actor, data: { text: 'x'.repeat(70_000) } }),
      'LINE_TOO_LONG',
    );
    disk.fail('write', /entries/, 'ENOSPC');
    await expectCodeAsync(append(writer, 3), 'NO_SPACE');
    disk.mend();
    await Promise.all([append(writer, 3), append(writer, 4)]);
    await writer.close();
    await expectTrusted(directory);
    using reader = await openLedgerReader(directory);
    const types: string[] = [];
    for await (const line of reader.lines(3)) types.push(parseLine(line).type);
    expect(types).toEqual(['collector.gap', 'process.start', 'process.start']);
  });

  it('rejects what waits behind the refused batch, since it is attached to it', async () => {
    const { directory, disk, writer } = await opened();
    const first = append(writer, 3);
    disk.fail('write', /entries/, 'EDQUOT');
    // Called while the first commit is under way or refused: one outcome for each, and no line without its predecessor.
    const results = await Promise.allSettled([first, ...Array.from({ length: 5 }, (_, i) => append(writer, 4 + i))]);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
    disk.mend();
    await append(writer, 9);
    await writer.close();
    // Three, the one that says so, and the last.
    expect((await expectTrusted(directory)).subject.detail?.['lines']).toBe(5);
  });

  it('when even the cutting fails, the log stops', async () => {
    const { directory, disk, writer } = await opened();
    disk.partly = 50;
    disk.fails = (call, path) => (call !== 'sync' && path.includes('entries') ? 'ENOSPC' : undefined);
    await expectCodeAsync(append(writer, 3), 'LEDGER_STOPPED');
    disk.mend();
    await expectCodeAsync(append(writer, 3), 'LEDGER_STOPPED');
    await writer.close();
    await (await open(directory)).close();
    await expectTrusted(directory);
  });

  it('does not stop a log whose lines still fit: tree and history catch up', async () => {
    for (const path of [/tree/, /history/]) {
      const { directory } = await testLedger({ lines: 3 });
      const disk = new Disk();
      const writer = await open(directory, { openFile: disk.openFile, history: { entries: 1, seconds: 9 } });
      disk.fail('write', path, 'ENOSPC');
      for (let i = 3; i < 6; i += 1) await append(writer, i);
      await writer.head();
      disk.mend();
      await append(writer, 6);
      await writer.close();
      const report = await expectTrusted(directory);
      expect(report.checks.find(({ name }) => name === 'tree')?.detail).toEqual({ missing: 0 });
    }
  });
});

describe('a quota', () => {
  const types = async (directory: string) => {
    using reader = await openLedgerReader(directory);
    const found: string[] = [];
    for await (const line of reader.lines(reader.first)) found.push(parseLine(line).type);
    return found;
  };

  it('stops intake at so many bytes, and the log says so; it goes on when lines were dropped', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 6 });
    const used = entriesBytes(directory);
    const writer = await open(directory, { quota: used + 100 });
    await append(writer, 6);
    const refused = await Promise.allSettled([append(writer, 7), append(writer, 8)]);
    expect(refused.map((r) => r.status === 'rejected' && [r.reason.code, /quota/.test(r.reason.message)])).toEqual([
      ['NO_SPACE', true],
      ['NO_SPACE', true],
    ]);
    // How it came to an end still fits, and what was acknowledged is signed.
    await append(writer, 9, 'collector.stop');
    expect((await writer.head()).checkpoint.size).toBe(9);
    await writer.close();
    expect((await types(directory)).slice(6)).toEqual(['process.start', 'collector.gap', 'collector.stop']);
    await expectTrusted(directory);
    // Opened anew it is still full.
    const again = await open(directory, { quota: used + 100 });
    await expectCodeAsync(append(again, 7), 'NO_SPACE');
    await again.close();
    await pruned(directory, 4);
    const roomy = await open(directory, { quota: used + 100 + 2000 });
    await append(roomy, 7);
    await roomy.close();
    expect((await types(directory)).slice(-2)).toEqual(['log.prune', 'process.start']);
    await expectTrusted(directory);
  });

  it('counts what is on its way to the disk, and bounds also what a log says about itself', async () => {
    const { directory } = await testLedger();
    const writer = await open(directory, { quota: 10_000 });
    const results = await Promise.allSettled(Array.from({ length: 200 }, (_, i) => append(writer, i)));
    const taken = results.filter(({ status }) => status === 'fulfilled').length;
    await writer.head();
    expect(taken).toBeGreaterThan(10);
    const text = 'x'.repeat(60_000);
    const talk = () => writer.append({ type: 'collector.gap', actor, data: { text } });
    for (let i = 0; i < 30; i += 1) await talk().catch(() => undefined);
    await expectCodeAsync(talk(), 'NO_SPACE');
    await writer.close();
    expect(entriesBytes(directory)).toBeLessThan(10_000 + 1024 * 1024 + 70_000);
    await expectTrusted(directory);
  });
});

async function pruned(directory: string, to: number): Promise<void> {
  using reader = await openLedgerReader(directory);
  const { hash, digest: genesis } = reader.genesis;
  const root = formatDigest(hash, await reader.rootAt(to));
  const issuedAt = '2026-03-01T00:00:00.000Z';
  const order = encodeOrder(PRUNE_ORDER, { v: 1, genesis, origin, to, root, reason: 'full', issuedAt });
  const approval = parseOrder(PRUNE_ORDER, signEnvelope(order, logKey));
  await pruneLedger({ directory, key: logKey, approval, minimumAge: 0, ...fakeSurroundings() });
}

describe('a failed fsync', () => {
  it('stops the log for good: nothing is acknowledged, signed or tried again', async () => {
    const { directory, disk, writer } = await opened();
    const headBefore = (await writer.head()).checkpoint.size;
    disk.calls.length = 0;
    disk.fail('sync', /entries/, 'EIO');
    const results = await Promise.allSettled([append(writer, 3), append(writer, 4)]);
    expect(results.map((r) => r.status === 'rejected' && r.reason.code)).toEqual(['LEDGER_STOPPED', 'LEDGER_STOPPED']);
    disk.mend();
    await expectCodeAsync(append(writer, 3), 'LEDGER_STOPPED');
    await expectCodeAsync(writer.head(), 'LEDGER_STOPPED');
    await writer.close();
    expect(disk.calls).toEqual(['write entries/000000000000.ndjson', 'sync entries/000000000000.ndjson']);
    using reader = await openLedgerReader(directory);
    expect(reader.size).toBe(headBefore);
  });

  it('of the head stops it too; the entry had been acknowledged, and is there', async () => {
    const { directory, disk, writer } = await opened();
    disk.fail('sync', /head/, 'EIO');
    expect((await append(writer, 3)).seq).toBe(3);
    await expectCodeAsync(writer.head(), 'LEDGER_STOPPED');
    await writer.close();
    await (await open(directory)).close();
    using reader = await openLedgerReader(directory);
    expect(parseLine(await reader.line(3)).data['i']).toBe(3);
    await expectTrusted(directory);
  });
});

describe('the order of things', () => {
  it('is: write the lines, sync them, then write the head, then sync it', async () => {
    const { disk, writer } = await opened();
    disk.calls.length = 0;
    await Promise.all([append(writer, 3), append(writer, 4), append(writer, 5)]);
    await writer.head();
    const order = disk.calls.filter((call) => !call.includes('tree'));
    const head = order[2]?.split(' ')[1];
    expect(head).toMatch(/^checkpoints\/head\.[ab]$/);
    expect(order).toEqual([
      'write entries/000000000000.ndjson',
      'sync entries/000000000000.ndjson',
      `write ${head}`,
      `truncate ${head}`,
      `sync ${head}`,
    ]);
  });

  it('acknowledges nothing before its sync has returned', async () => {
    const { directory } = await testLedger();
    const { promise, resolve } = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const openFile: OpenLedgerFile = async (path) => {
      const file = await openLedgerFile(path);
      if (!path.includes('entries')) return file;
      const sync = async () => {
        reached.resolve();
        await promise;
        await file.sync();
      };
      return { ...file, sync };
    };
    await using writer = await open(directory, { openFile });
    let acknowledged = false;
    const appended = append(writer, 0).then(() => {
      acknowledged = true;
    });
    await reached.promise;
    await new Promise(setImmediate);
    expect([acknowledged, writer.size]).toEqual([false, 0]);
    expect((await writer.head()).checkpoint.size).toBe(0);
    expect((await verify(directory)).checks.find(({ name }) => name === 'head')?.detail).toEqual({ size: 0 });
    resolve();
    await appended;
    expect(writer.size).toBe(1);
  });
});

describe.skipIf(!canMount())('a real disk of 256 KiB (Linux, as root)', () => {
  it('fills up; nothing acknowledged is lost, and it goes on once there is room', async () => {
    const disk = mountSmallDisk();
    const directory = join(disk, 'log');
    const ballast = join(disk, 'ballast');
    createLedger({ directory, host: 'h', origin, hash: 'blake3', key: logKey, createdAt: '2026-01-01T00:00:00.000Z' });
    writeFileSync(ballast, new Uint8Array(64 * 1024));
    const big = { type: 'process.start', actor, data: { text: 'x'.repeat(3000) } };
    const acknowledged: Uint8Array[] = [];
    {
      await using writer = await open(directory);
      const fill = async () => {
        for (;;) acknowledged.push((await writer.append(big)).line);
      };
      await expectCodeAsync(fill, 'NO_SPACE');
      expect(acknowledged.length).toBeGreaterThan(10);
      rmSync(ballast);
      acknowledged.push((await writer.append(big)).line);
    }
    await expectTrusted(directory);
    using reader = await openLedgerReader(directory);
    const lines: Uint8Array[] = [];
    for await (const line of reader.lines()) lines.push(line);
    const [gap] = lines.splice(-2, 1);
    expect(parseLine(gap as Uint8Array)).toMatchObject({ type: 'collector.gap', data: { cause: 'unavailable' } });
    expect(lines).toEqual(acknowledged);
  });
});

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const point = mkdtempSync(join(tmpdir(), 'daemoneye-mount-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', point]);
  if (status === 0) execFileSync('umount', [point]);
  rmSync(point, { recursive: true });
  return status === 0;
}

/** A small file system of its own, gone when the test ends. */
function mountSmallDisk(): string {
  const point = mkdtempSync(join(tmpdir(), 'daemoneye-mount-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', point]);
  onTestFinished(() => {
    execFileSync('umount', [point]);
    rmSync(point, { recursive: true });
  });
  return point;
}
