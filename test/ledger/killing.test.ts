import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { encodeHex, utf8 } from '../../src/core/bytes.ts';
import { parseCheckpoint } from '../../src/core/checkpoint.ts';
import { formatDigest, HASHES } from '../../src/core/digest.ts';
import { leafHash } from '../../src/core/merkle.ts';
import { parseNote } from '../../src/core/signed-note.ts';
import { verifyEntryProof } from '../../src/ledger/entry-proof.ts';
import { HISTORY_FILE } from '../../src/ledger/format.ts';
import { parseHistoryLine } from '../../src/ledger/history.ts';
import { readGenesis, requireHeads } from '../../src/ledger/open-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import { ensureBuilt } from '../support/cli.ts';
import { testKeyPem } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import { expectTrusted, logKey, open, origin, testLedger } from './ledger-support.ts';

beforeAll(ensureBuilt);

function spawnWriter(directory: string) {
  const script = join(import.meta.dirname, 'writer-child.ts');
  const child = spawn(process.execPath, [script, directory, testKeyPem('log')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Runs a writer under load and kills it the hard way after some acknowledgements. @returns those, leaf by seq */
async function killWriter(directory: string, afterAcks: number): Promise<Map<number, string>> {
  const child = spawnWriter(directory);
  const acknowledged = new Map<number, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [seq, leaf, ...rest] = line.split(' ');
    // The kill can cut the last line that was printed.
    if (rest.length === 0 && leaf?.length === 'blake3:'.length + 64) acknowledged.set(Number(seq), leaf);
    if (acknowledged.size === afterAcks) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  return acknowledged;
}

/** Whatever was signed was signed once: a head of a size seen before must be the same one. */
function noteHeads(directory: string, heads: Map<number, string>): void {
  const genesis = readGenesis(directory);
  const { newest, older } = requireHeads(directory, genesis);
  const history = readFileSync(join(directory, 'checkpoints', HISTORY_FILE), 'utf8')
    .split('\n')
    .slice(0, -1);
  const kept = history.map((line) => parseCheckpoint(parseNote(parseHistoryLine(utf8(line))).text));
  const slots = [newest, ...(older === undefined ? [] : [older])].map(({ checkpoint }) => checkpoint);
  for (const { size, root } of [...slots, ...kept]) {
    const text = encodeHex(root);
    expect(heads.get(size) ?? text, `two heads over ${size} lines`).toBe(text);
    heads.set(size, text);
  }
}

it('a writer killed under load loses nothing that it acknowledged', { timeout: runs(120_000, 3_600_000) }, async () => {
  const { directory } = await testLedger({ rotate: 64 });
  const acknowledged = new Map<number, string>();
  const heads = new Map<number, string>();
  for (let round = 0; round < runs(5, 200); round += 1) {
    const acks = await killWriter(directory, 1 + ((round * 53) % 150));
    for (const [seq, leaf] of acks) acknowledged.set(seq, leaf);
    noteHeads(directory, heads);
    // The lock went with the process; opening recovers.
    const writer = await open(directory, systemSurroundings());
    expect(writer.size).toBeGreaterThan(Math.max(...acknowledged.keys()));
    await writer.close();
    noteHeads(directory, heads);
    using reader = await openLedgerReader(directory);
    for (const [seq, leaf] of acks) {
      expect(formatDigest('blake3', leafHash(HASHES.blake3, await reader.line(seq)))).toBe(leaf);
    }
  }
  expect(acknowledged.size).toBeGreaterThan(100);
  expect(heads.size).toBeGreaterThan(runs(5, 200));
  await expectTrusted(directory);
  using reader = await openLedgerReader(directory);
  for (const [seq, leaf] of acknowledged) {
    expect(formatDigest('blake3', leafHash(HASHES.blake3, await reader.line(seq)))).toBe(leaf);
  }
});

it('verifying and reading beside a busy writer raises no false alarm', {
  timeout: runs(120_000, 3_600_000),
}, async () => {
  // A new log every time: a busy writer makes thousands of lines a second, and every look reads them all.
  for (let repeat = 0; repeat < runs(1, 25); repeat += 1) {
    const { directory } = await testLedger({ rotate: 64 });
    const child = spawnWriter(directory);
    await once(child.stdout, 'data');
    child.stdout.resume();
    const sizes = new Set<unknown>();
    for (let look = 0; look < 8; look += 1) sizes.add(await lookAt(directory, look));
    expect(sizes.size).toBeGreaterThan(3);
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

/** @returns how many lines there were */
async function lookAt(directory: string, look: number): Promise<unknown> {
  const report = await expectTrusted(directory);
  using reader = await openLedgerReader(directory);
  // The first entry can be acknowledged and not signed yet.
  if (reader.size > 0) {
    const seq = (look * 7919) % reader.size;
    const [proof, line] = [await reader.proveInclusion(seq), await reader.line(seq)];
    expect(verifyEntryProof({ proof, line, key: logKey.publicKey, origin, hash: 'blake3' }).verdict).toBe('trusted');
    await reader.proveConsistency(seq + 1, reader.size);
  }
  return report.subject.detail?.['lines'];
}
