import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/core/bytes.ts';
import { type Checkpoint, signCheckpoint, verifyCheckpoint } from '../../src/core/checkpoint.ts';
import { formatDigest, HASHES } from '../../src/core/digest.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { leafHash } from '../../src/core/merkle.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import { entriesFileName } from '../../src/ledger/format.ts';
import { encodeLine, parseLine } from '../../src/ledger/line.ts';
import { readGenesis } from '../../src/ledger/open-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';
import {
  actor,
  append,
  check,
  copyOf,
  edit,
  expectRefused,
  expectTrusted,
  fakeSurroundings,
  filesBelow,
  logKey,
  open,
  origin,
  snapshot,
  testLedger,
  verify,
} from './ledger-support.ts';

const FIRST = `entries/${entriesFileName(0)}`;

/** Rewrites the lines of a file. */
function editLines(directory: string, change: (lines: string[]) => string[], file = FIRST): void {
  edit(join(directory, file), (bytes) =>
    utf8(
      change(bytes.toString('utf8').trimEnd().split('\n'))
        .map((l) => `${l}\n`)
        .join(''),
    ),
  );
}

/** A writer refuses a tampered log, and touches nothing of it. */
async function expectUntouched(directory: string): Promise<void> {
  const before = snapshot(directory);
  await expectCodeAsync(open(directory), 'TAMPERED');
  expect(snapshot(directory)).toEqual(before);
}

describe('lines under the head', () => {
  it.each<[string, (lines: string[]) => string[], string, number]>([
    ['swapped', (l) => l.with(3, l[4] as string).with(4, l[3] as string), 'LINE_SEQUENCE', 3],
    ['dropped', (l) => l.toSpliced(3, 1), 'LINE_SEQUENCE', 3],
    ['dropped from the start', (l) => l.slice(1), 'LINE_SEQUENCE', 0],
    ['repeated', (l) => l.toSpliced(3, 0, l[3] as string), 'LINE_SEQUENCE', 4],
    ['inserted', (l) => l.toSpliced(3, 0, (l[3] as string).replace('entry 3', 'entry X')), 'LINE_SEQUENCE', 4],
    ['changed in one character', (l) => l.with(3, (l[3] as string).replace('entry 3', 'entry 8')), 'LINE_CHANGED', 3],
    ['given a space', (l) => l.with(3, (l[3] as string).replace(':', ': ')), 'LINE_MALFORMED', 3],
    ['emptied', (l) => l.with(3, ''), 'LINE_MALFORMED', 3],
    ['given a key twice', (l) => l.with(3, (l[3] as string).replace('"v":1', '"v":1,"v":1')), 'LINE_MALFORMED', 3],
  ])('%s: found, with file and line', async (_, change, code, seq) => {
    const { directory } = await testLedger({ lines: 8 });
    editLines(directory, change);
    const { reason, detail } = await expectRefused(directory, 'lines', code);
    expect(reason).toContain(`${FIRST} line ${seq + 1} (seq ${seq})`);
    expect(detail).toEqual({ file: FIRST, line: seq + 1, seq });
    await expectUntouched(directory);
  });

  it('changed in one character, without the tree files: found where the chain breaks', async () => {
    const { directory } = await testLedger({ lines: 8 });
    rmSync(join(directory, 'tree'), { recursive: true });
    editLines(directory, (l) => l.with(3, (l[3] as string).replace('entry 3', 'entry 8')));
    const { reason } = await expectRefused(directory, 'lines', 'LINE_CHAIN');
    expect(reason).toContain(`${FIRST} line 5 (seq 4)`);
  });

  it('in a later file are found there', async () => {
    const { directory } = await testLedger({ lines: 11, rotate: 4 });
    editLines(directory, (l) => l.with(1, (l[1] as string).replace('"i":5', '"i":6')), `entries/${entriesFileName(4)}`);
    const { reason } = await expectRefused(directory, 'lines', 'LINE_CHANGED');
    expect(reason).toContain(`entries/${entriesFileName(4)} line 2 (seq 5)`);
  });

  it('cut off at the end are missed', async () => {
    const { directory } = await testLedger({ lines: 8 });
    const cut = copyOf(directory);
    editLines(cut, (l) => l.slice(0, -1));
    await expectRefused(cut, 'lines', 'LINES_MISSING');
    await expectUntouched(cut);
    edit(join(directory, FIRST), (bytes) => bytes.subarray(0, -1));
    await expectRefused(directory, 'lines', 'LINES_MISSING');
    await expectUntouched(directory);
  });

  it('in files that are gone, or moved, are missed', async () => {
    for (const file of [0, 4, 8]) {
      const { directory } = await testLedger({ lines: 11, rotate: 4 });
      rmSync(join(directory, 'entries', entriesFileName(file)));
      // At the front they look pruned, and nothing says that they were.
      await expectRefused(directory, 'lines', file === 0 ? 'PRUNE_UNRECORDED' : 'LINES_MISSING');
      await expectUntouched(directory);
    }
    const { directory } = await testLedger({ lines: 11, rotate: 4 });
    const at = (seq: number) => join(directory, 'entries', entriesFileName(seq));
    cpSync(at(0), at(4));
    await expectRefused(directory, 'lines', 'LINE_SEQUENCE');
    await expectUntouched(directory);
  });

  it('moved from one file to another are found', async () => {
    const { directory } = await testLedger({ lines: 8, rotate: 4 });
    const [a, b] = [0, 4].map((seq) => join(directory, 'entries', entriesFileName(seq)));
    const lines = readFileSync(b as string, 'utf8').split('\n');
    edit(a as string, (bytes) => Buffer.concat([bytes, Buffer.from(`${lines[0]}\n`)]));
    writeFileSync(b as string, lines.slice(1).join('\n'));
    await expectRefused(directory, 'lines', 'LINE_SURPLUS');
    await expectUntouched(directory);
  });

  it('rewritten with a chain that fits are found by the root, and by the tree files', async () => {
    const { directory } = await testLedger({ lines: 8 });
    editLines(directory, (lines) => rechain(lines, 3));
    const { reason } = await expectRefused(directory, 'tree', 'ROOT_MISMATCH');
    expect(reason).toContain('seq 3');
    await expectUntouched(directory);
    // Who also makes the tree files fit still lacks the key.
    const copy = copyOf(directory);
    rmSync(join(copy, 'tree'), { recursive: true });
    mkdirSync(join(copy, 'tree'));
    await expectRefused(copy, 'tree', 'ROOT_MISMATCH');
    await expectUntouched(copy);
  });

  /** What somebody without the key can do: change a line and link all after it anew. */
  function rechain(lines: readonly string[], from: number): string[] {
    let prev = parseLine(utf8(lines[from] as string)).prev;
    return lines.map((text, seq) => {
      if (seq < from) return text;
      const line = parseLine(utf8(text));
      const bytes = encodeLine({ ...line, prev, data: seq === from ? { i: 666 } : line.data });
      prev = formatDigest('blake3', leafHash(HASHES.blake3, bytes));
      return decodeUtf8(bytes);
    });
  }
});

describe('heads', () => {
  const heads = ['checkpoints/head.a', 'checkpoints/head.b'];

  it('both damaged: nobody goes on', async () => {
    const { directory } = await testLedger({ lines: 5 });
    for (const head of heads) edit(join(directory, head), (bytes) => bytes.fill(0, 20, 30));
    await expectRefused(directory, 'head', 'NOTE_MALFORMED');
    await expectUntouched(directory);
    await expectCodeAsync(openLedgerReader(directory), 'TAMPERED');
  });

  it('both gone: nobody goes on', async () => {
    const { directory } = await testLedger({ lines: 5 });
    for (const head of heads) rmSync(join(directory, head));
    await expectRefused(directory, 'head', 'NOT_FOUND');
    await expectUntouched(directory);
  });

  it('of another log, of another key, or of another kind of hash are no heads', async () => {
    const root = new Uint8Array(32);
    for (const [note, code] of [
      [signCheckpoint({ origin: `${origin}2`, size: 5, root }, logKey, 'blake3'), 'CHECKPOINT_ORIGIN'],
      [signCheckpoint({ origin, size: 5, root }, testKey('other'), 'blake3'), 'NOTE_SIGNATURE'],
      [signCheckpoint({ origin, size: 5, root }, logKey, 'sha256'), 'NOTE_SIGNATURE'],
    ] as const) {
      const { directory } = await testLedger({ lines: 5 });
      for (const head of heads) writeFileSync(join(directory, head), note);
      await expectRefused(directory, 'head', code);
      await expectUntouched(directory);
    }
  });

  it('that contradict each other show that the key signed two histories', async () => {
    const { directory } = await testLedger({ lines: 5 });
    for (const [i, head] of heads.entries()) {
      const fork = signCheckpoint({ origin, size: 5, root: new Uint8Array(32).fill(i) }, logKey, 'blake3');
      writeFileSync(join(directory, head), fork);
    }
    await expectRefused(directory, 'head', 'HEAD_FORK');
    await expectUntouched(directory);
  });

  it('signed, but over other lines, are found: also the older one', async () => {
    for (const size of [4, 6]) {
      const { directory } = await testLedger({ lines: 5 });
      const wrong = signCheckpoint({ origin, size, root: new Uint8Array(32) }, logKey, 'blake3');
      const older = readFileSync(join(directory, 'checkpoints/head.a'), 'utf8').split('\n')[1] === '4' ? 'a' : 'b';
      writeFileSync(join(directory, `checkpoints/head.${older}`), wrong);
      await expectRefused(directory, size === 4 ? 'tree' : 'lines', size === 4 ? 'ROOT_MISMATCH' : 'LINES_MISSING');
      await expectUntouched(directory);
    }
  });
});

describe('going back to an earlier state', () => {
  /** A log at 5 lines, the same log at 9, and the checkpoint of 9 lines that somebody elsewhere holds. */
  async function twoStates(): Promise<{ early: string; late: string; anchor: Checkpoint }> {
    const { directory } = await testLedger({ lines: 5 });
    const early = copyOf(directory);
    await using writer = await open(directory);
    for (let i = 5; i < 9; i += 1) await append(writer, i);
    return { early, late: directory, anchor: (await writer.head()).checkpoint };
  }

  it('is invisible from inside, and seen through an anchor', async () => {
    const { early, late, anchor } = await twoStates();
    const inside = await expectTrusted(early);
    expect(check(inside, 'anchors')).toMatchObject({ status: 'pass', detail: { anchored: 0, unanchored: 5 } });
    await expectRefused(early, 'anchors', 'ANCHOR_AHEAD', { anchors: [anchor] });
    await expectCodeAsync(open(early, { anchors: [anchor] }), 'TAMPERED');
    const anchored = await expectTrusted(late, { anchors: [anchor] });
    expect(check(anchored, 'anchors').detail).toEqual({ anchored: 9, unanchored: 0 });
  });

  it('and writing on from there is a fork that the anchor shows', async () => {
    const { early, anchor } = await twoStates();
    {
      await using writer = await open(early, fakeSurroundings('boot-9'));
      for (let i = 5; i < 12; i += 1) await append(writer, i);
    }
    await expectTrusted(early);
    await expectRefused(early, 'anchors', 'ANCHOR_MISMATCH', { anchors: [anchor] });
    await expectCodeAsync(open(early, { anchors: [anchor] }), 'TAMPERED');
  });

  it('of the heads alone is seen through the history', async () => {
    const { directory } = await testLedger({ lines: 5 });
    const early = copyOf(directory);
    {
      await using writer = await open(directory, { history: { entries: 1, seconds: 3600 } });
      for (let i = 5; i < 9; i += 1) await append(writer, i);
    }
    for (const slot of ['a', 'b'])
      cpSync(join(early, `checkpoints/head.${slot}`), join(directory, `checkpoints/head.${slot}`));
    await expectRefused(directory, 'history', 'HISTORY_AHEAD');
  });

  it('an anchor of another log proves nothing here', async () => {
    const { late, anchor } = await twoStates();
    await expectRefused(late, 'anchors', 'ANCHOR_ORIGIN', { anchors: [{ ...anchor, origin: 'other' }] });
  });
});

describe('lines after the head', () => {
  it('that fit the chain but nobody signed are taken over by recovery, which says so', async () => {
    const { directory, lines } = await testLedger({ lines: 5 });
    const last = parseLine(lines[4] as Uint8Array);
    const prev = formatDigest('blake3', leafHash(HASHES.blake3, lines[4] as Uint8Array));
    const forged = encodeLine({ ...last, seq: 5, prev, type: 'operator.command', data: { forged: 1 } });
    edit(join(directory, FIRST), (bytes) => Buffer.concat([bytes, forged, utf8('\n')]));
    // Nothing but the head could tell it from a line that was durable when the power went: that is the price of
    // acknowledging before signing, and why the count is in the log and in the report.
    expect(check(await expectTrusted(directory), 'lines').detail).toMatchObject({ lines: 6, unsigned: 1 });
    await (await open(directory)).close();
    using reader = await openLedgerReader(directory);
    expect(parseLine(await reader.line(6))).toMatchObject({ type: 'log.recovery', data: { adopted: 1 } });
  });

  it('that do not fit are refused by verification', async () => {
    const { directory } = await testLedger({ lines: 5 });
    const garbage = copyOf(directory);
    edit(join(garbage, FIRST), (bytes) => Buffer.concat([bytes, utf8('{"forged":true}\n')]));
    await expectRefused(garbage, 'lines', 'LINE_MALFORMED');
    edit(join(directory, FIRST), (bytes) => Buffer.concat([bytes, Buffer.alloc(70_000, 'x')]));
    await expectRefused(directory, 'lines', 'LINE_TOO_LONG');
  });
});

describe('what was planted', () => {
  it.each([
    'x',
    '.000000000000.ndjson.swp',
    '000000000000.ndjson~',
    '0.ndjson',
    entriesFileName(12),
    entriesFileName(3),
  ])('a file entries/%s is reported', async (name) => {
    const { directory } = await testLedger({ lines: 3, rotate: 4 });
    writeFileSync(join(directory, 'entries', name), '');
    await expectRefused(directory, 'lines', 'FILE_SURPLUS');
  });

  it.each([FIRST, 'genesis.json', 'checkpoints/head.a', 'tree/0', 'checkpoints/history.ndjson'])(
    'a link in place of %s is not followed',
    async (name) => {
      const { directory } = await testLedger({ lines: 3 });
      const target = join(tempDirectory(), 'target');
      cpSync(join(directory, name), target);
      rmSync(join(directory, name));
      symlinkSync(target, join(directory, name));
      const report = await verify(directory);
      const deciding = report.checks.find(({ status }) => status === 'fail');
      if (name === 'checkpoints/head.a') expect(check(report, 'head').detail).toMatchObject({ damagedSlot: 'a' });
      else expect(['IO', 'FILE_UNREADABLE']).toContain(deciding?.code);
    },
  );

  it.each([FIRST, 'genesis.json', 'checkpoints/head.a', 'tree/0', 'checkpoints/history.ndjson'])(
    'a FIFO in place of %s does not hang anybody',
    async (name) => {
      const { directory } = await testLedger({ lines: 3 });
      rmSync(join(directory, name));
      execFileSync('mkfifo', [join(directory, name)]);
      const report = await verify(directory);
      if (name !== 'checkpoints/head.a') expect(report.verdict).toBe('refused');
      await openLedgerReader(directory).then(
        (reader) => reader.close(),
        (error) => expect(error).toBeInstanceOf(DaemonEyeError),
      );
    },
  );
});

describe('the history', () => {
  const HISTORY = 'checkpoints/history.ndjson';

  it.each<[string, (lines: string[]) => string[], string]>([
    ['reordered', (l) => l.toReversed(), 'HISTORY_ORDER'],
    ['repeated', (l) => [...l, l.at(-1) as string], 'HISTORY_ORDER'],
    ['garbled', (l) => l.with(0, '{"note":1}'), 'HISTORY_MALFORMED'],
    ['unsigned', (l) => l.with(0, (l[0] as string).replace('\\n3\\n', '\\n4\\n')), 'HISTORY_MALFORMED'],
  ])('%s is found', async (_, change, code) => {
    const { directory } = await testLedger({ lines: 8 });
    editLines(directory, change, HISTORY);
    await expectRefused(directory, 'history', code);
  });

  it('with a signed checkpoint of other lines is found', async () => {
    const { directory } = await testLedger({ lines: 8 });
    const note = decodeUtf8(signCheckpoint({ origin, size: 2, root: new Uint8Array(32) }, logKey, 'blake3'));
    editLines(directory, (lines) => [JSON.stringify({ note }), ...lines], HISTORY);
    await expectRefused(directory, 'history', 'HISTORY_MISMATCH');
  });

  it('that is gone is missed', async () => {
    const { directory } = await testLedger({ lines: 8 });
    rmSync(join(directory, HISTORY));
    await expectRefused(directory, 'history', 'HISTORY_MISSING');
  });
});

describe('whose log it is', () => {
  it('comes from outside: without a key there is no verdict', async () => {
    const { directory } = await testLedger({ lines: 3 });
    const report = await verifyLedger(directory);
    expect(report.verdict).toBe('refused');
    expect(check(report, 'genesis')).toMatchObject({ status: 'fail', code: 'KEY_NOT_GIVEN' });
    // That it agrees with itself is still worth knowing.
    expect(report.checks.slice(1).map(({ status }) => status)).toEqual(Array(8).fill('pass'));
    expect(report.checks.map(({ name }) => name)).toEqual([
      'genesis',
      'epochs',
      'head',
      'lines',
      'tree',
      'history',
      'signatures',
      'clock',
      'anchors',
    ]);
  });

  it('a whole log of somebody else in its place is refused', async () => {
    const directory = join(tempDirectory(), 'log');
    const key = testKey('mallory');
    createLedger({ directory, host: 'host-1', origin, hash: 'blake3', key, createdAt: '2026-01-01T00:00:00.000Z' });
    const report = await verify(directory);
    expect(check(report, 'genesis')).toMatchObject({ status: 'fail', code: 'WRONG_KEY' });
    expect(report.checks.slice(1).every(({ status }) => status === 'skipped')).toBe(true);
    expect(report.signers).toEqual([]);
  });

  it('its lines under another genesis of the same key do not chain', async () => {
    const { directory } = await testLedger({ lines: 3 });
    const other = join(tempDirectory(), 'log');
    createLedger({
      directory: other,
      host: 'host-1',
      origin,
      hash: 'blake3',
      key: logKey,
      createdAt: '2026-02-02T00:00:00.000Z',
    });
    cpSync(join(other, 'genesis.json'), join(directory, 'genesis.json'));
    await expectRefused(directory, 'lines', 'LINE_CHAIN');
  });

  it('no log is no verdict', async () => {
    await expectCodeAsync(verify(tempDirectory()), 'LEDGER_NOT_FOUND');
  });
});

describe('signed lines', () => {
  it('of unknown keys, or with a changed signature, are found', async () => {
    const signer = testKey('collector');
    const { directory } = await testLedger();
    {
      await using writer = await open(directory);
      await writer.append({ type: 'trace.start', actor, data: {}, signer });
      await writer.append({ type: 'trace.stop', actor, data: {}, signer: logKey });
    }
    expect(check(await expectTrusted(directory, { signers: [signer.publicKey] }), 'signatures').detail).toEqual({
      signed: 2,
    });
    await expectRefused(directory, 'signatures', 'SIGNER_UNKNOWN');
    // A writer that takes over a line never checks its signature; this check does.
    const [signed] = readFileSync(join(directory, FIRST), 'utf8').split('\n');
    const { directory: forged } = await testLedger();
    const prev = readGenesis(forged).digest;
    const bytes = encodeLine({ ...parseLine(utf8(signed as string)), prev, data: { forged: 1 } });
    writeFileSync(join(forged, FIRST), Buffer.concat([bytes, utf8('\n')]));
    await (await open(forged)).close();
    await expectRefused(forged, 'signatures', 'LINE_SIGNATURE', { signers: [signer.publicKey] });
  });
});

describe('clocks', () => {
  it('that went back without a word are found', async () => {
    const { directory, lines } = await testLedger({ lines: 2 });
    const last = parseLine(lines[1] as Uint8Array);
    const prev = formatDigest('blake3', leafHash(HASHES.blake3, lines[1] as Uint8Array));
    const backdated = encodeLine({ ...last, seq: 2, prev, ts: last.ts - 1_000_000 });
    edit(join(directory, FIRST), (bytes) => Buffer.concat([bytes, backdated, utf8('\n')]));
    await (await open(directory)).close();
    const { reason } = await expectRefused(directory, 'clock', 'CLOCK_UNRECORDED');
    expect(reason).toContain('seq 2');
  });
});

describe('one flipped bit', () => {
  it('anywhere is found, or does no harm by design', { timeout: runs(120_000, 3_600_000) }, async () => {
    const { directory } = await testLedger({ lines: 9, rotate: 4 });
    edit(join(directory, 'entries', entriesFileName(8)), (bytes) => Buffer.concat([bytes, utf8('torn')]));
    await (await open(directory)).close();
    const files = filesBelow(directory).filter((name) => name !== 'lock');
    const state = new Map(files.map((name) => [name, readFileSync(join(directory, name))]));
    const flip = fc.tuple(fc.constantFrom(...files), fc.nat(), fc.nat({ max: 7 }));
    await fc.assert(
      fc.asyncProperty(flip, async ([name, pick, bit]) => {
        const before = state.get(name) as Buffer;
        const changed = Buffer.from(before);
        const at = pick % before.length;
        changed[at] = (changed[at] as number) ^ (1 << bit);
        writeFileSync(join(directory, name), changed);
        try {
          const report = await verify(directory);
          if (report.verdict === 'trusted') expectHarmless(name, at, before, report.checks);
        } finally {
          writeFileSync(join(directory, name), before);
        }
      }),
      { numRuns: runs(150, 5000) },
    );
    await expectTrusted(directory);
  });

  function expectHarmless(
    name: string,
    at: number,
    before: Buffer,
    checks: Awaited<ReturnType<typeof verify>>['checks'],
  ): void {
    const slot = /^checkpoints\/head\.([ab])$/.exec(name)?.[1];
    const head = checks.find((one) => one.name === 'head');
    if (slot !== undefined) {
      // Two slots are there so that one may be torn; the report names the damaged one.
      expect(head?.detail).toMatchObject({ damagedSlot: slot });
    } else if (name === 'checkpoints/history.ndjson') {
      // Without its last newline the last line of the history counts as unfinished: one checkpoint less to compare.
      expect(at).toBe(before.length - 1);
    } else {
      // Torn bytes are no part of the log; their digest is, in the `log.recovery` entry.
      expect(name).toMatch(/^quarantine\//);
    }
  }
});

it('a hostile line puts no escape sequence on the terminal', async () => {
  const { directory } = await testLedger({ lines: 3 });
  const key = '\u009b31m\u202e';
  editLines(directory, (l) => l.with(1, `{"${key}":1,"${key}":1}`));
  const { reason } = await expectRefused(directory, 'lines', 'LINE_MALFORMED');
  expect(reason).not.toMatch(/[\p{Cc}\u202e]/u);
});

describe('the tree files', () => {
  it('with a wrong hash are reported, though nothing is lost', async () => {
    const { directory } = await testLedger({ lines: 9 });
    edit(join(directory, 'tree/1'), (bytes) => bytes.fill(7, 32, 40));
    const { reason } = await expectRefused(directory, 'tree', 'TREE_MISMATCH');
    expect(reason).toContain('hash 1 in tree/1');
    await (await open(directory)).close();
    await expectTrusted(directory);
  });

  it('that are short or gone can be derived, and are reported as such', async () => {
    const { directory } = await testLedger({ lines: 9 });
    edit(join(directory, 'tree/0'), (bytes) => bytes.subarray(0, 100));
    rmSync(join(directory, 'tree/1'));
    expect(check(await expectTrusted(directory), 'tree').detail).toEqual({ missing: 6 + 4 });
  });
});

it('a head is a checkpoint that any C2SP verifier reads (sha256)', async () => {
  const { directory } = await testLedger({ hash: 'sha256', lines: 3 });
  using reader = await openLedgerReader(directory);
  expect(verifyCheckpoint(reader.head.note, { key: logKey.publicKey, hash: 'sha256', origin })).toEqual(
    reader.head.checkpoint,
  );
});
