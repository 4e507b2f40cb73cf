import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, finished, type Ran, start } from '../support/cli.ts';
import { SLOW } from '../support/slow.ts';
import { finishRoot, ok, privateKey, publicKey } from '../support/workspace.ts';

/**
 * A large update on its way, by the real program: cut into 13 volumes, two of them damaged and one lost, the apply
 * interrupted twice. `LARGE_MIB` says how large (default 8192); room for `MOST_ROOM` times as much is needed in the
 * temporary directory (`TMPDIR`), and is free again afterwards. Prints time and memory of each step.
 */
const MIB = 1024 * 1024;
const TOTAL = Number(process.env['LARGE_MIB'] ?? 8192) * MIB;
const VOLUMES = 13;
/** The bundle, its volumes, what is staged, the three volumes that are made again, and a little. */
const MOST_ROOM = 3.5;
const FILES = 400;
/** Hashes and buffers; nothing may grow with the bundle. */
const MOST_MEMORY_MIB = 512;

let place: string;
const at = (...path: readonly string[]) => join(place, ...path);
const told: string[] = [];

beforeAll(async () => {
  if (!SLOW) return;
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize < MOST_ROOM * TOTAL) {
    throw new Error(
      `${Math.ceil((MOST_ROOM * TOTAL) / MIB)} MiB must be free in ${tmpdir()}; or set LARGE_MIB, TMPDIR`,
    );
  }
  await ensureBuilt();
  place = mkdtempSync(join(tmpdir(), 'daemoneye-large-'));
}, 120_000);
afterAll(() => {
  if (place !== undefined) rmSync(place, { recursive: true, force: true });
  if (told.length > 0) console.log(told.join('\n'));
});

/** Files that no two are alike of, one of them large enough for chunks. */
function writeSource(directory: string): void {
  mkdirSync(directory);
  const large = Math.min(160 * MIB, TOTAL / 4);
  const each = Math.floor((TOTAL - large) / FILES);
  const block = randomFillSync(Buffer.alloc(MIB));
  let stamp = 0;
  for (const [name, size] of [
    ['image', large],
    ...Array.from({ length: FILES }, (_, i) => [`part-${i}`, each]),
  ] as const) {
    const fd = openSync(join(directory, String(name)), 'wx');
    for (let left = Number(size); left > 0; left -= MIB) {
      stamp += 1;
      block.writeUInt32LE(stamp);
      writeSync(fd, block, 0, Math.min(left, MIB));
    }
    closeSync(fd);
  }
}

const padded = (bytes: number) => 512 + Math.ceil(bytes / 512) * 512;

/** The least size at which the bundle makes so many volumes, as docs/formats.md says that they are filled. */
function sizeFor(bundle: string, volumes: number): number {
  const heads = ['bundle.dsse.json', 'index.jsonl', 'root/1.root.dsse.json'].map((name) =>
    statSync(join(bundle, name)),
  );
  const fixed = heads.reduce((sum, { size }) => sum + padded(size), 1024);
  const blobs = readdirSync(join(bundle, 'blobs/sha256')).sort();
  const sizes = blobs.map((name) => padded(statSync(join(bundle, 'blobs/sha256', name)).size));
  const countAt = (size: number): number => {
    let [count, filled] = [1, fixed];
    for (const bytes of sizes) {
      if (filled + bytes > size) [count, filled] = [count + 1, fixed];
      filled += bytes;
    }
    return count;
  };
  let [low, high] = [fixed + Math.max(...sizes), fixed + sizes.reduce((sum, bytes) => sum + bytes, 0)];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (countAt(middle) <= volumes) high = middle;
    else low = middle + 1;
  }
  expect(countAt(low)).toBe(volumes);
  return low;
}

/** @param until ends it with the signal once this holds @returns what it said; also tells its time and memory */
async function run(
  what: string,
  args: readonly string[],
  interrupt?: { readonly signal: NodeJS.Signals; readonly when: () => boolean },
): Promise<Ran> {
  const began = performance.now();
  const child = start(args, { env: { TMPDIR: place } }, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ran = finished(child);
  let peak = 0;
  let isSent = false;
  while (child.exitCode === null && child.signalCode === null) {
    peak = Math.max(peak, residentPeak(child.pid));
    if (!isSent && interrupt?.when() === true) isSent = child.kill(interrupt.signal);
    await wait(20);
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  told.push(`${what.padEnd(34)} ${seconds.padStart(7)} s  ${String(peak).padStart(5)} MiB`);
  expect(peak).toBeLessThan(MOST_MEMORY_MIB);
  if (interrupt !== undefined) expect(isSent, `${what}: it was over before it could be interrupted`).toBe(true);
  return ran;
}

/** MiB, by /proc. */
function residentPeak(pid: number | undefined): number {
  const file = `/proc/${pid}/status`;
  try {
    return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

/** Bytes that an apply has left in staging so far. */
function staged(): number {
  const staging = at('data/staging');
  const partial = readdirSync(staging).find((name) => name.startsWith('partial-'));
  if (partial === undefined) return 0;
  return readdirSync(join(staging, partial)).reduce((sum, name) => sum + spaceOf(join(staging, partial, name)), 0);
}

function spaceOf(path: string): number {
  return existsSync(path) ? (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512 : 0;
}

function damage(file: string): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, 'DAMAGED', Math.floor(statSync(file).size / 2));
  closeSync(fd);
}

describe.skipIf(!SLOW)(`an update of ${TOTAL / MIB} MiB (skipped without SLOW=1)`, () => {
  it('arrives whole, in spite of two damaged volumes, a lost one and two interruptions', {
    timeout: 7_200_000,
  }, async () => {
    await ok('trust', 'init', at('root'), '--expires', '365d', '--enclave', 'plant-7');
    await ok('trust', 'add-key', at('root'), publicKey('alice'), '--operator', 'alice');
    for (const role of ['root', 'updates']) {
      await ok('trust', 'set-role', at('root'), role, '--threshold', '1', '--key', 'alice');
    }
    const fingerprint = await finishRoot(at('root'), 'alice');
    await ok('init', '--data', at('data'));
    await ok('trust', 'pin', at('root/1.root.dsse.json'), '--fingerprint', fingerprint, '--data', at('data'));

    writeSource(at('source'));
    const place = ['--kind', 'update', '--channel', 'update/large', '--root', at('root'), '--out', at('b')];
    expect((await run('build', ['bundle', 'build', at('source'), ...place])).code).toBe(0);
    rmSync(at('source'), { recursive: true });
    expect((await run('sign', ['bundle', 'sign', at('b'), '--key', privateKey('alice')])).code).toBe(0);
    const size = String(sizeFor(at('b'), VOLUMES));
    const cut = await run('split', ['bundle', 'split', at('b'), '--size', size, '--out', at('v'), '--json']);
    expect((JSON.parse(cut.stdout) as { count: number }).count).toBe(VOLUMES);

    const volume = (number: number) => `${at('v')}.${String(number).padStart(3, '0')}`;
    for (const number of [3, 8]) damage(volume(number));
    rmSync(volume(5));
    const here = Array.from({ length: VOLUMES }, (_, i) => i + 1).filter((number) => number !== 5);
    const looked = await run('volumes', ['bundle', 'volumes', ...here.map(volume), '--json']);
    expect(looked.code).toBe(3);
    const { volumes, lacking } = JSON.parse(looked.stdout) as {
      volumes: { state: string }[];
      lacking: { volumes: string[] };
    };
    expect(volumes.flatMap(({ state }, i) => (state === 'intact' ? [] : [here[i], state]))).toEqual([
      ...[3, 'damaged'],
      ...[8, 'damaged'],
    ]);
    expect(lacking.volumes.join()).toContain('v.005');

    const apply = (...files: readonly string[]) => [
      'bundle',
      'apply',
      ...files,
      '--yes',
      '--data',
      at('data'),
      '--json',
    ];
    const cable = { signal: 'SIGKILL', when: () => staged() > TOTAL * 0.1 } as const;
    expect((await run('apply, the power goes', apply(...here.map(volume)), cable)).signal).toBe('SIGKILL');
    const person = { signal: 'SIGINT', when: () => staged() > TOTAL * 0.4 } as const;
    expect((await run('apply again, Ctrl-C', apply(...here.map(volume)), person)).code).not.toBe(0);
    const refused = await run('apply, parts lacking', apply(...here.map(volume)));
    expect(refused.code, refused.stdout).toBe(3);
    expect(existsSync(at('data/bundles/update~large/active'))).toBe(false);

    const status = await run('status', ['bundle', 'status', '--data', at('data'), '--json']);
    const { waiting } = JSON.parse(status.stdout) as { waiting: { about?: { lacking: { volumes: string[] } } }[] };
    // The damaged ones were read to their end, and what is sound in them is here.
    expect(waiting[0]?.about?.lacking.volumes).toEqual(['v.005']);

    const only = [3, 5, 8].flatMap((number) => ['--only', String(number)]);
    const again = ['bundle', 'split', at('b'), '--size', size, ...only, '--out', at('again')];
    expect((await run('split, three again', again)).code).toBe(0);
    const recut = [3, 5, 8].map((number) => `${at('again')}.00${number}`);
    const applied = await run('apply, the rest', apply(...recut));
    expect(applied.code, applied.stdout + applied.stderr).toBe(0);

    const files = at('data/bundles/update~large/active/files');
    expect(readdirSync(files)).toHaveLength(FILES + 1);
    expect(statSync(join(files, 'image')).size).toBe(Math.min(160 * MIB, TOTAL / 4));
    const index = readFileSync(at('b/index.jsonl'), 'utf8').trimEnd().split('\n');
    const signed = index.map((line) => JSON.parse(line) as { path: string; sha256: string });
    const sums = signed.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join('');
    execFileSync('sha256sum', ['--check', '--quiet'], {
      cwd: files,
      input: sums,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    expect((await run('list', ['bundle', 'list', '--data', at('data')])).stdout).toContain('seq 1 active');
    expect(staged()).toBe(0);
  });
});
