/**
 * One piece of work on a log, in a process of its own; prints what it measured as JSON.
 *
 *     node child.ts append LOG ENTRIES | raw FILE BYTES | prove LOG TIMES | merkletreejs ENTRIES TIMES | verify LOG
 */
import { createHash, randomInt } from 'node:crypto';
import { closeSync, existsSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { createLedger } from '../../src/ledger/create-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { openLedgerWriter } from '../../src/ledger/writer-io.ts';
import { testKey } from '../../test/support/keys.ts';

const benchKey = testKey('bench');
const [work = '', where = '', count = ''] = process.argv.slice(2);

/** With the rest of a line, about 300 bytes on average. */
const entry = (i: number) => ({
  type: 'process.exit',
  actor: { type: 'process', id: 'bench' } as const,
  data: { code: i % 256, pid: 1000 + (i % 30_000) },
});

/** As much in flight as a busy collector would have. */
const IN_FLIGHT = 8192;
const BATCH_BYTES = 4 * 1024 * 1024;

async function append(): Promise<object> {
  const createdAt = '2026-01-01T00:00:00.000Z';
  // A log that is there grows on.
  if (!existsSync(where))
    createLedger({
      directory: where,
      host: 'bench',
      origin: 'example/bench',
      hash: 'blake3',
      key: benchKey,
      createdAt,
    });
  const opening = clocks();
  await using writer = await openLedgerWriter({ directory: where, key: benchKey, ...systemSurroundings() });
  const open = elapsed(opening);
  const started = clocks();
  const entries = Number(count);
  for (let i = 0; i < entries; ) {
    const waiting: Promise<unknown>[] = [];
    for (const end = Math.min(entries, i + IN_FLIGHT); i < end; i += 1) waiting.push(writer.append(entry(i)));
    await Promise.all(waiting);
  }
  await writer.head();
  return { ...elapsed(started), open: open.wall };
}

/** The same bytes, written and synced in batches of the size that the writer's are. */
function raw(): object {
  const fd = openSync(where, 'w');
  const bytes = new Uint8Array(BATCH_BYTES).fill(0x61);
  const started = clocks();
  for (let left = Number(count); left > 0; left -= bytes.length) {
    writeSync(fd, bytes, 0, Math.min(left, bytes.length));
    fdatasyncSync(fd);
  }
  const result = elapsed(started);
  closeSync(fd);
  return result;
}

async function prove(): Promise<object> {
  using reader = await openLedgerReader(where);
  const once = async () => await reader.proveInclusion(randomInt(reader.size));
  for (let i = 0; i < 200; i += 1) await once();
  const started = clocks();
  for (let i = 0; i < Number(count); i += 1) await once();
  return elapsed(started);
}

async function merkletreejs(): Promise<object> {
  const { MerkleTree } = await import('merkletreejs');
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
  const leaves = Array.from({ length: Number(where) }, (_, i) => hash(Buffer.from(String(i))));
  const building = clocks();
  const tree = new MerkleTree(leaves, hash);
  const build = elapsed(building);
  const started = clocks();
  for (let i = 0; i < Number(count); i += 1) {
    const at = randomInt(leaves.length);
    tree.getProof(leaves[at] as Buffer, at);
  }
  return { ...elapsed(started), build: build.wall };
}

async function verify(): Promise<object> {
  const started = clocks();
  const { verdict } = await verifyLedger(where, { key: benchKey.publicKey });
  if (verdict !== 'trusted') throw new Error(`the log is ${verdict}`);
  return elapsed(started);
}

type Clocks = { readonly wall: number; readonly cpu: NodeJS.CpuUsage };

function clocks(): Clocks {
  return { wall: performance.now(), cpu: process.cpuUsage() };
}

/** Seconds of the wall clock and of CPU since then; bytes resident at most. */
function elapsed({ wall, cpu }: Clocks): { wall: number; cpu: number; resident: number } {
  const { user, system } = process.cpuUsage(cpu);
  const resident = process.resourceUsage().maxRSS * 1024;
  return { wall: (performance.now() - wall) / 1000, cpu: (user + system) / 1e6, resident };
}

const works: Readonly<Record<string, () => object | Promise<object>>> = { append, raw, prove, merkletreejs, verify };
const run = works[work];
if (run === undefined) throw new Error(`there is no work ${work}`);
process.stdout.write(`${JSON.stringify(await run())}\n`);
