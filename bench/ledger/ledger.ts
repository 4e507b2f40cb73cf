import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, of, race } from '../harness.ts';
import { has, mebibytes, type Row, seconds, times } from '../table.ts';

const CHILD = join(import.meta.dirname, 'child.ts');
const PROOFS = 2000;

/** What a child measured inside itself: without starting Node.js. */
type Measured = { readonly wall: number; readonly cpu: number; readonly resident: number; readonly build?: number };

/**
 * A log of `entries` lines of about 300 bytes: appending beside writing and syncing the same bytes, proofs of inclusion
 * beside merkletreejs, and verifying beside b3sum of the same bytes.
 */
export async function benchLedger(folder: string, entries: number, rounds: number): Promise<Row[]> {
  const log = join(folder, 'log');
  const measured = new Map<string, Measured>();
  const child = (name: string, args: readonly (string | number)[], before?: () => void): Contender => ({
    name,
    command: [process.execPath, CHILD, ...args.map(String)],
    ...(before === undefined ? {} : { before }),
    check: (stdout) => void measured.set(name, better(measured.get(name), JSON.parse(stdout) as Measured)),
  });
  const best = (name: string): Measured => measured.get(name) ?? { wall: Number.NaN, cpu: Number.NaN, resident: 0 };

  const again = () => rmSync(log, { recursive: true, force: true });
  await race(1, [child('append', ['append', log, entries], again)]);
  const bytes = bytesOf(log);
  const raw = child('raw', ['raw', join(folder, 'raw'), bytes]);
  await race(1, [raw]);
  await race(rounds - 1, [child('append', ['append', log, entries], again), raw]);
  const work = (what: string) =>
    `${what} ${entries.toLocaleString('en')} lines of ${Math.round(bytes / entries)} bytes`;
  const rows = [appendRow(work('append, durably,'), entries, best('append'), best('raw'))];

  await race(1, [child('prove', ['prove', log, PROOFS]), child('merkletreejs', ['merkletreejs', entries, PROOFS])]);
  rows.push(proofRow(entries, best('prove'), best('merkletreejs')));

  const verifying = [child('verify', ['verify', log])];
  const files = join(log, 'entries');
  if (has('b3sum')) verifying.push({ name: 'b3sum', command: ['sh', '-c', 'cat "$1"/* | b3sum', 'sh', files] });
  const results = await race(rounds, verifying);
  const sum = has('b3sum') ? of(results, 'b3sum') : undefined;
  rows.push(verifyRow(work('verify'), entries, best('verify'), sum));
  return rows;
}

function better(before: Measured | undefined, now: Measured): Measured {
  if (before === undefined) return now;
  const least = { wall: Math.min(before.wall, now.wall), cpu: Math.min(before.cpu, now.cpu) };
  return { ...now, ...least, resident: Math.max(before.resident, now.resident) };
}

function bytesOf(log: string): number {
  const folder = join(log, 'entries');
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

function appendRow(work: string, entries: number, ours: Measured, raw: Measured): Row {
  const rate = entries / ours.wall;
  const share = raw.wall / ours.wall;
  return {
    work,
    ours: `${seconds(ours.wall)} (${seconds(ours.cpu)} CPU), ${Math.round(rate).toLocaleString('en')}/s, ${mebibytes(ours.resident)}`,
    beside: `\`write\` and \`fdatasync\` of the same bytes, 4 MiB at a time ${seconds(raw.wall)}`,
    ratio: `${Math.round(share * 100)} % of raw`,
    budget: '≥ 100,000/s and ≥ 50 % of raw',
    kept: rate >= 100_000 && share >= 0.5,
  };
}

function proofRow(entries: number, ours: Measured, peer: Measured): Row {
  const each = ours.wall / PROOFS;
  const theirs = peer.wall / PROOFS;
  const microseconds = (value: number) => `${(value * 1e6).toFixed(0)} µs`;
  return {
    work: `prove the inclusion of one of ${entries.toLocaleString('en')} lines, warm`,
    ours: `${microseconds(each)}, read from the log and checked, ${mebibytes(ours.resident)}`,
    beside: `merkletreejs ${microseconds(theirs)}, after ${seconds(peer.build ?? 0)} of building, ${mebibytes(peer.resident)}`,
    ratio: times(each / theirs),
    budget: '< 1 ms, < 120 MiB, no rebuild',
    kept: each < 0.001 && ours.resident < 120 * 2 ** 20,
  };
}

function verifyRow(work: string, entries: number, ours: Measured, sum: { wall: number; cpu: number } | undefined): Row {
  const million = (ours.wall * 1_000_000) / entries;
  return {
    work,
    ours: `${seconds(ours.wall)} (${seconds(ours.cpu)} CPU), ${mebibytes(ours.resident)}`,
    beside:
      sum === undefined
        ? 'b3sum is not here'
        : `\`b3sum\` of the same bytes ${seconds(sum.wall)} (${seconds(sum.cpu)} CPU)`,
    ratio: sum === undefined ? '' : `${times(ours.wall / sum.wall)} (${times(ours.cpu / sum.cpu)} CPU)`,
    budget: '≤ 3 s a million',
    kept: million <= 3,
  };
}
