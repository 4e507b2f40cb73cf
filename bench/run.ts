/**
 * Measures what the budgets are about, each beside what a user would otherwise use, in one run: `npm run bench`.
 *
 *     npm run bench -- [--only verify,build,many,release,ledger,growth,huge] [--huge] [--files 100000] [--entries 1000000] [--rounds 5] [--out FILE] [--scratch DIR]
 *
 * Writes bench/RESULTS.md, and with `growth` (only when named: at its usual 10 million entries it takes minutes, and 4 GB
 * of disk) bench/ledger-growth.svg beside it. Large data lies in a folder of its own under the scratch directory (default: the system's
 * temporary one, 4 GB; with --huge 33 GB) and is removed. Ratios count; absolute times don't travel.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchBuild } from './bundles/build.ts';
import { benchManyFiles } from './bundles/many-files.ts';
import { benchHuge, benchVerify } from './bundles/verify.ts';
import { benchGrowth } from './ledger/growth.ts';
import { benchLedger } from './ledger/ledger.ts';
import { benchRelease } from './release/release.ts';
import { machineText, type Row, tableOf } from './table.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    huge: { type: 'boolean', default: false },
    files: { type: 'string', default: '100000' },
    entries: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    out: { type: 'string', default: join(import.meta.dirname, 'RESULTS.md') },
    scratch: { type: 'string', default: tmpdir() },
  },
});

const rounds = Number(values.rounds);
const benches: Readonly<Record<string, (folder: string) => Promise<Row[]>>> = {
  verify: (folder) => benchVerify(folder, rounds),
  build: (folder) => benchBuild(folder, rounds),
  many: (folder) => benchManyFiles(folder, Number(values.files)),
  release: (folder) => benchRelease(folder, rounds),
  ledger: (folder) => benchLedger(folder, Number(values.entries ?? 1_000_000), rounds),
  growth: (folder) => benchGrowth(folder, Number(values.entries ?? 10_000_000), dirname(values.out)),
  huge: benchHuge,
};

const wanted =
  values.only?.split(',') ??
  Object.keys(benches).filter((name) => name !== 'growth' && (name !== 'huge' || values.huge));
const unknown = wanted.filter((name) => benches[name] === undefined);
if (unknown.length > 0) throw new Error(`there is no bench ${unknown.join(', ')}; there are ${Object.keys(benches)}`);

// Gigabytes are not left behind by Ctrl-C: `exit` handlers run on process.exit, not on a signal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const machine = machineText();
const rows: Row[] = [];
for (const name of wanted) {
  const folder = mkdtempSync(join(values.scratch, `daemoneye-bench-${name}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    process.stderr.write(`${name}\n`);
    rows.push(...((await benches[name]?.(folder)) ?? []));
  } finally {
    remove();
  }
}

const report = [
  '# What was measured',
  '',
  `\`npm run bench${
    process.argv.length > 2
      ? ` -- ${process.argv
          .slice(2)
          .filter((word) => !word.includes('/'))
          .join(' ')}`
      : ''
  }\`, ${new Date().toISOString().slice(0, 10)}. ${machine}.`,
  '',
  'Each command ran in turn with its peers, several times. Shown are the best run of each, and the median of the ratios of',
  'one round, in which both met the same machine. CPU is user and system time of all threads: the steadier figure where',
  "other work goes on. Ratios count; absolute times don't travel.",
  '',
  tableOf(rows),
  '',
].join('\n');
writeFileSync(values.out, report);
process.stdout.write(report);
