import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeUtf8 } from '../../src/core/bytes.ts';
import { entriesFileName } from '../../src/ledger/format.ts';
import { createHashFunction } from '../../src/ledger/hashing.ts';
import { type OpenLedgerFile, openLedgerFile } from '../../src/ledger/ledger-file-io.ts';
import { type Line, parseLine } from '../../src/ledger/line.ts';
import { readGenesis, requireHeads } from '../../src/ledger/open-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { recoverLedger } from '../../src/ledger/recovery-io.ts';
import { runs } from '../support/slow.ts';
import { append, copyOf, edit, expectTrusted, fakeSurroundings, open, testLedger, verify } from './ledger-support.ts';

/** What is tested here is what recovery makes of a state on disk, not that it survives another power cut. */
const withoutSync: OpenLedgerFile = async (path) => ({ ...(await openLedgerFile(path)), sync: async () => {} });

/** A log whose lines went on to `lines` when its head, tree and history stood at `head`. */
async function crashedLedger(
  head: number,
  lines: number,
  rotate = 65_536,
): Promise<{ directory: string; lines: Uint8Array[] }> {
  const { directory, lines: written } = await testLedger({ rotate, lines: head });
  const crashed = copyOf(directory);
  {
    await using writer = await open(directory);
    for (let i = head; i < lines; i += 1) written.push((await append(writer, i)).line);
  }
  rmSync(join(crashed, 'entries'), { recursive: true });
  cpSync(join(directory, 'entries'), join(crashed, 'entries'), { recursive: true });
  return { directory: crashed, lines: written };
}

async function recoveredLines(directory: string): Promise<Line[]> {
  using reader = await openLedgerReader(directory);
  const lines: Line[] = [];
  for await (const line of reader.lines()) lines.push(parseLine(line));
  return lines;
}

const first = (directory: string) => join(directory, 'entries', entriesFileName(0));

describe('a crash at every byte of the last two lines', () => {
  it.each([
    ['cut off', 1, (bytes: Buffer, at: number) => bytes.subarray(0, at)],
    // Zeros take the same path as nothing, so without SLOW every seventh byte will do.
    [
      'zeroed',
      runs(7, 1),
      (bytes: Buffer, at: number) => Buffer.concat([bytes.subarray(0, at), Buffer.alloc(bytes.length - at)]),
    ],
  ])(
    '%s there, keeps every whole line, records the rest, and verifies',
    { timeout: runs(180_000, 3_600_000) },
    async (_, step, crash) => {
      const { directory, lines } = await crashedLedger(3, 5);
      const genesis = readGenesis(directory);
      const heads = requireHeads(directory, genesis);
      const options = { directory, genesis, heads, anchors: [], hash: await createHashFunction(genesis.hash) };
      const whole = readFileSync(first(directory));
      const ends = lines.map((__, i) => lines.slice(0, i + 1).reduce((sum, line) => sum + line.length + 1, 0));
      for (let at = ends[2] as number; at <= whole.length; at += step) {
        for (const part of ['tree', 'quarantine']) rmSync(join(directory, part), { recursive: true });
        for (const part of ['tree', 'quarantine']) mkdirSync(join(directory, part));
        const bytes = crash(whole, at);
        writeFileSync(first(directory), bytes);
        const kept = ends.filter((end) => end <= at).length;
        const torn = bytes.subarray(ends[kept - 1]);
        const { scan, record } = await recoverLedger(options, withoutSync);
        expect(scan.end.seq, `crash at ${at}`).toBe(kept);
        expect(readFileSync(first(directory)).equals(whole.subarray(0, ends[kept - 1]))).toBe(true);
        expect(record).toEqual(kept > 3 || torn.length > 0 ? expectedRecord(kept, torn) : undefined);
        const names = readdirSync(join(directory, 'quarantine'));
        expect(names.map((name) => readFileSync(join(directory, 'quarantine', name)))).toEqual(
          torn.length > 0 ? [torn] : [],
        );
        // Signing, recording and verifying see only these results, so a few times is enough for them.
        if (at % 70 === 0) await expectRecovered(copyOf(directory), bytes, kept);
      }
    },
  );

  function expectedRecord(kept: number, torn: Buffer): object {
    const digest = createHash('sha256').update(torn).digest('hex');
    const name = `${String(kept).padStart(12, '0')}-${digest.slice(0, 16)}.torn`;
    const pieces = torn.length === 0 ? [] : [{ bytes: torn.length, digest: `sha256:${digest}`, name }];
    return { adopted: kept - 3, heads: [], lost: 0, torn: pieces, tornPieces: pieces.length, tree: 0 };
  }

  async function expectRecovered(directory: string, crashed: Buffer, kept: number): Promise<void> {
    rmSync(join(directory, 'quarantine'), { recursive: true });
    mkdirSync(join(directory, 'quarantine'));
    writeFileSync(first(directory), crashed);
    await (await open(directory)).close();
    await expectTrusted(directory);
    const lines = await recoveredLines(directory);
    expect(lines.slice(kept).map(({ type }) => type)).toEqual(['log.recovery']);
  }
});

describe('recovery', () => {
  it('goes on afterwards as if nothing had been', async () => {
    const { directory } = await crashedLedger(3, 5);
    edit(first(directory), (bytes) => bytes.subarray(0, -10));
    {
      await using writer = await open(directory);
      for (let i = 0; i < 5; i += 1) await append(writer, i);
    }
    const report = await expectTrusted(directory);
    expect(report.checks.find(({ name }) => name === 'lines')?.detail).toMatchObject({
      lines: 10,
      recoveries: 1,
      unsigned: 0,
    });
    await (await open(directory)).close();
    expect((await recoveredLines(directory)).length).toBe(10);
  });

  it('is seen by a verifier before it happens: what is not signed is said', async () => {
    const { directory } = await crashedLedger(3, 5);
    edit(first(directory), (bytes) => bytes.subarray(0, -10));
    const lines = (await expectTrusted(directory)).checks.find(({ name }) => name === 'lines');
    expect(lines?.detail).toMatchObject({ lines: 4, unsigned: 1 });
    expect(lines?.detail?.['unfinished']).toBeGreaterThan(100);
  });

  it('takes whole files that can not be part of the chain away, and keeps them', async () => {
    const { directory, lines } = await crashedLedger(3, 6, 4);
    writeFileSync(join(directory, 'entries', entriesFileName(8)), 'planted\n');
    writeFileSync(join(directory, 'entries', entriesFileName(7)), 'planted too\n');
    edit(first(directory), (bytes) => bytes.subarray(0, -10));
    {
      await using writer = await open(directory);
      expect(writer.size).toBe(4);
    }
    const [record] = (await recoveredLines(directory)).slice(-1);
    expect(record?.data).toMatchObject({ adopted: 0, tornPieces: 4 });
    expect(readdirSync(join(directory, 'quarantine')).length).toBe(4);
    expect(readdirSync(join(directory, 'entries'))).toEqual([entriesFileName(0)]);
    const kept = readdirSync(join(directory, 'quarantine')).map((name) =>
      readFileSync(join(directory, 'quarantine', name), 'utf8'),
    );
    expect(kept).toContain('planted\n');
    expect(kept).toContain(
      lines
        .slice(4)
        .map((line) => `${decodeUtf8(line)}\n`)
        .join(''),
    );
    await expectTrusted(directory);
  });

  it('does not choke on a thousand planted files', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 2 });
    for (let i = 1; i <= 200; i += 1) writeFileSync(join(directory, 'entries', entriesFileName(4 * i)), `${i}`);
    await (await open(directory)).close();
    const [record] = (await recoveredLines(directory)).slice(-1);
    expect(record?.data['tornPieces']).toBe(200);
    expect(record?.data['torn']).toHaveLength(64);
    await expectTrusted(directory);
  });

  it('that was itself cut short is finished, and still recorded', async () => {
    const { directory } = await crashedLedger(3, 5);
    edit(first(directory), (bytes) => bytes.subarray(0, -10));
    const torn = copyOf(directory);
    await (await open(torn)).close();
    // The state between cutting the file and writing the record: the piece is in quarantine, the line is not there.
    cpSync(join(torn, 'quarantine'), join(directory, 'quarantine'), { recursive: true });
    const text = readFileSync(first(directory));
    writeFileSync(first(directory), text.subarray(0, text.lastIndexOf('\n') + 1));
    await (await open(directory)).close();
    const [record] = (await recoveredLines(directory)).slice(-1);
    expect(record?.type).toBe('log.recovery');
    expect(record?.data).toEqual((await recoveredLines(torn)).at(-1)?.data);
    // And once recorded, it is done with.
    await (await open(directory)).close();
    expect((await recoveredLines(directory)).length).toBe(5);
  });

  it('at a rotation: an empty or torn next file', async () => {
    for (const text of ['', 'torn']) {
      const { directory } = await testLedger({ rotate: 4, lines: 4 });
      writeFileSync(join(directory, 'entries', entriesFileName(4)), text);
      {
        await using writer = await open(directory);
        await append(writer, 4);
      }
      const types = (await recoveredLines(directory)).slice(4).map(({ type }) => type);
      expect(types).toEqual(text === '' ? ['process.start'] : ['log.recovery', 'process.start']);
      await expectTrusted(directory);
    }
  });

  it('from a torn head slot uses the other one, says so, and writes the torn one anew', async () => {
    for (const slot of ['a', 'b']) {
      const { directory } = await testLedger({ lines: 5 });
      edit(join(directory, 'checkpoints', `head.${slot}`), (bytes) => bytes.subarray(0, 30));
      expect((await verify(directory)).checks.find(({ name }) => name === 'head')?.detail).toMatchObject({
        damagedSlot: slot,
      });
      await (await open(directory)).close();
      const [record] = (await recoveredLines(directory)).slice(-1);
      expect(record).toMatchObject({ type: 'log.recovery', data: { heads: [slot] } });
      expect((await expectTrusted(directory)).checks.find(({ name }) => name === 'head')?.detail).toEqual({ size: 6 });
    }
  });

  it('writes tree files anew from the first hash that is missing or wrong', async () => {
    const { directory } = await testLedger({ lines: 13, rotate: 5 });
    const whole = (path: string) =>
      Object.fromEntries(
        ['0', '1', '2', '3'].map((level) => [level, readFileSync(join(path, 'tree', level)).toString('hex')]),
      );
    const harms: [string, (copy: string) => void, number][] = [
      ['short', (copy) => edit(join(copy, 'tree/0'), (bytes) => bytes.subarray(0, 70)), 0],
      ['gone', (copy) => rmSync(join(copy, 'tree/1')), 0],
      [
        'all gone',
        (copy) => readdirSync(join(copy, 'tree')).forEach((name) => void rmSync(join(copy, 'tree', name))),
        0,
      ],
      ['zeroed', (copy) => edit(join(copy, 'tree/0'), (bytes) => bytes.fill(0, 64)), 0],
      ['wrong', (copy) => edit(join(copy, 'tree/2'), (bytes) => bytes.fill(1, 32, 64)), 1],
    ];
    for (const [name, harm, differs] of harms) {
      const copy = copyOf(directory);
      harm(copy);
      await (await open(copy)).close();
      const recorded = (await recoveredLines(copy)).slice(13);
      expect(
        recorded.map(({ data }) => data['tree']),
        name,
      ).toEqual(differs === 0 ? [] : [differs]);
      const expected = whole(directory);
      for (const [level, hex] of Object.entries(whole(copy)))
        expect(hex.startsWith(expected[level] ?? 'none'), name).toBe(true);
      await expectTrusted(copy);
    }
  });

  it('counts lines that only the tree remembers: they had been durable', async () => {
    const { directory } = await testLedger({ lines: 5 });
    const before = copyOf(directory);
    {
      await using writer = await open(directory);
      for (let i = 5; i < 9; i += 1) await append(writer, i);
    }
    // Somebody put the older head and the shorter file back, and forgot the tree.
    rmSync(join(before, 'tree'), { recursive: true });
    cpSync(join(directory, 'tree'), join(before, 'tree'), { recursive: true });
    await (await open(before)).close();
    const [record] = (await recoveredLines(before)).slice(-1);
    expect(record).toMatchObject({ type: 'log.recovery', data: { lost: 4, adopted: 0 } });
    await expectTrusted(before);
  });

  it('cuts a torn line off the history', async () => {
    const { directory } = await testLedger({ lines: 7 });
    edit(join(directory, 'checkpoints/history.ndjson'), (bytes) =>
      Buffer.concat([bytes, Buffer.from('{"note":"torn')]),
    );
    await expectTrusted(directory);
    {
      await using writer = await open(directory, { history: { entries: 1, seconds: 3600 } });
      await append(writer, 7);
    }
    const history = readFileSync(join(directory, 'checkpoints/history.ndjson'), 'utf8').trimEnd().split('\n');
    expect(history.every((line) => line.endsWith('"}'))).toBe(true);
    expect(history.length).toBe(4);
    await expectTrusted(directory);
  });

  it('records a clock that went back, as the first line after what was cut off', async () => {
    const { directory } = await crashedLedger(3, 4);
    edit(first(directory), (bytes) => bytes.subarray(0, -10));
    const around = fakeSurroundings();
    around.ts = 1_600_000_000_000;
    {
      await using writer = await open(directory, around);
      await append(writer, 4);
    }
    const lines = (await recoveredLines(directory)).slice(3);
    expect(lines.map(({ type }) => type)).toEqual(['log.recovery', 'process.start']);
    expect(lines[0]?.data['clock']).toMatchObject({ clock: 'ts' });
    await expectTrusted(directory);
  });

  it('leaves nothing behind when it fails', async () => {
    const { directory } = await crashedLedger(3, 5);
    edit(first(directory), (bytes) => bytes.subarray(0, -10));
    const failing: OpenLedgerFile = async (path) => ({
      ...(await openLedgerFile(path)),
      truncate: async () => {
        throw Object.assign(new Error('EIO: input/output error'), { code: 'EIO' });
      },
    });
    await expect(open(directory, { openFile: failing })).rejects.toMatchObject({ code: 'IO' });
    // The lock was let go of, and the next try, on a disk that works, finds everything still there.
    await (await open(directory)).close();
    expect((await recoveredLines(directory)).at(-1)?.type).toBe('log.recovery');
    expect(existsSync(first(directory))).toBe(true);
    await expectTrusted(directory);
  });
});
