import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Report } from '../../src/core/checks.ts';
import { formatDigest } from '../../src/core/digest.ts';
import { type Envelope, signEnvelope, signingKeys } from '../../src/core/dsse.ts';
import { formatPrivateKey } from '../../src/core/keys.ts';
import { LedgerError } from '../../src/ledger/errors.ts';
import { holdLines, releaseHold } from '../../src/ledger/holds-io.ts';
import { parseLine } from '../../src/ledger/line.ts';
import {
  encodeOrder,
  HOLD_ORDER,
  type HoldOrder,
  PRUNE_ORDER,
  parseOrder,
  RELEASE_ORDER,
  type ReleaseOrder,
} from '../../src/ledger/orders.ts';
import { pruneLedger } from '../../src/ledger/prune-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import type { EnrollableRole } from '../../src/verify/enrolment-document.ts';
import { ENCLAVE, enrolOperator } from '../forensics/evidence/sample.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { rootDocument, rootFile } from '../support/trust.ts';
import {
  actor,
  append,
  copyOf,
  expectRefused,
  expectTrusted,
  fakeSurroundings,
  logKey,
  open,
  origin,
  snapshot,
  testLedger,
} from './ledger-support.ts';

const ada = testKey('ada');
const issuedAt = '2026-03-01T00:00:00.000Z';

/** What the commands do by the trust root, here by one key. */
const releases = (envelope: Envelope) => {
  const order = parseOrder(RELEASE_ORDER, envelope);
  if (signingKeys(envelope, [ada.publicKey]).length === 0) throw new LedgerError('ORDER_MALFORMED', 'not by ada');
  return order;
};

async function about(directory: string) {
  using reader = await openLedgerReader(directory);
  return { v: 1, genesis: reader.genesis.digest, origin, issuedAt } as const;
}

async function hold(directory: string, from: number, to?: number, changes: Partial<HoldOrder> = {}) {
  const order = {
    ...(await about(directory)),
    from,
    ...(to === undefined ? {} : { to }),
    reason: 'case 7',
    ...changes,
  };
  const approval = { ...parseOrder(HOLD_ORDER, signEnvelope(encodeOrder(HOLD_ORDER, order), ada)), operator: 'ada' };
  return await holdLines({ directory, key: logKey, approval, ...fakeSurroundings() });
}

async function releaseOrder(directory: string, seq: number, changes: Partial<ReleaseOrder> = {}, key = ada) {
  const order = { ...(await about(directory)), hold: seq, reason: 'closed', ...changes };
  return { ...parseOrder(RELEASE_ORDER, signEnvelope(encodeOrder(RELEASE_ORDER, order), key)), operator: 'ada' };
}

async function release(directory: string, seq: number, changes: Partial<ReleaseOrder> = {}) {
  const approval = await releaseOrder(directory, seq, changes);
  return await releaseHold({ directory, key: logKey, approval, releases, ...fakeSurroundings() });
}

async function prune(directory: string, to: number, more: { releases?: typeof releases } = { releases }) {
  using reader = await openLedgerReader(directory);
  const root = formatDigest(reader.genesis.hash, await reader.rootAt(to));
  const order = encodeOrder(PRUNE_ORDER, { ...(await about(directory)), to, root, reason: 'a year' });
  const approval = parseOrder(PRUNE_ORDER, signEnvelope(order, ada));
  return await pruneLedger({ directory, key: logKey, approval, minimumAge: 0, ...more, ...fakeSurroundings() });
}

const log = async () => (await testLedger({ rotate: 4, lines: 14 })).directory;

describe('a legal hold', () => {
  it('keeps its lines, and only those, until it is ended', async () => {
    const directory = await log();
    expect(await hold(directory, 5, 6)).toBe(14);
    expect(await prune(directory, 4)).toEqual({ first: 4, dropped: 4 });
    const before = snapshot(directory);
    await expectCodeAsync(prune(directory, 8), 'LOG_HELD');
    expect(snapshot(directory)).toEqual(before);
    await expectTrusted(directory);
    expect(await release(directory, 14)).toBe(16);
    // By who judges it: without a trust root, nobody has ended it.
    await expectCodeAsync(prune(directory, 8, {}), 'LOG_HELD');
    expect(await prune(directory, 8)).toEqual({ first: 8, dropped: 4 });
    await expectTrusted(directory);
  });

  it('may be over all that is still to come, and over what others hold as well', async () => {
    const directory = await log();
    const [one, two] = [await hold(directory, 14), await hold(directory, 0, 3)];
    await expectCodeAsync(prune(directory, 4), 'LOG_HELD');
    await release(directory, two);
    await using writer = await open(directory);
    for (let i = 0; i < 8; i += 1) await append(writer, i);
    await writer.close();
    await prune(directory, 12);
    await expectCodeAsync(prune(directory, 16), 'LOG_HELD');
    await release(directory, one);
    // Both entries may go now, with the lines they held.
    await prune(directory, 20);
    await expectTrusted(directory);
  });

  it('is also any file in holds/, which nobody has to sign', async () => {
    const directory = await log();
    mkdirSync(join(directory, 'holds'));
    writeFileSync(join(directory, 'holds/case-7'), '');
    await expectCodeAsync(prune(directory, 4), 'LOG_HELD');
    rmSync(join(directory, 'holds/case-7'));
    await prune(directory, 4);
  });

  it('holds even if nobody knows who wrote it, or what it says', async () => {
    const directory = await log();
    await using writer = await open(directory);
    const { seq } = await writer.append({ type: 'log.hold', actor, data: { anything: true } });
    await writer.close();
    await expectCodeAsync(prune(directory, 4), 'LOG_HELD');
    await release(directory, seq);
    await prune(directory, 4);
  });

  it('is not ended by an entry that only says so', async () => {
    const directory = await log();
    const seq = await hold(directory, 0, 3);
    const other = await hold(directory, 1, 2);
    await release(directory, other);
    const { document: theirs } = await releaseOrder(directory, seq, {}, testKey('eve'));
    const { document: elsewhere } = await releaseOrder(directory, seq, { origin: 'another/log' });
    const { document: another } = await releaseOrder(directory, other);
    const { document: prunes } = parseOrder(
      PRUNE_ORDER,
      signEnvelope(
        encodeOrder(PRUNE_ORDER, { ...(await about(directory)), to: 4, root: `blake3:${'0'.repeat(64)}`, reason: 'x' }),
        ada,
      ),
    );
    await using writer = await open(directory);
    for (const document of [theirs, elsewhere, another, prunes, {}]) {
      await writer.append({ type: 'log.release', actor, data: { hold: seq, reason: 'x', operator: 'ada', document } });
    }
    await writer.append({ type: 'log.release', actor, data: { hold: seq } });
    await writer.close();
    await expectCodeAsync(prune(directory, 4), 'LOG_HELD');
    await release(directory, seq);
    await prune(directory, 4);
  });

  it('is refused for lines that are not there, or another log, or where there is none to end', async () => {
    const directory = await log();
    await prune(directory, 4);
    const before = snapshot(directory);
    for (const [from, to] of [
      [3, 6],
      [5, 99],
      [99, undefined],
      [6, 6],
      [6, 5],
    ] as const) {
      await expectCodeAsync(hold(directory, from, to), 'HOLD_REFUSED');
    }
    await expectCodeAsync(hold(directory, 5, 6, { origin: 'another/log' }), 'ORDER_ELSEWHERE');
    await expectCodeAsync(release(directory, 5), 'HOLD_REFUSED');
    expect(snapshot(directory)).toEqual(before);
    const seq = await hold(directory, 5, 6);
    await expectCodeAsync(release(directory, seq, { origin: 'another/log' }), 'ORDER_ELSEWHERE');
    await release(directory, seq);
    await expectCodeAsync(release(directory, seq), 'HOLD_REFUSED');
  });
});

describe('who ordered a prune', () => {
  it('is judged again where somebody says by whom it may be, by what was signed and not by the line', async () => {
    const directory = await log();
    await prune(directory, 4);
    const prunes = (envelope: Envelope) => {
      if (signingKeys(envelope, [ada.publicKey]).length === 0) throw new LedgerError('ORDER_MALFORMED', 'not by ada');
      return parseOrder(PRUNE_ORDER, envelope);
    };
    await expectTrusted(directory, { prunes });
    const nobody = () => {
      throw new LedgerError('ORDER_MALFORMED', 'not by anybody');
    };
    const { reason } = await expectRefused(directory, 'lines', 'PRUNE_UNRECORDED', { prunes: nobody });
    expect(reason).toContain('not by anybody');
    // Its lines gone by another's order, of another log, or of fewer lines.
    const order = { ...(await about(directory)), to: 4, root: `blake3:${'0'.repeat(64)}`, reason: 'x' } as const;
    const { document } = parseOrder(PRUNE_ORDER, signEnvelope(encodeOrder(PRUNE_ORDER, order), ada));
    const elsewhere = { ...order, to: 8, origin: 'another/log' };
    const { document: other } = parseOrder(PRUNE_ORDER, signEnvelope(encodeOrder(PRUNE_ORDER, elsewhere), ada));
    for (const data of [{ document }, { document: other }, { document: {} }]) {
      const copy = copyOf(directory);
      const writer = await open(copy);
      await writer.append({ type: 'log.prune', actor, data: { from: 4, to: 8, keeps: 'tree', ...data } });
      await writer.close();
      rmSync(join(copy, 'entries/000000000004.ndjson'));
      await expectTrusted(copy);
      await expectRefused(copy, 'lines', 'PRUNE_UNRECORDED', { prunes });
    }
  });
});

describe('ledger hold and ledger release', () => {
  it('carry out what an approver ordered, and prune goes by them', async () => {
    const directory = await log();
    const folder = tempDirectory();
    const file = (name: string, bytes: string | Uint8Array) => {
      writeFileSync(join(folder, name), bytes, { mode: 0o600 });
      return join(folder, name);
    };
    const key = (name: string) => file(`${name}.pem`, formatPrivateKey(testKey(name).handle));
    const people = (['approver', 'viewer'] as const).flatMap((role) => {
      const enrolment = enrolOperator(role, [`operator:${role}` as EnrollableRole]);
      return ['--enrolment', file(`${role}.enrolment`, enrolment)];
    });
    const trust = ['--trust', file('1.root.dsse.json', rootFile(rootDocument({ roles: ENCLAVE })).bytes), ...people];
    const order = async (noun: string, by: string, name: string, ...what: string[]) => {
      const ran = await inside([
        'ledger',
        noun,
        directory,
        '--key',
        key(by),
        '--reason',
        'case 7',
        '--out',
        join(folder, name),
        '--json',
        ...what,
      ]);
      return jsonOf(ran, `ledger-${noun}`);
    };
    const carryOut = (noun: string, name: string, ...more: string[]) =>
      inside(['ledger', noun, directory, '--order', join(folder, name), '--key', key('log'), ...trust, ...more]);
    expect(await order('hold', 'approver', 'a.hold', '--range', '0..2')).toMatchObject({ from: 0, to: 2 });
    await order('hold', 'viewer', 'v.hold', '--range', '0..');
    expectError(await carryOut('hold', 'v.hold'), 'ORDER_NOT_APPROVED', 5);
    const held = { log: directory, entry: 14, from: 0, to: 2, operator: 'approver' };
    expect(jsonOf(await carryOut('hold', 'a.hold', '--json'), 'ledger-hold')).toEqual(held);
    await order('prune', 'approver', 'a.prune', '--before', '4');
    const prunes = () => carryOut('prune', 'a.prune', '--minimum-age', '0');
    expectError(await prunes(), 'LOG_HELD', 5);
    await order('release', 'viewer', 'v.release', '--hold', '14');
    expectError(await carryOut('release', 'v.release'), 'ORDER_NOT_APPROVED', 5);
    await order('release', 'approver', 'a.release', '--hold', '14');
    const ended = { log: directory, entry: 15, hold: 14, operator: 'approver' };
    expect(jsonOf(await carryOut('release', 'a.release', '--json'), 'ledger-release')).toEqual(ended);
    expect((await prunes()).code).toBe(0);
    await expectTrusted(directory);
    // Whoever verifies with a trust root judges the approver again.
    const verify = async (...by: string[]) => {
      const args = ['ledger', 'verify', directory, '--key', file('log.pub', logKey.publicKey.pem), '--json', ...by];
      const report = jsonOf<Report>(await inside(args), 'report');
      return report.checks.find(({ status }) => status === 'fail')?.code ?? report.verdict;
    };
    expect([await verify(), await verify(...trust), await verify(...trust.slice(0, 2))]).toEqual([
      'trusted',
      'trusted',
      'PRUNE_UNRECORDED',
    ]);
    using reader = await openLedgerReader(directory);
    expect(parseLine(await reader.line(14)).data).toMatchObject({ from: 0, to: 2, operator: 'approver' });
    expect(
      (
        await inside([
          'ledger',
          'hold',
          directory,
          '--key',
          key('approver'),
          '--reason',
          'x',
          '--out',
          join(folder, 'z'),
          '--range',
          '5',
        ])
      ).code,
    ).toBe(2);
  });
});
