import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { acceptEnrolment } from '../../src/install/enrolment-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { type Line, parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { type OperatorEnrolmentDocument, sealEnrolment } from '../../src/verify/enrolment-document.ts';
import { BUILT_AT, ISSUED_AT, open } from '../support/enclave.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { KIND_ROLES, kindsEnclave, kindsRoot } from './kinds-support.ts';

const ROLES = { ...KIND_ROLES, enrol: { keys: ['enrol-a', 'enrol-b'], threshold: 2 } };
const carol = testKey('carol').publicKey;

/** Copies of one enrolment, each signed by one. */
function copies(signers: readonly string[], changes: Partial<OperatorEnrolmentDocument> = {}): Uint8Array[] {
  const sealed = sealEnrolment({
    v: 1,
    operator: 'carol',
    keys: [{ keyid: carol.keyid, pem: carol.pem }],
    roles: ['evidence'],
    issuedAt: '2026-04-01T00:00:00.000Z',
    expires: '2027-04-01T00:00:00.000Z',
    ...changes,
  });
  return signers.map((name) => encodeEnvelope(signEnvelope(sealed, testKey(name))));
}

async function accept(data: string, files: readonly Uint8Array[]): Promise<void> {
  const [first, ...others] = files;
  if (first === undefined) throw new Error('no copy');
  await using install = await open(data);
  await acceptEnrolment(install, [first, ...others]);
}

async function newest(data: string): Promise<Line> {
  using reader = await openLedgerReader(join(data, 'logs', 'install'));
  return parseLine(await reader.line(reader.size - 1));
}

const floorOf = async (data: string) => (await readInstall(data, BUILT_AT)).state.floor;

describe('an enrolment that is accepted', () => {
  it('raises the time floor to the moment it was issued, once', async () => {
    const data = await kindsEnclave(kindsRoot({ roles: ROLES }));
    await accept(data, copies(['enrol-a', 'enrol-b']));
    const { type, seq, data: raised } = await newest(data);
    expect({ type, raised }).toMatchObject({
      type: 'floor.raised',
      raised: { cause: 'enrolment', from: ISSUED_AT, floor: '2026-04-01T00:00:00.000Z' },
    });
    expect(await floorOf(data)).toBe('2026-04-01T00:00:00.000Z');
    await accept(data, copies(['enrol-b', 'enrol-a']));
    expect((await newest(data)).seq).toBe(seq);
    expect(readdirSync(join(data, 'trust/enrolments'))).toHaveLength(1);
  });

  it('is refused, and logged as refused, when too few sign, when its clock was wrong, when copies differ', async () => {
    const data = await kindsEnclave(kindsRoot({ roles: ROLES }));
    const late = { issuedAt: '2027-07-01T00:00:00.000Z', expires: '2027-08-01T00:00:00.000Z' };
    const refused: [readonly Uint8Array[], string][] = [
      [copies(['enrol-a']), 'THRESHOLD_NOT_MET'],
      [copies(['enrol-a', 'enrol-b'], late), 'ISSUED_AFTER_ROOT_EXPIRES'],
      [[new TextEncoder().encode('{}')], 'ENROLMENT_MALFORMED'],
    ];
    for (const [files, code] of refused) {
      await expectCodeAsync(accept(data, files), code);
      const { type, data: told } = await newest(data);
      expect({ type, told }).toMatchObject({ type: 'statement.refused', told: { statement: 'enrolment', code } });
    }
    const two = [...copies(['enrol-a']), ...copies(['enrol-b'], { operator: 'mallory' })];
    await expectCodeAsync(accept(data, two), 'PAYLOADS_DIFFER');
    expect(await floorOf(data)).toBe(ISSUED_AT);
    expect(existsSync(join(data, 'trust/enrolments'))).toBe(false);
  });
});
