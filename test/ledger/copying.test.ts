import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Checkpoint, signCheckpoint } from '../../src/core/checkpoint.ts';
import { readGenesis, requireHeads } from '../../src/ledger/open-io.ts';
import { ensureBuilt, inside } from '../support/cli.ts';
import { testKey, testKeyPem } from '../support/keys.ts';
import { runs, SLOW } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';
import {
  append,
  check,
  copyOf,
  edit,
  expectRefused,
  expectTrusted,
  logKey,
  open,
  origin,
  testLedger,
  verify,
} from './ledger-support.ts';

const COPY = { isCopy: true };
const ENTRIES = 'entries/000000000000.ndjson';

/** The same log at two moments, and what each file of it was then. */
async function twoMoments() {
  const { directory } = await testLedger({ rotate: 8 });
  const grow = async (to: number) => {
    await using writer = await open(directory, { history: { entries: 1, seconds: 3600 } });
    for (let i = writer.size; i < to; i += 1) {
      await append(writer, i);
      await writer.head();
    }
  };
  await grow(13);
  const early = copyOf(directory);
  await grow(21);
  return { early, late: copyOf(directory) };
}

const PARTS = ['entries', 'checkpoints/head.a', 'checkpoints/head.b', 'checkpoints/history.ndjson'];

describe('a copy of a log that is being written', () => {
  it('is whole up to a checkpoint, whatever was read when', async () => {
    const { early, late } = await twoMoments();
    const codes = new Set<string | undefined>();
    for (let choice = 0; choice < 1 << PARTS.length; choice += 1) {
      // Both heads are read at one moment but in a slow run.
      if (!SLOW && ((choice >> 1) & 1) !== ((choice >> 2) & 1)) continue;
      const copy = copyOf(early);
      for (const [i, part] of PARTS.entries()) {
        if ((choice & (1 << i)) !== 0) cpSync(join(late, part), join(copy, part), { recursive: true, force: true });
      }
      // The tree is of the other moment than the lines: behind them, or ahead.
      if ((choice & 1) === 0) cpSync(join(late, 'tree'), join(copy, 'tree'), { recursive: true, force: true });
      const report = await expectTrusted(copy, COPY);
      const { size } = check(report, 'head').detail as { size: number };
      const lines = (choice & 1) === 0 ? 13 : 21;
      expect(report.subject.detail?.['lines']).toBe(lines);
      expect(size >= 13 && size <= lines, `${size} of ${lines}`).toBe(true);
      // Without --copy it may be refused, and then the report says what it may be.
      for (const { status, code, reason } of (await verify(copy)).checks) {
        if (status !== 'fail') continue;
        codes.add(code);
        expect(reason).toContain('add --copy');
      }
    }
    expect([...codes].sort()).toEqual(['HISTORY_AHEAD', 'LINES_MISSING']);
  });

  it('may end in the middle of a line, of a history line, and of both heads', async () => {
    const { late } = await twoMoments();
    const tail = join(late, 'entries/000000000016.ndjson');
    truncateSync(tail, readFileSync(tail).length - 5);
    const history = join(late, 'checkpoints/history.ndjson');
    truncateSync(history, readFileSync(history).length - 9);
    const report = await expectTrusted(late, COPY);
    expect(check(report, 'head').detail).toEqual({ size: 20, signed: 21 });
    for (const slot of ['a', 'b']) truncateSync(join(late, `checkpoints/head.${slot}`), 40);
    expect(check(await expectTrusted(late, COPY), 'head').detail).toEqual({ size: 20, signed: 20 });
    await expectRefused(late, 'head', 'NOTE_MALFORMED');
  });

  it('is refused where it can not have come about by copying', async () => {
    const { early, late } = await twoMoments();
    const refused = async (name: string, code: string, harm: (copy: string) => void) => {
      const copy = copyOf(late);
      harm(copy);
      await expectRefused(copy, name, code, COPY);
    };
    const swap = (from: string, to: string) => (bytes: Buffer) => Buffer.from(bytes.toString().replace(from, to));
    await refused('lines', 'LINE_CHANGED', (copy) => edit(join(copy, ENTRIES), swap('entry 3', 'entry 4')));
    await refused('lines', 'LINES_MISSING', (copy) => rmSync(join(copy, 'entries/000000000008.ndjson')));
    await refused('lines', 'LINES_MISSING', (copy) => truncateSync(join(copy, ENTRIES), 700));
    await refused('head', 'LINES_MISSING', (copy) => {
      rmSync(join(copy, 'entries'), { recursive: true });
      cpSync(join(early, 'entries'), join(copy, 'entries'), { recursive: true });
      writeFileSync(join(copy, 'checkpoints/history.ndjson'), '');
    });
    // A head under the log's key over other lines: in a slot that is not the newest, too.
    const root = new Uint8Array(32);
    for (const [slot, size] of [
      ['a', 13],
      ['b', 21],
    ] as const) {
      const note = signCheckpoint({ origin, size, root }, logKey, 'blake3');
      await refused(size === 21 ? 'head' : 'tree', size === 21 ? 'HEAD_FORK' : 'ROOT_MISMATCH', (copy) => {
        writeFileSync(join(copy, `checkpoints/head.${slot}`), note);
        const other = join(copy, `checkpoints/head.${slot === 'a' ? 'b' : 'a'}`);
        const whole = signCheckpoint(headOf(late), logKey, 'blake3');
        writeFileSync(other, whole);
      });
    }
    await expectRefused(late, 'genesis', 'WRONG_KEY', { ...COPY, key: testKey('other').publicKey });
    await expectRefused(early, 'anchors', 'ANCHOR_AHEAD', { ...COPY, anchors: [headOf(late)] });
  });

  it('of a writer at full speed, by cp -a, as often as it is made', { timeout: runs(120_000, 3_600_000) }, async () => {
    const { directory } = await testLedger({ rotate: 64 });
    await ensureBuilt();
    const args = [join(import.meta.dirname, 'writer-child.ts'), directory, testKeyPem('log')];
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let acknowledged = 0;
    const lines = createInterface({ input: child.stdout });
    lines.on('line', () => {
      acknowledged += 1;
    });
    const key = join(tempDirectory(), 'key.pem');
    writeFileSync(key, logKey.publicKey.pem);
    // Past the first checkpoint of the history.
    while (acknowledged < 1500) await once(lines, 'line');
    for (let round = 0; round < runs(6, 100); round += 1) {
      const before = acknowledged;
      const copy = join(tempDirectory(), 'copy');
      await promisify(execFile)('cp', ['-a', directory, copy]);
      const report = await expectTrusted(copy, COPY);
      const { size } = check(report, 'head').detail as { size: number };
      // Nothing that was acknowledged before the copy began is missing from it.
      expect(Number(report.subject.detail?.['lines'])).toBeGreaterThanOrEqual(before);
      expect(size).toBeGreaterThanOrEqual(1024);
      await once(lines, 'line');
      expect((await inside(['ledger', 'verify', copy, '--copy', '--key', key])).code).toBe(0);
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
  });
});

function headOf(directory: string): Checkpoint {
  return requireHeads(directory, readGenesis(directory)).newest.checkpoint;
}
