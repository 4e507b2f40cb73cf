import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { encodeEnvelope, mergeSignatures, parseEnvelope, payloadDigest } from '../../src/core/dsse.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { parseEnrolmentEnvelope, verifyEnrolment } from '../../src/verify/enrolment.ts';
import { admit, operatorOf } from '../../src/verify/enrolment-admission.ts';
import {
  ENROLLABLE_ROLES,
  ENROLMENT_PAYLOAD_TYPE,
  type EnrolmentDocument,
  type HostEnrolmentDocument,
  sealEnrolment,
} from '../../src/verify/enrolment-document.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import { day, keyid, pinnedRoot, ROLES, type RootPlan, signed } from '../support/trust.ts';

const ENROL = { ...ROLES, enrol: { keys: ['enrol-a', 'enrol-b', 'enrol-c'], threshold: 2 } };
const rootWith = (plan: RootPlan = {}) => pinnedRoot({ roles: ENROL, ...plan });
const root = rootWith();

const pem = (name: string) => testKey(name).publicKey.pem;
const HOST: HostEnrolmentDocument = {
  v: 1,
  host: 'host-1',
  logs: [
    {
      origin: 'daemoneye.invalid/host-1/procmond',
      genesis: `sha256:${'a'.repeat(64)}`,
      hash: 'blake3',
      keyid: keyid('log-1'),
      pem: pem('log-1'),
    },
  ],
  issuedAt: day(5),
};
const OPERATOR: EnrolmentDocument = {
  v: 1,
  operator: 'alice',
  keys: [{ keyid: keyid('alice'), pem: pem('alice') }],
  roles: ['operator:hunter', 'evidence'],
  issuedAt: day(5),
  expires: day(50),
};

/** Signed, whatever the payload is. */
function enrolment(document: unknown = HOST, signers: readonly string[] = ['enrol-a', 'enrol-b']): Uint8Array {
  return encodeEnvelope(signed(ENROLMENT_PAYLOAD_TYPE, encodeCanonicalJson(document), signers));
}

describe('an enrolment', () => {
  it("admits a host's logs by their keys", () => {
    const verified = verifyEnrolment(root, enrolment(), day(6));
    expect(verified.logs).toEqual([
      {
        host: 'host-1',
        origin: 'daemoneye.invalid/host-1/procmond',
        genesis: `sha256:${'a'.repeat(64)}`,
        hash: 'blake3',
        key: testKey('log-1').publicKey,
      },
    ]);
    expect(verified.signers.map((signer) => signer.keyid)).toEqual([keyid('enrol-a'), keyid('enrol-b')]);
    expect(verified.payload).toBe(payloadDigest(sealEnrolment(HOST)));
  });

  it('admits an operator to roles until it expires', () => {
    expect(verifyEnrolment(root, enrolment(OPERATOR), day(50)).operator).toMatchObject({
      operator: 'alice',
      roles: ['operator:hunter', 'evidence'],
    });
    expectCode(() => verifyEnrolment(root, enrolment(OPERATOR), day(51)), 'EXPIRED');
  });

  it('may be signed by several people apart, in any order', () => {
    const copies = ['enrol-c', 'enrol-a'].map((name) => parseEnrolmentEnvelope(enrolment(HOST, [name])));
    const [first, second] = copies;
    if (first === undefined || second === undefined) throw new Error('two copies were made');
    for (const copy of copies)
      expectCode(() => verifyEnrolment(root, encodeEnvelope(copy), day(6)), 'THRESHOLD_NOT_MET');
    expect(verifyEnrolment(root, encodeEnvelope(mergeSignatures(first, [second])), day(6)).signers).toHaveLength(2);
    const other = parseEnrolmentEnvelope(enrolment({ ...HOST, host: 'host-2' }));
    expectCode(() => mergeSignatures(first, [other]), 'PAYLOADS_DIFFER');
  });

  it('is not pushed out by a broken signature under the same keyid', () => {
    const good = parseEnrolmentEnvelope(enrolment());
    const broken = { ...good, signatures: good.signatures.map(({ keyid }) => ({ keyid, sig: new Uint8Array(64) })) };
    expect(verifyEnrolment(root, encodeEnvelope(mergeSignatures(broken, [good])), day(6)).signers).toHaveLength(2);
  });
});

describe('an enrolment that does not count', () => {
  const twoKeysOneOperator = rootWith({
    keys: { 'enrol-a': { operator: 'eve' }, 'enrol-b': { operator: 'eve' } },
  });
  const [log] = HOST.logs;
  it.each<[string, () => unknown, string]>([
    ['unsigned', () => verifyEnrolment(root, enrolment(HOST, []), day(6)), 'UNSIGNED'],
    [
      'signed below the threshold',
      () => verifyEnrolment(root, enrolment(HOST, ['enrol-a']), day(6)),
      'THRESHOLD_NOT_MET',
    ],
    ['signed by one person twice', () => verifyEnrolment(twoKeysOneOperator, enrolment(), day(6)), 'THRESHOLD_NOT_MET'],
    [
      'signed by strangers',
      () => verifyEnrolment(root, enrolment(HOST, ['eve', 'mallory']), day(6)),
      'NO_TRUSTED_SIGNATURE',
    ],
    ['signed by itself', () => verifyEnrolment(root, enrolment(HOST, ['log-1']), day(6)), 'NO_TRUSTED_SIGNATURE'],
    [
      'signed by holders of another role',
      () => verifyEnrolment(root, enrolment(HOST, ['rules-a', 'rules-b']), day(6)),
      'ROLE_NOT_HELD',
    ],
    [
      'signed by root keys',
      () => verifyEnrolment(root, enrolment(HOST, ['root-a', 'root-b']), day(6)),
      'ROLE_NOT_HELD',
    ],
    ['under a root without the role', () => verifyEnrolment(pinnedRoot(), enrolment(), day(6)), 'ROLE_NOT_HELD'],
    [
      'signed with a revoked key',
      () => verifyEnrolment(rootWith({ revoked: ['enrol-a'] }), enrolment(), day(6)),
      'KEY_REVOKED',
    ],
    [
      'signed with a key past its end',
      () => verifyEnrolment(rootWith({ keys: { 'enrol-a': { notAfter: day(7) } } }), enrolment(), day(8)),
      'KEY_EXPIRED',
    ],
    [
      'dated after the end of its key',
      () => verifyEnrolment(rootWith({ keys: { 'enrol-a': { notAfter: day(4) } } }), enrolment(), day(1)),
      'KEY_EXPIRED',
    ],
    [
      'revoked itself',
      () => verifyEnrolment(rootWith({ revokedPayloads: [payloadDigest(sealEnrolment(HOST))] }), enrolment(), day(6)),
      'PAYLOAD_REVOKED',
    ],
    ['expired', () => verifyEnrolment(root, enrolment({ ...HOST, expires: day(9) }), day(10)), 'EXPIRED'],
    ['of an expired root', () => verifyEnrolment(root, enrolment(), day(1001)), 'ROOT_EXPIRED'],
    [
      'from the future',
      () => verifyEnrolment(root, enrolment({ ...HOST, issuedAt: day(2000) }), day(6)),
      'ISSUED_AFTER_ROOT_EXPIRES',
    ],
    [
      'expired before it was issued',
      () => verifyEnrolment(root, enrolment({ ...HOST, expires: day(4) }), day(1)),
      'ENROLMENT_MALFORMED',
    ],
    [
      'for a role that stays in the root',
      () => verifyEnrolment(root, enrolment({ ...OPERATOR, roles: ['enrol'] }), day(6)),
      'ENROLMENT_MALFORMED',
    ],
    [
      'for the role root',
      () => verifyEnrolment(root, enrolment({ ...OPERATOR, roles: ['root'] }), day(6)),
      'ENROLMENT_MALFORMED',
    ],
    [
      'for ever, of an operator',
      () => verifyEnrolment(root, enrolment({ ...OPERATOR, expires: undefined }), day(6)),
      'ENROLMENT_MALFORMED',
    ],
    [
      'both host and operator',
      () => verifyEnrolment(root, enrolment({ ...HOST, ...OPERATOR }), day(6)),
      'ENROLMENT_MALFORMED',
    ],
    [
      'with an unknown field',
      () => verifyEnrolment(root, enrolment({ ...HOST, admin: true }), day(6)),
      'ENROLMENT_MALFORMED',
    ],
    [
      'with one log twice',
      () =>
        verifyEnrolment(
          root,
          enrolment({ ...HOST, logs: [log, { ...log, genesis: `sha256:${'b'.repeat(64)}` }] }),
          day(6),
        ),
      'ENROLMENT_MALFORMED',
    ],
    [
      "with somebody else's keyid",
      () => verifyEnrolment(root, enrolment({ ...HOST, logs: [{ ...log, keyid: keyid('log-2') }] }), day(6)),
      'ENROLMENT_MALFORMED',
    ],
    [
      'with an origin that no note can name',
      () => verifyEnrolment(root, enrolment({ ...HOST, logs: [{ ...log, origin: 'a b' }] }), day(6)),
      'ENROLMENT_MALFORMED',
    ],
    ['not an envelope', () => verifyEnrolment(root, utf8('{}'), day(6)), 'ENROLMENT_MALFORMED'],
    [
      'of another payload type',
      () =>
        verifyEnrolment(
          root,
          encodeEnvelope(signed('application/json', encodeCanonicalJson(HOST), ['enrol-a', 'enrol-b'])),
          day(6),
        ),
      'ENROLMENT_MALFORMED',
    ],
  ])('%s', (_, verify, code) => expectCode(verify, code));

  it('keeps the schema and the list of roles in step', () => {
    const roles = [...ENROLLABLE_ROLES];
    expect(verifyEnrolment(root, enrolment({ ...OPERATOR, roles }), day(6)).operator?.roles).toEqual(roles);
  });

  it('never counts nor crashes once a byte is changed', () => {
    const bytes = enrolment();
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ by : byte));
        expect(() => verifyEnrolment(root, changed, day(6))).toThrow(DaemonEyeError);
      }),
      { numRuns: runs(150, 20_000) },
    );
  });
});

describe('admissions', () => {
  it('add up, and what does not count is told apart', () => {
    const second = {
      ...HOST,
      logs: [{ ...HOST.logs[0], origin: 'daemoneye.invalid/host-1/agent', keyid: keyid('log-2'), pem: pem('log-2') }],
    };
    const documents = [
      enrolment(),
      enrolment(second),
      enrolment(OPERATOR),
      enrolment({ ...HOST, host: 'host-9' }, ['eve']),
    ];
    const admissions = admit(root, documents, day(6));
    expect(admissions.logs.map(({ host, key }) => [host, key.keyid])).toEqual([
      ['host-1', keyid('log-1')],
      ['host-1', keyid('log-2')],
    ]);
    expect(admissions.rejected.map(({ error }) => error.code)).toEqual(['NO_TRUSTED_SIGNATURE']);
    expect(operatorOf(admissions, 'evidence', keyid('alice'))?.operator).toBe('alice');
    expect(operatorOf(admissions, 'operator:admin', keyid('alice'))).toBeUndefined();
    expect(operatorOf(admissions, 'evidence', keyid('log-1'))).toBeUndefined();
    expect(parseEnvelope(documents[0] ?? utf8(''), ENROLMENT_PAYLOAD_TYPE).signatures).toHaveLength(2);
  });
});
