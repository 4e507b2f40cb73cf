import { describe, expect, it } from 'vitest';
import { encodeEnvelope } from '../../src/core/dsse.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { type Admissions, admit } from '../../src/verify/enrolment-admission.ts';
import { ENROLMENT_PAYLOAD_TYPE } from '../../src/verify/enrolment-document.ts';
import { RECEIPT_PAYLOAD_TYPE, type ReceiptDocument, sealReceipt, verifyReceipt } from '../../src/verify/receipt.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { day, keyid, pinnedRoot, ROLES, type RootPlan, signed } from '../support/trust.ts';

const roles = { ...ROLES, enrol: { keys: ['enrol-a'] } };
const rootWith = (plan: RootPlan = {}) => pinnedRoot({ roles, ...plan });
const DOCUMENT: ReceiptDocument = {
  v: 1,
  nonce: 'a'.repeat(32),
  host: 'host-1',
  enclave: 'site-7',
  root: { version: 1, payload: `sha256:${'0'.repeat(64)}` },
  floor: day(3),
  channels: {},
  holds: [],
  refused: [],
  checkpoints: [],
};

function receipt(changes: object = {}, signers: readonly string[] = ['receipt-1']): Uint8Array {
  return encodeEnvelope(signed(RECEIPT_PAYLOAD_TYPE, encodeCanonicalJson({ ...DOCUMENT, ...changes }), signers));
}

/** `host-1` with the receipt key `receipt-1`, `host-2` with `receipt-2`. */
function enrolled(plan: RootPlan = {}): Admissions {
  const documents = [1, 2].map((n) => {
    const log = { origin: `o/${n}`, genesis: `sha256:${'a'.repeat(64)}`, hash: 'blake3' };
    const logs = [{ ...log, keyid: keyid(`log-${n}`), pem: testKey(`log-${n}`).publicKey.pem }];
    const own = { keyid: keyid(`receipt-${n}`), pem: testKey(`receipt-${n}`).publicKey.pem };
    const document = { v: 1, host: `host-${n}`, logs, receipt: own, issuedAt: day(2) };
    return encodeEnvelope(signed(ENROLMENT_PAYLOAD_TYPE, encodeCanonicalJson(document), ['enrol-a']));
  });
  return admit(rootWith(plan), documents, day(1));
}

const verify = (bytes: Uint8Array, plan: RootPlan = {}, admissions = enrolled(plan)) =>
  verifyReceipt(rootWith(plan), admissions, bytes, day(1));

describe('a receipt', () => {
  it('is believed when the host it speaks for signed it with its enrolled key', () => {
    expect(verify(receipt()).document).toEqual(DOCUMENT);
  });

  it('of another enclave does not pass for this one', () => {
    expectCode(() => verify(receipt({}, ['receipt-2'])), 'RECEIPT_SIGNATURE');
    expectCode(() => verify(receipt({ host: 'host-2' })), 'RECEIPT_SIGNATURE');
    expectCode(() => verify(receipt({ host: 'host-3' })), 'RECEIPT_HOST_UNKNOWN');
  });

  it("is not signed by the host's log key: that has another job", () => {
    expectCode(() => verify(receipt({}, ['log-1'])), 'RECEIPT_SIGNATURE');
  });

  it('needs an enrolment that counts', () => {
    expectCode(() => verify(receipt(), {}, admit(rootWith(), [], day(1))), 'RECEIPT_HOST_UNKNOWN');
    expectCode(
      () => verify(receipt(), { revoked: ['enrol-a'], roles: ROLES, keys: { 'enrol-a': {} } }),
      'RECEIPT_HOST_UNKNOWN',
    );
    expectCode(() => verify(receipt(), { keys: { 'receipt-1': {} }, revoked: ['receipt-1'] }), 'KEY_REVOKED');
  });

  it('may be signed by holders of the role receipt, as many as it takes', () => {
    const granting = (threshold: number): RootPlan => ({
      roles: { ...roles, receipt: { keys: ['desk-a', 'desk-b'], threshold } },
    });
    expect(verify(receipt({}, ['desk-a']), granting(1)).signer.keyid).toBe(keyid('desk-a'));
    expectCode(() => verify(receipt({}, ['desk-a']), granting(2)), 'THRESHOLD_NOT_MET');
    verify(receipt({}, ['desk-a', 'desk-b']), granting(2));
    const ended = { ...granting(1), keys: { 'desk-a': { notAfter: day(0) } } };
    expectCode(() => verify(receipt({}, ['desk-a']), ended), 'RECEIPT_SIGNATURE');
  });

  it('is refused unsigned, changed, of another kind, or with what nobody knows', () => {
    expectCode(() => verify(receipt({}, [])), 'UNSIGNED');
    expectCode(() => verify(receipt({ more: 1 })), 'DOCUMENT_MALFORMED');
    expectCode(() => verify(receipt({ nonce: 'short' })), 'DOCUMENT_MALFORMED');
    const other = encodeEnvelope(
      signed('application/vnd.daemoneye.heads+json', encodeCanonicalJson(DOCUMENT), ['receipt-1']),
    );
    expectCode(() => verify(other), 'DOCUMENT_MALFORMED');
    expectCode(() => sealReceipt({ ...DOCUMENT, nonce: 'x' }), 'DOCUMENT_MALFORMED');
  });
});
