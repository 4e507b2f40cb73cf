import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { checkDowngrade, DOWNGRADE, type DowngradeDocument } from '../../src/verify/downgrade.ts';
import {
  FLOOR_RESET,
  type FloorMemory,
  type FloorResetDocument,
  verifyFloorReset,
} from '../../src/verify/floor-reset.ts';
import { verifyDocument } from '../../src/verify/signed-document.ts';
import { expectCode } from '../support/expect-code.ts';
import { day, pinnedRoot, type RootPlan, signed } from '../support/trust.ts';

const FROM: Digest = `sha256:${'1'.repeat(64)}`;
const TO: Digest = `sha256:${'2'.repeat(64)}`;
const ROOT_KEYS = ['root-a', 'root-b'];

describe('a downgrade statement', () => {
  const DOCUMENT: DowngradeDocument = {
    v: 1,
    channel: 'rules/linux',
    from: FROM,
    to: TO,
    audience: [],
    reason: 'breaks ssh',
    issuedAt: day(10),
    expires: day(40),
  };
  const verify = (changes: Partial<DowngradeDocument> = {}, signers = ROOT_KEYS, plan: RootPlan = {}, floor = day(1)) =>
    verifyDocument(
      DOWNGRADE,
      pinnedRoot(plan),
      signed(DOWNGRADE.payloadType, encodeCanonicalJson({ ...DOCUMENT, ...changes }), signers),
      floor,
    );
  const check = (
    changes: Partial<DowngradeDocument> = {},
    active: Digest | undefined = FROM,
    spent = new Set<string>(),
  ) => checkDowngrade(pinnedRoot(), verify(changes), active, spent);

  it('counts where what it leads away from is active', () => {
    check();
    check({ audience: ['site-7', 'site-8'] });
  });

  it('needs the threshold of the role root and of no other', () => {
    expectCode(() => verify({}, ['root-a']), 'THRESHOLD_NOT_MET');
    expectCode(() => verify({}, ['rules-a', 'rules-b']), 'ROLE_NOT_HELD');
    expectCode(() => verify({}, ROOT_KEYS, { revokedPayloads: [verify().payload] }), 'PAYLOAD_REVOKED');
    expectCode(() => verify({}, ROOT_KEYS, {}, day(41)), 'EXPIRED');
    expectCode(() => verify({ to: FROM }), 'DOCUMENT_MALFORMED');
  });

  it('counts once, here, and from nowhere else', () => {
    expectCode(() => check({}, FROM, new Set([verify().payload])), 'DOWNGRADE_USED');
    expectCode(() => check({}, TO), 'DOWNGRADE_MISMATCH');
    expectCode(() => checkDowngrade(pinnedRoot(), verify(), undefined, new Set()), 'DOWNGRADE_MISMATCH');
    expectCode(() => check({ audience: ['site-8'] }), 'NOT_FOR_THIS_ENCLAVE');
  });
});

describe('a floor reset', () => {
  const NONCE = 'a'.repeat(32);
  const DOCUMENT: FloorResetDocument = {
    v: 1,
    host: 'host-1',
    answers: NONCE,
    from: day(5000),
    to: day(20),
    reason: 'a wrong clock',
    issuedAt: day(21),
  };
  const MEMORY: FloorMemory = { host: 'host-1', floor: day(5000), nonces: [NONCE], spent: new Set() };
  const verify = (
    changes: Partial<FloorResetDocument> = {},
    memory: Partial<FloorMemory> = {},
    signers = ROOT_KEYS,
    plan: RootPlan = {},
  ) =>
    verifyFloorReset(
      pinnedRoot(plan),
      signed(FLOOR_RESET.payloadType, encodeCanonicalJson({ ...DOCUMENT, ...changes }), signers),
      { ...MEMORY, ...memory },
    );

  it('counts though at the floor that is wrong everything has expired, the root first', () => {
    expect(verify().document).toEqual(DOCUMENT);
  });

  it('needs the threshold of the role root', () => {
    expectCode(() => verify({}, {}, ['root-a']), 'THRESHOLD_NOT_MET');
    expectCode(() => verify({}, {}, ['rules-a', 'rules-b']), 'ROLE_NOT_HELD');
    expectCode(() => verify({}, {}, []), 'UNSIGNED');
    expectCode(() => verify({}, {}, ROOT_KEYS, { revoked: ['root-b'] }), 'KEY_REVOKED');
  });

  it('is judged at the moment it names: a root or key that had ended by then does not sign it', () => {
    expectCode(() => verify({}, {}, ROOT_KEYS, { expires: day(19) }), 'ROOT_EXPIRED');
    expectCode(() => verify({}, {}, ROOT_KEYS, { keys: { 'root-a': { notAfter: day(19) } } }), 'KEY_EXPIRED');
    expectCode(() => verify({ issuedAt: day(1001) }), 'ISSUED_AFTER_ROOT_EXPIRES');
  });

  it('is for one host, one receipt and one floor', () => {
    expectCode(() => verify({}, { host: 'host-2' }), 'FLOOR_RESET_MISMATCH');
    expectCode(() => verify({}, { nonces: ['b'.repeat(32)] }), 'FLOOR_RESET_MISMATCH');
    expectCode(() => verify({}, { floor: day(5001) }), 'FLOOR_RESET_MISMATCH');
    expectCode(() => verify({}, { spent: new Set([verify().payload]) }), 'FLOOR_RESET_USED');
  });

  it('only lowers, and never to a moment after it was signed', () => {
    expectCode(() => verify({ to: day(5000) }), 'DOCUMENT_MALFORMED');
    expectCode(() => verify({ to: day(22) }), 'DOCUMENT_MALFORMED');
  });
});
