import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, of, race, ratioOf } from '../harness.ts';
import { has, mebibytes, type Row, seconds, times } from '../table.ts';
import { benchRoot, writeBundleTar } from './data.ts';

const ROOT = join(import.meta.dirname, '../..');
const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** Whatever the size: the budget of resident memory. */
const RESIDENT = 150 * MIB;

/**
 * The real program on a tar. The bundle says it holds rules, which this many bytes can't be: so every check passes but
 * `content`, which then costs nothing. That all the others passed is looked at after every run.
 */
function verifying(name: string, tar: string, folder: string): Contender {
  const trust = join(folder, 'root.dsse.json');
  writeFileSync(trust, benchRoot());
  return {
    name,
    command: [join(ROOT, 'bin/daemoneye'), 'bundle', 'verify', tar, '--trust', trust, '--json'],
    environment: { TMPDIR: folder },
    exits: [3],
    check: (stdout) => {
      const report = JSON.parse(stdout) as { checks: { name: string; status: string; reason: string }[] };
      const bad = report.checks.filter((check) => check.name !== 'content' && check.status !== 'pass');
      if (bad.length > 0) throw new Error(`not verified: ${JSON.stringify(bad)}`);
    },
  };
}

/** Verifying a gibibyte, in many files and in one, beside what hashes the same file. */
export async function benchVerify(folder: string, rounds: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [what, count, size] of [
    ['1 GiB in 64 files', 64, 16 * MIB],
    ['1 GiB in one file (16 chunks)', 1, GIB],
  ] as const) {
    const tar = join(folder, 'verify.tar');
    await writeBundleTar(tar, count, size);
    const results = await race(rounds, [
      { name: 'openssl', command: ['openssl', 'dgst', '-sha256', tar] },
      verifying('ours', tar, folder),
      { name: 'sha256sum', command: ['sha256sum', tar] },
    ]);
    const ours = of(results, 'ours');
    for (const peer of ['openssl', 'sha256sum']) {
      const other = of(results, peer);
      const ratio = ratioOf(results, 'ours', peer, 'wall');
      rows.push({
        work: `verify a tar of ${what}, warm cache`,
        ours: `${seconds(ours.wall)} (${seconds(ours.cpu)} CPU)`,
        beside: `\`${peer === 'openssl' ? 'openssl dgst -sha256' : peer}\` ${seconds(other.wall)} (${seconds(other.cpu)} CPU)`,
        ratio: `${times(ratio)} (${times(ratioOf(results, 'ours', peer, 'cpu'))} CPU)`,
        budget: peer === 'openssl' ? '≤ 1.3×' : '',
        ...(peer === 'openssl' ? { kept: ratio <= 1.3 } : {}),
      });
    }
    rows.push(residentRow(`resident, verifying ${what}`, ours.resident));
  }
  for (const tool of ['minisign', 'rauc']) {
    if (!has(tool))
      rows.push({ work: `beside ${tool}`, ours: '', beside: 'not on this machine', ratio: '', budget: '' });
  }
  return rows;
}

/** 16 GiB once, for its memory. Needs 33 GB of disk. */
export async function benchHuge(folder: string): Promise<Row[]> {
  const tar = join(folder, 'huge.tar');
  await writeBundleTar(tar, 1024, 16 * MIB);
  const ours = of(await race(1, [verifying('ours', tar, folder)]), 'ours');
  return [residentRow(`resident, verifying ${(statSync(tar).size / GIB).toFixed(1)} GiB in 1024 files`, ours.resident)];
}

function residentRow(work: string, resident: number): Row {
  return { work, ours: mebibytes(resident), beside: '', ratio: '', budget: '< 150 MB', kept: resident < RESIDENT };
}

export { verifying };
