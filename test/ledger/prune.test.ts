import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import type { Digest } from '../../src/core/digest.ts';
import { formatPrivateKey } from '../../src/core/keys.ts';
import { verifyEntryProof } from '../../src/ledger/entry-proof.ts';
import { PRUNE_ORDER, type PruneOrder, parseOrder } from '../../src/ledger/orders.ts';
import { type DropSealed, pruneLedger } from '../../src/ledger/prune-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { rotateLedger } from '../../src/ledger/rotate-io.ts';
import { pruneSealed } from '../../src/seal/prune-io.ts';
import type { EnrollableRole } from '../../src/verify/enrolment-document.ts';
import { ENCLAVE, enrolOperator } from '../forensics/evidence/sample.ts';
import { ensureBuilt, expectError, inside, jsonOf } from '../support/cli.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { testKey, testKeyPem } from '../support/keys.ts';
import { SLOW } from '../support/slow.ts';
import { callsMade, canTrace, killedAt } from '../support/strace.ts';
import { tempDirectory } from '../support/temp.ts';
import { rootDocument, rootFile } from '../support/trust.ts';
import {
  append,
  check,
  copyOf,
  edit,
  expectRefused,
  expectTrusted,
  fakeSurroundings,
  logKey,
  open,
  snapshot,
  testLedger,
} from './ledger-support.ts';
import { keptValues, pruneApproval, sealedValuesLog } from './prune-support.ts';

const CHILD = join(import.meta.dirname, 'prune-child.ts');

async function prune(directory: string, to: number, changes: Partial<PruneOrder> = {}, minimumAge = 0) {
  const approval = await pruneApproval(directory, to, changes);
  return await pruneLedger({ directory, key: logKey, ...fakeSurroundings(), approval, minimumAge });
}

const entries = (directory: string) => readdirSync(join(directory, 'entries')).sort();

describe('a pruned log', () => {
  it('verifies, says how much is gone and where, and proves all that remains as before', async () => {
    const { directory, lines } = await testLedger({ rotate: 4, lines: 11 });
    expect(await prune(directory, 8)).toEqual({ first: 8, dropped: 8 });
    expect(entries(directory)).toEqual(['000000000008.ndjson']);
    const report = await expectTrusted(directory);
    expect(check(report, 'lines').detail).toMatchObject({ lines: 12, pruned: 8 });
    using reader = await openLedgerReader(directory);
    expect([reader.first, reader.size]).toEqual([8, 12]);
    for (const seq of [8, 9, 10]) {
      const proof = await reader.proveInclusion(seq);
      expect(await reader.line(seq)).toEqual(lines[seq]);
      const claim = { proof, line: await reader.line(seq), key: logKey.publicKey, hash: 'blake3' as const };
      expect(verifyEntryProof(claim).verdict).toBe('trusted');
    }
    // Who kept a line that was dropped here can still have it proved.
    const old = { proof: await reader.proveInclusion(3), line: lines[3] as Uint8Array, key: logKey.publicKey };
    expect(verifyEntryProof({ ...old, hash: 'blake3' }).verdict).toBe('trusted');
    await reader.proveConsistency(3, 12);
    await expectCodeAsync(reader.line(7), 'LINE_PRUNED');
    await expectCodeAsync(reader.proveRange(0, 12, [7, 8]), 'LINE_PRUNED');
    expect((await reader.proveRange(0, 12, [8])).runs).toHaveLength(1);
    const all: Uint8Array[] = [];
    for await (const line of reader.lines()) all.push(line);
    expect(all).toHaveLength(4);
  });

  it('is written to, rotated and pruned again', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 11 });
    await prune(directory, 4);
    const second = testKey('second');
    await rotateLedger({
      directory,
      key: logKey,
      newKey: second,
      issuedAt: '2026-03-01T00:00:00.000Z',
      ...fakeSurroundings(),
    });
    const writer = await open(directory, { key: second });
    for (let i = 0; i < 6; i += 1) await append(writer, i);
    await writer.close();
    await expectTrusted(directory);
    const approval = await pruneApproval(directory, 16);
    const options = { directory, key: second, ...fakeSurroundings(), approval, minimumAge: 0 };
    // The rotation is among the lines that go now; epochs.ndjson keeps it.
    expect(await pruneLedger(options)).toEqual({ first: 16, dropped: 12 });
    for (const key of [logKey, second]) await expectTrusted(directory, { key: key.publicKey });
    expect(await pruneLedger(options)).toEqual({ first: 16, dropped: 0 });
    const again = await open(directory, { key: second });
    expect(again.size).toBe(20);
    await again.close();
    edit(join(directory, 'epochs.ndjson'), (bytes) => utf8(bytes.toString().replace(/"ts":\d/, '"ts":9')));
    await expectRefused(directory, 'lines', 'EPOCH_MISMATCH');
  });

  it('has its upper tree made anew, and not its leaves', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 11 });
    await prune(directory, 8);
    rmSync(join(directory, 'tree/1'));
    await expectTrusted(directory);
    await (await open(directory)).close();
    expect(check(await expectTrusted(directory), 'tree').detail).toEqual({ missing: 0 });
    edit(join(directory, 'tree/0'), (bytes) => bytes.fill(7, 32, 64));
    await expectRefused(directory, 'tree', 'ROOT_MISMATCH');
    await expectCodeAsync(open(directory), 'TAMPERED');
    rmSync(join(directory, 'tree/0'));
    await expectRefused(directory, 'lines', 'TREE_DAMAGED');
    await expectCodeAsync(open(directory), 'TAMPERED');
  });
});

describe('lines are not dropped', () => {
  it('under a legal hold, whoever approved', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 11 });
    mkdirSync(join(directory, 'holds'));
    writeFileSync(join(directory, 'holds/court-12'), 'not even a document');
    const before = snapshot(directory);
    await expectCodeAsync(prune(directory, 4), 'LOG_HELD');
    expect(snapshot(directory)).toEqual(before);
    rmSync(join(directory, 'holds/court-12'));
    await prune(directory, 4);
  });

  it('when they are too young, other ones, of another log, or not whole files', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 11 });
    const before = snapshot(directory);
    const zeros: Digest = `sha256:${'0'.repeat(64)}`;
    await expectCodeAsync(prune(directory, 4, {}, 365 * 86_400_000), 'PRUNE_REFUSED');
    await expectCodeAsync(prune(directory, 5), 'PRUNE_REFUSED');
    await expectCodeAsync(prune(directory, 12), 'PRUNE_REFUSED');
    await expectCodeAsync(prune(directory, 4, { root: `blake3:${'0'.repeat(64)}` }), 'PRUNE_REFUSED');
    await expectCodeAsync(prune(directory, 4, { genesis: zeros }), 'ORDER_ELSEWHERE');
    await expectCodeAsync(prune(directory, 4, { origin: 'another/log' }), 'ORDER_ELSEWHERE');
    expectCode(
      () => parseOrder(PRUNE_ORDER, { payloadType: 'a/b', payload: utf8('{}'), signatures: [] }),
      'ORDER_MALFORMED',
    );
    expect(snapshot(directory)).toEqual(before);
  });

  it('unless an entry under a signed head says so: files that were just removed are missed', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 11 });
    const removed = copyOf(directory);
    rmSync(join(removed, 'entries/000000000000.ndjson'));
    await expectRefused(removed, 'lines', 'PRUNE_UNRECORDED');
    await expectCodeAsync(open(removed), 'TAMPERED');
    await prune(directory, 4);
    rmSync(join(directory, 'entries/000000000004.ndjson'));
    await expectRefused(directory, 'lines', 'PRUNE_UNRECORDED');
    await expectCodeAsync(open(directory), 'TAMPERED');
    const gap = await testLedger({ rotate: 4, lines: 11 });
    await prune(gap.directory, 4);
    rmSync(join(gap.directory, 'entries/000000000008.ndjson'));
    await expectRefused(gap.directory, 'lines', 'LINES_MISSING');
  });
});

describe('ledger prune', () => {
  it('carries out the order of an enrolled approver or admin, and of nobody else', async () => {
    const { directory } = await testLedger({ rotate: 4, lines: 11 });
    const folder = tempDirectory();
    const file = (name: string) => join(folder, name);
    for (const name of ['log', 'approver', 'hunter', 'stranger'] as const) {
      writeFileSync(file(name), formatPrivateKey(testKey(name).handle), { mode: 0o600 });
    }
    writeFileSync(file('1.root.dsse.json'), rootFile(rootDocument({ roles: ENCLAVE })).bytes);
    const enrolled = ['approver', 'hunter'].flatMap((name) => {
      writeFileSync(file(`${name}.enrolment`), enrolOperator(name, [`operator:${name}` as EnrollableRole]));
      return ['--enrolment', file(`${name}.enrolment`)];
    });
    const prune = ['ledger', 'prune', directory];
    const carryOut = (by: string, ...more: readonly string[]) =>
      inside([
        ...[...prune, '--order', file(`${by}.prune`), '--key', file('log'), '--minimum-age', '0'],
        ...['--trust', file('1.root.dsse.json'), ...enrolled, ...more],
      ]);
    const before = snapshot(directory);
    for (const by of ['hunter', 'stranger', 'log', 'approver']) {
      const ordered = [
        '--before',
        '8',
        '--reason',
        'a year',
        '--key',
        file(by),
        '--out',
        file(`${by}.prune`),
        '--json',
      ];
      const ran = await inside([...prune, ...ordered]);
      expect(jsonOf(ran, 'ledger-prune'), ran.stderr).toMatchObject({ to: 8 });
      if (by === 'approver') break;
      expectError(await carryOut(by), 'ORDER_NOT_APPROVED', 5);
      expect(snapshot(directory)).toEqual(before);
    }
    const done = { log: directory, dropped: 8, first: 8, operators: ['approver'] };
    expect(jsonOf(await carryOut('approver', '--json'), 'ledger-prune')).toEqual(done);
    await expectTrusted(directory);
    expectError(await inside([...prune, '--key', file('log')]), 'USAGE_OPTION', 2);
  });
});

describe.skipIf(!canTrace)('killed at a system call (needs strace)', () => {
  beforeAll(ensureBuilt);

  it('a prune leaves a log that verifies, and the same call again finishes it', {
    timeout: SLOW ? 900_000 : 120_000,
  }, async () => {
    const { directory, sealed, commits } = await sealedValuesLog([0, 3, 10], 15);
    const { document, order } = await pruneApproval(directory, 12);
    const outcomes = new Set<number>();
    const command = () => {
      const folder = tempDirectory();
      const [copy, values] = [join(folder, 'log'), join(folder, 'sealed')];
      cpSync(directory, copy, { recursive: true });
      cpSync(sealed, values, { recursive: true });
      const args = [CHILD, copy, JSON.stringify({ document, order }), values, testKeyPem('log')];
      return { copy, values, args };
    };
    const calls = ['fdatasync', 'fsync', 'unlink', 'rename', 'pwrite64'];
    const made = callsMade(calls, command().args);
    for (const call of calls) {
      const times = made.get(call) ?? 0;
      let killed = 0;
      // Between two removals lies what is neither old nor new, so each is met.
      for (let nth = 1; nth <= times; nth += SLOW || call === 'unlink' ? 1 : 8) {
        const { copy, values, args } = command();
        if (!killedAt(call, nth, args)) break;
        killed += 1;
        const report = await expectTrusted(copy);
        outcomes.add(Number(check(report, 'lines').detail?.['pruned'] ?? 0));
        const approval = { document, order };
        const dropSealed: DropSealed = (before, dropped) => pruneSealed(values, before, dropped);
        const options = { directory: copy, key: logKey, ...fakeSurroundings(), approval, minimumAge: 0, dropSealed };
        await pruneLedger(options);
        expect(keptValues(values, commits)).toEqual([12, 13, 14]);
        expect(check(await expectTrusted(copy), 'lines').detail).toMatchObject({ pruned: 12 });
        rmSync(dirname(copy), { recursive: true });
      }
      // A call that is never made would prove nothing.
      expect(killed, call).toBeGreaterThan(0);
    }
    expect(outcomes.has(0)).toBe(true);
    expect(outcomes.size).toBeGreaterThan(1);
  });
});
