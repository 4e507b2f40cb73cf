import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { HASHES } from '../../src/core/digest.ts';
import { leafHash, rootOfLeaves } from '../../src/core/merkle.ts';
import { verifyConsistency } from '../../src/core/merkle-proofs.ts';
import { parseTlogProof, verifyTlogProof } from '../../src/core/tlog-proof.ts';
import { verifyEntryProof } from '../../src/ledger/entry-proof.ts';
import { type LedgerReader, openLedgerReader } from '../../src/ledger/reader-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { append, copyOf, edit, logKey, open, origin, snapshot, testLedger } from './ledger-support.ts';

async function all(reader: LedgerReader, from?: number, to?: number): Promise<Uint8Array[]> {
  const lines: Uint8Array[] = [];
  for await (const line of reader.lines(from, to)) lines.push(line);
  return lines;
}

const buffers = (lines: readonly Uint8Array[]) => lines.map((line) => Buffer.from(line).toString());

describe('reading', () => {
  it('gives every line, verbatim, at random and in order, over several files', async () => {
    const { directory, lines } = await testLedger({ rotate: 4, lines: 11 });
    using reader = await openLedgerReader(directory);
    expect(reader.size).toBe(11);
    expect(reader.genesis.origin).toBe(origin);
    for (const seq of [10, 0, 4, 3, 7, 8, 10, 1]) expect(await reader.line(seq)).toEqual(lines[seq]);
    expect(buffers(await all(reader))).toEqual(buffers(lines));
    expect(buffers(await all(reader, 3, 9))).toEqual(buffers(lines.slice(3, 9)));
    expect(await all(reader, 11)).toEqual([]);
    expect(await all(reader, 5, 5)).toEqual([]);
  });

  it('finds lines far into a file without reading it all each time', async () => {
    const { directory } = await testLedger();
    {
      await using writer = await open(directory);
      const text = 'x'.repeat(60_000);
      await Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          writer.append({ type: 'a.b', actor: { type: 'host', id: 'h' }, data: { i, text } }),
        ),
      );
    }
    using reader = await openLedgerReader(directory);
    for (const seq of [59, 30, 0, 17, 58, 18]) {
      expect(JSON.parse(Buffer.from(await reader.line(seq)).toString()).data.i).toBe(seq);
    }
  });

  it('refuses what is not there', async () => {
    const { directory } = await testLedger({ lines: 3 });
    using reader = await openLedgerReader(directory);
    for (const seq of [-1, 3, 0.5, Number.NaN, 2 ** 53]) await expectCodeAsync(reader.line(seq), 'NO_SUCH_ENTRY');
    await expectCodeAsync(all(reader, 2, 1), 'NO_SUCH_ENTRY');
    await expectCodeAsync(all(reader, 0, 4), 'NO_SUCH_ENTRY');
    await expectCodeAsync(reader.proveInclusion(3), 'NO_SUCH_ENTRY');
    await expectCodeAsync(reader.proveInclusion(2, 2), 'NO_SUCH_ENTRY');
    await expectCodeAsync(reader.proveInclusion(0, 4), 'NO_SUCH_ENTRY');
    await expectCodeAsync(reader.proveConsistency(0, 3), 'NO_SUCH_ENTRY');
    await expectCodeAsync(reader.proveConsistency(3, 2), 'NO_SUCH_ENTRY');
  });

  it('says so when lines that were signed are gone', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 11 });
    rmSync(join(directory, 'entries', '000000000008.ndjson'));
    using reader = await openLedgerReader(directory);
    await expectCodeAsync(reader.line(9), 'NOT_FOUND');
    edit(join(directory, 'entries', '000000000004.ndjson'), (bytes) => bytes.subarray(0, -1));
    await expectCodeAsync(reader.line(7), 'TAMPERED');
  });

  it('works beside a writer, and sees the log as it was at opening', async () => {
    const { directory } = await testLedger({ lines: 5 });
    await using writer = await open(directory);
    using reader = await openLedgerReader(directory);
    for (let i = 5; i < 20; i += 1) await append(writer, i);
    expect(reader.size).toBe(5);
    await reader.proveInclusion(4);
    await writer.head();
    using later = await openLedgerReader(directory);
    expect(later.size).toBe(20);
  });

  it('changes nothing, and needs no permission to', async () => {
    const { directory, lines } = await testLedger({ lines: 5 });
    const before = snapshot(directory);
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), name.includes('.') ? 0o400 : 0o500);
    using reader = await openLedgerReader(directory);
    expect(await reader.line(4)).toEqual(lines[4]);
    await reader.proveInclusion(1);
    expect(snapshot(directory)).toEqual(before);
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o700);
  });
});

describe.each(['sha256', 'blake3'] as const)('proofs (%s)', (hash) => {
  it('of inclusion verify for every line, under the head and under every kept checkpoint', async () => {
    const { directory, lines } = await testLedger({ hash, lines: 13 });
    using reader = await openLedgerReader(directory);
    for (const size of [undefined, 3, 6, 9, 12, 13]) {
      for (let seq = 0; seq < (size ?? 13); seq += 1) {
        const proof = await reader.proveInclusion(seq, size);
        const line = lines[seq] as Uint8Array;
        const leaf = leafHash(HASHES[hash], line);
        const { index, checkpoint } = verifyTlogProof({ proof, leaf, key: logKey.publicKey, origin, hash });
        expect([index, checkpoint.size]).toEqual([seq, size ?? 13]);
        expect(verifyEntryProof({ proof, line, key: logKey.publicKey, origin, hash }).verdict).toBe('trusted');
      }
    }
    await expectCodeAsync(reader.proveInclusion(0, 5), 'NO_CHECKPOINT');
  });

  it('of consistency verify for every pair of sizes', async () => {
    const { directory, lines } = await testLedger({ hash, lines: 13 });
    using reader = await openLedgerReader(directory);
    const leaves = lines.map((line) => leafHash(HASHES[hash], line));
    const root = (size: number) => rootOfLeaves(HASHES[hash], leaves.slice(0, size));
    for (let b = 1; b <= 13; b += 1) {
      for (let a = 1; a <= b; a += 1) {
        const proof = await reader.proveConsistency(a, b);
        verifyConsistency(HASHES[hash], { size1: a, size2: b, root1: root(a), root2: root(b), proof });
      }
    }
  });

  it('are made from the lines where a crash left no tree, and nobody may write', async () => {
    const { directory, lines } = await testLedger({ hash, lines: 13, rotate: 5 });
    const proofs = async (path: string) => {
      using reader = await openLedgerReader(path);
      return [
        await reader.proveInclusion(4),
        await reader.proveInclusion(12),
        ...(await reader.proveConsistency(6, 13)),
      ];
    };
    const expected = await proofs(directory);
    const short = copyOf(directory);
    edit(join(short, 'tree/0'), (bytes) => bytes.subarray(0, 100));
    edit(join(short, 'tree/1'), (bytes) => Buffer.concat([bytes.subarray(0, 32), Buffer.alloc(bytes.length - 32)]));
    expect(await proofs(short)).toEqual(expected);
    const none = copyOf(directory);
    rmSync(join(none, 'tree'), { recursive: true });
    expect(await proofs(none)).toEqual(expected);
    expect(lines.length).toBe(13);
  });

  it('are never handed out wrong', async () => {
    const { directory } = await testLedger({ hash, lines: 13 });
    using honest = await openLedgerReader(directory);
    const made: string[] = [];
    for (const level of [0, 1, 2, 3]) {
      const copy = copyOf(directory);
      edit(join(copy, 'tree', String(level)), (bytes) => bytes.map((byte) => byte ^ 1));
      using reader = await openLedgerReader(copy);
      made.push(await outcome(reader.proveConsistency(5, 11), honest.proveConsistency(5, 11)));
      for (let seq = 0; seq < 13; seq += 1) {
        made.push(await outcome(reader.proveInclusion(seq), honest.proveInclusion(seq)));
      }
    }
    expect(made.filter((what) => what === 'wrong')).toEqual([]);
    // A proof that needs none of the harmed hashes is as it was; most need some.
    expect(made.filter((what) => what === 'refused').length).toBeGreaterThan(20);
  });

  async function outcome(proof: Promise<unknown>, honest: Promise<unknown>): Promise<'refused' | 'right' | 'wrong'> {
    const [made] = await Promise.allSettled([proof]);
    if (made.status === 'rejected') return made.reason.code === 'TREE_DAMAGED' ? 'refused' : 'wrong';
    return isDeepStrictEqual(made.value, await honest) ? 'right' : 'wrong';
  }
});

describe('one line and its proof, away from the log', () => {
  it('name the check that decides', async () => {
    const { directory, lines } = await testLedger({ hash: 'sha256', lines: 6 });
    using reader = await openLedgerReader(directory);
    const proof = await reader.proveInclusion(4);
    const line = lines[4] as Uint8Array;
    const claim = { proof, line, key: logKey.publicKey, origin, hash: 'sha256' } as const;
    const decide = (changes: object) => {
      const report = verifyEntryProof({ ...claim, ...changes });
      expect(report.verdict).toBe('refused');
      const failed = report.checks.find(({ status }) => status === 'fail');
      expect(report.checks.slice(report.checks.indexOf(failed as never) + 1).every((c) => c.status === 'skipped')).toBe(
        true,
      );
      return [failed?.name, failed?.code];
    };
    expect(verifyEntryProof(claim).checks.map(({ name }) => name)).toEqual([
      'line',
      'proof',
      'checkpoint',
      'inclusion',
    ]);
    expect(verifyEntryProof({ ...claim, line: Buffer.concat([line, utf8('\n')]) }).verdict).toBe('trusted');
    expect(verifyEntryProof({ ...claim, line }).signers).toEqual([{ keyid: logKey.publicKey.keyid, role: 'log' }]);

    expect(decide({ line: utf8('{}') })).toEqual(['line', 'LINE_MALFORMED']);
    expect(decide({ line: Buffer.concat([line, utf8('\n\n')]) })).toEqual(['line', 'LINE_MALFORMED']);
    expect(decide({ line: lines[3] })).toEqual(['proof', 'PROOF_MISMATCH']);
    expect(decide({ proof: utf8('junk') })).toEqual(['proof', 'PROOF_MALFORMED']);
    expect(decide({ key: testKey('other').publicKey })).toEqual(['checkpoint', 'NOTE_SIGNATURE']);
    expect(decide({ origin: 'other' })).toEqual(['checkpoint', 'CHECKPOINT_ORIGIN']);
    expect(decide({ hash: 'blake3' })).toEqual(['checkpoint', 'NOTE_SIGNATURE']);
    const changed = utf8(Buffer.from(line).toString().replace('entry 4', 'entry 5'));
    expect(decide({ line: changed })).toEqual(['inclusion', 'PROOF_MISMATCH']);
    expect(parseTlogProof(proof).index).toBe(4);
  });
});
