import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatPrivateKey } from '../../src/core/keys.ts';
import type { EnrollableRole } from '../../src/verify/enrolment-document.ts';
import { ENCLAVE, enrolOperator } from '../forensics/evidence/sample.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { rootDocument, rootFile } from '../support/trust.ts';
import { expectTrusted, snapshot, testLedger } from './ledger-support.ts';

const PEOPLE = ['log', 'ada', 'ada-laptop', 'ben', 'hunter', 'stranger'] as const;

/** A log, and an order of ada's to drop its first 8 lines, where two approvers are asked for. */
async function orderedOnce() {
  const { directory } = await testLedger({ rotate: 4, lines: 11 });
  const folder = tempDirectory();
  const file = (name: string) => join(folder, name);
  for (const name of PEOPLE) writeFileSync(file(name), formatPrivateKey(testKey(name).handle), { mode: 0o600 });
  writeFileSync(file('1.root.dsse.json'), rootFile(rootDocument({ roles: ENCLAVE })).bytes);
  const enrolled = (
    [
      ['ada', 'approver'],
      ['ben', 'admin'],
      ['hunter', 'hunter'],
    ] as const
  ).flatMap(([name, role]) => {
    writeFileSync(file(`${name}.enrolment`), enrolOperator(name, [`operator:${role}` as EnrollableRole]));
    return ['--enrolment', file(`${name}.enrolment`)];
  });
  const words = ['--before', '8', '--reason', 'a year', '--key', file('ada'), '--out', file('order')];
  expect((await inside(['ledger', 'prune', directory, ...words])).code).toBe(0);
  const carryOut = async (order: string, env: Record<string, string> = { DAEMONEYE_APPROVALS_PRUNE: '2' }) =>
    await inside(
      [
        ...['ledger', 'prune', directory, '--order', order, '--key', file('log'), '--minimum-age', '0'],
        ...['--trust', file('1.root.dsse.json'), ...enrolled, '--data', file('data')],
      ],
      { env },
    );
  const approve = async (...more: readonly string[]) => await inside(['ledger', 'approve', ...more]);
  return { directory, file, carryOut, approve };
}

describe('where the settings ask for two approvers', () => {
  it('a prune is carried out by an order that two have signed, and by no other', async () => {
    const { directory, file, carryOut, approve } = await orderedOnce();
    const before = snapshot(directory);
    expectError(await carryOut(file('order')), 'ORDER_NOT_APPROVED', 5);
    // Who may not approve adds nothing, nor does who signed already.
    for (const name of ['hunter', 'stranger', 'ada']) {
      expect((await approve(file('order'), '--key', file(name))).code).toBe(0);
      expectError(await carryOut(file('order')), 'ORDER_NOT_APPROVED', 5);
    }
    expect(snapshot(directory)).toEqual(before);
    const told = await approve(file('order'), '--key', file('ben'), '--json');
    expect(jsonOf(told, 'ledger-approve')).toMatchObject({ signatures: 4, keyid: testKey('ben').publicKey.keyid });
    const ran = await carryOut(file('order'));
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining('8 lines dropped, as ada, ben ordered')]);
    await expectTrusted(directory);
  });

  it('two keys of one operator are one approver', async () => {
    const { file, carryOut, approve } = await orderedOnce();
    const keys = ['ada', 'ada-laptop'];
    writeFileSync(file('ada.enrolment'), enrolOperator('ada', ['operator:approver'], { keys }));
    expect((await approve(file('order'), '--key', file('ada-laptop'))).code).toBe(0);
    expectError(await carryOut(file('order')), 'ORDER_NOT_APPROVED', 5);
    expect((await carryOut(file('order'), {})).code).toBe(0);
  });

  it('copies that each signed are merged', async () => {
    const { file, carryOut, approve } = await orderedOnce();
    cpSync(file('order'), file('copy'));
    expect((await approve(file('copy'), '--key', file('ben'))).code).toBe(0);
    const merged = await approve(file('order'), '--merge', file('copy'), '--out', file('both'), '--json');
    expect(jsonOf(merged, 'ledger-approve')).toMatchObject({ file: file('both'), signatures: 2 });
    expectError(await carryOut(file('order')), 'ORDER_NOT_APPROVED', 5);
    expect((await carryOut(file('both'))).code).toBe(0);
  });
});

describe('ledger approve', () => {
  it('says in words what is signed', async () => {
    const { file, approve } = await orderedOnce();
    const { stdout } = await approve(file('order'), '--key', file('ben'));
    expect(stdout).toContain('the first 8 lines');
    expect(stdout).toContain('because: a year');
  });

  it('signs nothing but orders', async () => {
    const { file, approve } = await orderedOnce();
    for (const other of ['ada.enrolment', '1.root.dsse.json']) {
      expectError(await approve(file(other), '--key', file('ben')), 'ORDER_MALFORMED', 3);
    }
    const envelope = JSON.parse(readFileSync(file('order'), 'utf8'));
    envelope.payloadType = 'application/vnd.daemoneye.hold+json';
    writeFileSync(file('retyped'), JSON.stringify(envelope));
    expectError(await approve(file('retyped'), '--key', file('ben')), 'ORDER_MALFORMED', 3);
    writeFileSync(file('nothing'), '{}');
    expectError(await approve(file('nothing'), '--key', file('ben')), 'ENVELOPE_MALFORMED', 1);
  });
});
