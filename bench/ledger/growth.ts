import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, race } from '../harness.ts';
import { mebibytes, type Row, seconds, times } from '../table.ts';
import { type Chart, chartsSvg } from './svg.ts';

const CHILD = join(import.meta.dirname, 'child.ts');
const POINTS = 10;
const PROOFS = 1000;
const TRIES = 3;
/** Of the cost of an entry, from the first point to the last. */
const MOST_GROWTH = 1.2;
const MOST_RESIDENT = 120 * 2 ** 20;

/** @property open seconds that opening took, before anything was appended */
type Measured = { readonly wall: number; readonly cpu: number; readonly resident: number; readonly open: number };
/** What one more stretch of entries costs, and a proof at that size. */
type Point = { readonly entries: number; readonly append: Measured; readonly prove: Measured };

/**
 * One log that grows to `most` entries, looked at in ten places: what appending costs by then, and proving. Draws
 * ledger-growth.svg. By CPU time, since the wall clock of a minute of syncing tells of the disk.
 * @param out the folder for the drawing
 */
export async function benchGrowth(folder: string, most: number, out: string): Promise<Row[]> {
  const log = join(folder, 'log');
  const step = Math.floor(most / POINTS);
  const points: Point[] = [];
  for (let entries = step; entries <= step * POINTS; entries += step) {
    process.stderr.write(`  ${entries} entries\n`);
    const append = await run(['append', log, String(step)]);
    // The quickest of a few: which blocks are in memory is chance.
    const proofs: Measured[] = [];
    for (let i = 0; i < TRIES; i += 1) proofs.push(await run(['prove', log, String(PROOFS)]));
    const prove = proofs.reduce((best, one) => (one.wall < best.wall ? one : best));
    points.push({ entries, append, prove });
  }
  const appendMicros = ({ append }: Point) => (append.cpu / step) * 1e6;
  const proofMicros = ({ prove }: Point) => (prove.wall / PROOFS) * 1e6;
  const residentMib = ({ prove }: Point) => prove.resident / 2 ** 20;
  const chart = (title: string, of: (point: Point) => number): Chart => ({
    title,
    points: points.map((point) => ({ x: point.entries / 1e6, y: of(point) })),
  });
  const charts = [
    chart('append one entry, µs CPU', appendMicros),
    chart('prove one entry, µs', proofMicros),
    chart('resident while proving, MiB', residentMib),
    // What it found when it was opened: the lines that were there before those of this point.
    chart('open for writing, s', ({ append }) => append.open),
  ];
  writeFileSync(join(out, 'ledger-growth.svg'), chartsSvg('What a log costs as it grows', charts, 'million entries'));
  return rowsOf(points, appendMicros, proofMicros);
}

function rowsOf(points: readonly Point[], append: (point: Point) => number, proof: (point: Point) => number): Row[] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return [];
  const few = (value: number) => `${value.toFixed(1)} µs`;
  const million = (entries: number) => `${(entries / 1e6).toLocaleString('en')} million`;
  const beside = `at ${million(first.entries)}`;
  return [
    {
      work: `append to a log of ${million(last.entries)} entries, CPU each (ledger-growth.svg)`,
      ours: few(append(last)),
      beside: `${beside} ${few(append(first))}`,
      ratio: times(append(last) / append(first)),
      budget: '≤ 1.2×',
      kept: append(last) / append(first) <= MOST_GROWTH,
    },
    {
      work: `open a log of ${million(last.entries - first.entries)} entries for writing, every line hashed`,
      ours: seconds(last.append.open),
      beside: '',
      ratio: '',
      budget: '',
    },
    {
      work: `prove one of ${million(last.entries)} entries, warm`,
      ours: `${few(proof(last))}, ${mebibytes(last.prove.resident)}`,
      beside: `${beside} ${few(proof(first))}, ${mebibytes(first.prove.resident)}`,
      ratio: times(proof(last) / proof(first)),
      budget: '< 1 ms, < 120 MiB',
      kept: proof(last) < 1000 && last.prove.resident < MOST_RESIDENT,
    },
  ];
}

async function run(args: readonly string[]): Promise<Measured> {
  let measured: Measured | undefined;
  const contender: Contender = {
    name: args[0] ?? '',
    command: [process.execPath, CHILD, ...args],
    check: (stdout) => {
      measured = JSON.parse(stdout) as Measured;
    },
  };
  await race(1, [contender]);
  if (measured === undefined) throw new Error('nothing was measured');
  return measured;
}
