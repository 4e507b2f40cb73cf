import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  attestationBundle,
  bundleBytes,
  leaf,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  statementAbout,
} from '../../test/support/sigstore-authority.ts';
import { type Contender, of, race, ratioOf } from '../harness.ts';
import { mebibytes, type Row, seconds, times } from '../table.ts';

const ROOT = join(import.meta.dirname, '../..');
const MIB = 2 ** 20;
const LARGE = 2 * 2 ** 30;
/** Seconds. */
const COLD = 0.3;
/** Of openssl's rate. */
const RATE = 0.9;
/** Memory counts as flat when a file of 2 GiB takes no more than this above a small one. */
const FLAT = 32 * MIB;

/**
 * Verifying a file by a keyless sigstore bundle, signed under an authority of our own: a small one cold, beside an empty
 * Node.js, and one of 2 GiB, beside what only hashes it.
 */
export async function benchRelease(folder: string, rounds: number): Promise<Row[]> {
  const small = verifying('ours, small', release(folder, 'small', MIB));
  const cold = await race(rounds, [small, { name: 'node', command: [process.execPath, '-e', '0'] }]);
  const file = release(folder, 'large', LARGE);
  const large = await race(rounds, [
    { name: 'openssl', command: ['openssl', 'dgst', '-sha256', file] },
    verifying('ours, large', file),
  ]);
  const [first, node, ours, openssl] = [
    of(cold, small.name),
    of(cold, 'node'),
    of(large, 'ours, large'),
    of(large, 'openssl'),
  ];
  const ratio = ratioOf(large, 'ours, large', 'openssl', 'wall');
  return [
    {
      work: 'release verify of 1 MiB by a keyless sigstore bundle, cold',
      ours: `${seconds(first.wall)} (${seconds(first.cpu)} CPU)`,
      beside: `\`node -e 0\` ${seconds(node.wall)} (${seconds(node.cpu)} CPU)`,
      ratio: times(ratioOf(cold, small.name, 'node', 'wall')),
      budget: '< 300 ms',
      kept: first.wall < COLD,
    },
    {
      work: 'release verify of 2 GiB by a keyless sigstore bundle',
      ours: `${seconds(ours.wall)} (${seconds(ours.cpu)} CPU)`,
      beside: `\`openssl dgst -sha256\` ${seconds(openssl.wall)} (${seconds(openssl.cpu)} CPU)`,
      ratio: `${Math.round(100 / ratio)} % of its rate`,
      budget: '≥ 90 % of its rate',
      kept: 1 / ratio >= RATE,
    },
    {
      work: 'resident, release verify of 2 GiB',
      ours: mebibytes(ours.resident),
      beside: `of 1 MiB ${mebibytes(first.resident)}`,
      ratio: times(ours.resident / first.resident),
      budget: 'flat',
      kept: ours.resident - first.resident < FLAT,
    },
  ];
}

/** A file of so many bytes that compress to nothing less, with its bundle and the root beside it. */
function release(folder: string, name: string, size: number): string {
  const path = join(folder, name);
  const piece = randomFillSync(new Uint8Array(MIB));
  const hash = createHash('sha256');
  const fd = openSync(path, 'w');
  for (let at = 0; at < size; at += piece.length) {
    new DataView(piece.buffer).setBigUint64(0, BigInt(at));
    hash.update(piece);
    writeSync(fd, piece);
  }
  closeSync(fd);
  const statement = statementAbout([{ name, digest: { sha256: hash.digest('hex') } }]);
  writeFileSync(`${path}.sigstore.json`, bundleBytes(attestationBundle(leaf(), statement)));
  writeFileSync(`${path}.root.json`, ownRoot());
  return path;
}

function verifying(name: string, path: string): Contender {
  const trust = ['--trusted-root', `${path}.root.json`, '--identity', OWN_IDENTITY, '--issuer', OWN_ISSUER];
  const data = ['--data', `${path}.data`];
  const signed = ['--bundle', `${path}.sigstore.json`, ...trust];
  return {
    name,
    command: [join(ROOT, 'bin/daemoneye'), 'release', 'verify', path, ...signed, ...data, '--json'],
    check: (stdout) => {
      const { verdict } = JSON.parse(stdout) as { verdict: string };
      if (verdict !== 'trusted') throw new Error(`not verified: ${stdout}`);
    },
  };
}
