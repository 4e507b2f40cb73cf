import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { of, race, ratioOf } from '../harness.ts';
import { type Row, seconds, times } from '../table.ts';
import { writeFiles } from './data.ts';

const MIB = 2 ** 20;
const CHILD = join(import.meta.dirname, 'build-child.ts');

/**
 * Building a gibibyte, durably as always, beside one SHA-256 pass and one copy of the same files, made durable too, and
 * beside what people do instead.
 */
export async function benchBuild(folder: string, rounds: number): Promise<Row[]> {
  const source = join(folder, 'source');
  const out = join(folder, 'out');
  writeFiles(source, 64, 16 * MIB);
  const before = () => rmSync(out, { recursive: true, force: true });
  const shell = (script: string): [string, ...string[]] => ['sh', '-c', script, 'sh', source, out];
  const results = await race(rounds, [
    {
      name: 'hash and copy',
      before,
      command: shell('cat "$1"/* | openssl dgst -sha256 && cp -r "$1" "$2" && sync -f "$2"'),
    },
    { name: 'ours', before, command: [process.execPath, CHILD, source, out] },
    {
      name: 'tar and openssl',
      before,
      command: shell('tar cf "$2" -C "$1" . && openssl dgst -sha256 "$2" && sync -f "$2"'),
    },
  ]);
  const ours = of(results, 'ours');
  const rows = ['hash and copy', 'tar and openssl'].map((peer): Row => {
    const other = of(results, peer);
    const ratio = ratioOf(results, 'ours', peer, 'wall');
    const isBudget = peer === 'hash and copy';
    return {
      work: 'build a bundle of 1 GiB in 64 files, on disk when it ends',
      ours: `${seconds(ours.wall)} (${seconds(ours.cpu)} CPU)`,
      beside: `${isBudget ? '`openssl dgst` of all, `cp -r`, `sync`' : '`tar c`, `openssl dgst`, `sync`'} ${seconds(other.wall)} (${seconds(other.cpu)} CPU)`,
      ratio: `${times(ratio)} (${times(ratioOf(results, 'ours', peer, 'cpu'))} CPU)`,
      budget: isBudget ? '≤ 2×' : '',
      ...(isBudget ? { kept: ratio <= 2 } : {}),
    };
  });
  before();
  rmSync(source, { recursive: true });
  return rows;
}
