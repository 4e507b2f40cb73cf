import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/core/bytes.ts';
import { type Checkpoint, verifyCheckpoint } from '../../src/core/checkpoint.ts';
import { type LedgerFile, type OpenLedgerFile, openLedgerFile } from '../../src/ledger/ledger-file-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { append, expectTrusted, filesBelow, logKey, open, origin, testLedger } from '../ledger/ledger-support.ts';
import { ensureBuilt } from '../support/cli.ts';
import { testKeyPem } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import { canTrace, straced } from '../support/strace.ts';
import { tempDirectory } from '../support/temp.ts';

type Operation =
  | { readonly kind: 'write'; readonly file: string; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly file: string; readonly length: number }
  | { readonly kind: 'sync'; readonly file: string };

/** An acknowledged line, and how much had been asked of the disk when its acknowledgement was seen. */
type Acknowledged = { readonly line: Uint8Array; readonly after: number };

type Recording = {
  /** The log before the first operation. */
  readonly base: string;
  readonly operations: readonly Operation[];
  readonly acknowledged: readonly Acknowledged[];
};

/** Records everything that a file layer is asked for, and does it. */
function recordingLayer(directory: string, operations: Operation[]): OpenLedgerFile {
  return async (path) => {
    const real = await openLedgerFile(path);
    const file = relative(directory, path);
    const recorded: LedgerFile = {
      write: async (bytes, at) => {
        operations.push({ kind: 'write', file, at, bytes: bytes.slice() });
        await real.write(bytes, at);
      },
      truncate: async (length) => {
        operations.push({ kind: 'truncate', file, length });
        await real.truncate(length);
      },
      // What comes back from the disk is what counts: it is durable from here on.
      sync: async () => void operations.push({ kind: 'sync', file }),
      close: real.close,
    };
    return recorded;
  };
}

/** A log of 3 lines to which 25 more are added, a few at a time, over several files. */
async function record(): Promise<Recording> {
  const { directory } = await testLedger({ lines: 3, rotate: 8 });
  const base = join(tempDirectory(), 'base');
  cpSync(directory, base, { recursive: true });
  const operations: Operation[] = [];
  const acknowledged: Acknowledged[] = [];
  const openFile = recordingLayer(directory, operations);
  await using writer = await open(directory, { openFile, history: { entries: 2, seconds: 3600 } });
  let next = 3;
  for (const burst of [1, 4, 2, 7, 1, 3, 5, 2]) {
    const lines = Array.from({ length: burst }, () => {
      next += 1;
      return append(writer, next).then(({ line }) => acknowledged.push({ line, after: operations.length }));
    });
    await Promise.all(lines);
    if (burst % 2 === 0) await writer.head();
  }
  return { base, operations, acknowledged };
}

/** Chance that a test can repeat. */
type Chance = (below: number) => number;

/**
 * What the disk holds when the power goes after `count` operations: of each file all that came before its last sync,
 * and of the rest anything: written, lost, torn, or one without the one before it.
 */
function powerCut({ base, operations }: Recording, count: number, chance: Chance): string {
  const directory = join(tempDirectory(), 'log');
  cpSync(base, directory, { recursive: true });
  const done = operations.slice(0, count);
  for (const [file, all] of Map.groupBy(done, (operation) => operation.file)) {
    const synced = all.findLastIndex(({ kind }) => kind === 'sync');
    const path = join(directory, file);
    let bytes = existsSync(path) ? new Uint8Array(readFileSync(path)) : new Uint8Array();
    // Names in entries/ are made durable when a file is created; other new names may be lost with what is in them.
    if (!existsSync(path) && synced < 0 && !file.startsWith('entries') && chance(2) === 0) continue;
    for (const [i, operation] of all.entries()) {
      const survives = i <= synced || chance(3) > 0;
      if (survives) bytes = apply(bytes, operation, i <= synced ? undefined : chance);
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  return directory;
}

function apply(bytes: Uint8Array, operation: Operation, chance: Chance | undefined): Uint8Array<ArrayBuffer> {
  const fitted = (length: number) => concatBytes(bytes, new Uint8Array(Math.max(0, length - bytes.length)));
  if (operation.kind === 'truncate') return fitted(operation.length).slice(0, operation.length);
  if (operation.kind === 'sync') return bytes.slice();
  const torn = chance !== undefined && chance(3) === 0;
  const part = torn ? operation.bytes.subarray(0, chance(operation.bytes.length + 1)) : operation.bytes;
  // The size can be on the disk before the bytes are: then zeros stand there.
  const result = fitted(operation.at + (torn && chance(2) === 0 ? operation.bytes.length : part.length));
  result.set(part, operation.at);
  return result.slice();
}

/** Every head that had been written, whole, by then: somebody may have carried it off. */
function headsWritten({ operations }: Recording, count: number): Checkpoint[] {
  return operations.slice(0, count).flatMap((operation) => {
    if (operation.kind !== 'write' || !operation.file.startsWith('checkpoints/head')) return [];
    return [verifyCheckpoint(operation.bytes, { key: logKey.publicKey, hash: 'blake3', origin })];
  });
}

const withoutSync: OpenLedgerFile = async (path) => ({ ...(await openLedgerFile(path)), sync: async () => {} });

describe('a power cut that loses, tears and reorders what was not synced', () => {
  it('loses nothing acknowledged, contradicts no head, and leaves a log that verifies', {
    timeout: runs(180_000, 3_600_000),
  }, async () => {
    const recording = await record();
    expect(recording.acknowledged.length).toBe(25);
    const { operations, acknowledged } = recording;
    let recoveries = 0;
    const state = fc.tuple(fc.nat({ max: operations.length }), fc.infiniteStream(fc.nat({ max: 2 ** 31 - 1 })));
    await fc.assert(
      fc.asyncProperty(state, async ([count, stream]) => {
        const directory = powerCut(recording, count, (below) => Number(stream.next().value) % below);
        const anchors = headsWritten(recording, count);
        await (await open(directory, { openFile: withoutSync, anchors })).close();
        const report = await expectTrusted(directory, { anchors });
        if (report.checks.some(({ detail }) => Number(detail?.['recoveries'] ?? 0) > 0)) recoveries += 1;
        using reader = await openLedgerReader(directory);
        const promised = acknowledged.filter(({ after }) => after <= count);
        expect(reader.size).toBeGreaterThanOrEqual(3 + promised.length);
        for (const [i, { line }] of promised.entries()) expect(await reader.line(3 + i)).toEqual(line);
      }),
      { numRuns: runs(30, 5000), endOnFailure: true },
    );
    // Most of these states are not those of a clean close; if they were, this would test nothing.
    expect(recoveries).toBeGreaterThan(runs(30, 5000) / 4);
  });

  it('a record of what was asked of the disk is whole: replayed in full it is the log', async () => {
    const recording = await record();
    const directory = powerCut(recording, recording.operations.length, () => 1);
    await expectTrusted(directory, { anchors: headsWritten(recording, recording.operations.length) });
    expect(filesBelow(directory)).toContain('entries/000000000024.ndjson');
  });
});

const CHILD = join(import.meta.dirname, 'ledger-child.ts');
const ENTRIES = 'entries/000000000000.ndjson';

/** Runs the child and makes some of its system calls fail. @returns what it printed, line by line */
function tampered(directory: string, options: readonly string[], what: string): string[] {
  const { stdout } = straced(options, [CHILD, directory, what, testKeyPem('log')]);
  return stdout.trimEnd().split('\n');
}

describe.skipIf(!canTrace)('system calls that really fail (strace)', () => {
  beforeAll(ensureBuilt);

  it.each([
    ['fdatasync:error=EIO:when=4+', 'LEDGER_STOPPED'],
    ['pwrite64:error=EIO:when=6+', 'IO'],
    ['pwrite64:error=ENOSPC:when=6+', 'NO_SPACE'],
    ['pwrite64:error=ENOSPC:when=6+ ftruncate:error=EIO', 'LEDGER_STOPPED'],
  ])(
    '%s of lines: said as it is, and what was acknowledged is there afterwards',
    {
      timeout: 120_000,
    },
    async (inject, code) => {
      const { directory } = await testLedger({ lines: 3 });
      const injected = inject.split(' ').flatMap((one) => ['-e', `inject=${one}`]);
      const words = tampered(directory, ['-P', join(directory, ENTRIES), ...injected], 'append');
      expect(words.at(-1)).toBe(`failed ${code}`);
      const acknowledged = words.filter((word) => word.startsWith('acknowledged ')).length;
      expect(acknowledged).toBeGreaterThan(1);
      await (await open(directory)).close();
      const report = await expectTrusted(directory);
      expect(Number(report.subject.detail?.['lines'])).toBeGreaterThanOrEqual(3 + acknowledged);
    },
  );

  it('a rename that fails leaves no half of a new log behind', { timeout: 120_000 }, () => {
    const parent = tempDirectory();
    const inject = ['-e', 'inject=rename,renameat,renameat2:error=EIO'];
    expect(tampered(join(parent, 'log'), inject, 'create')).toEqual(['failed IO']);
    expect(readdirSync(parent)).toEqual([]);
  });
});
