import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import type { Digest } from '../../src/core/digest.ts';
import { type Envelope, encodeEnvelope } from '../../src/core/dsse.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { checkHeads, HEADS, type HeadsDocument, type HeadsMemory } from '../../src/verify/heads.ts';
import { parseDocumentEnvelope, sealDocument, verifyDocument } from '../../src/verify/signed-document.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';
import { day, pinnedRoot, ROLES, type RootPlan, signed } from '../support/trust.ts';

const roles = { ...ROLES, heads: { keys: ['heads-a', 'heads-b', 'heads-c'], threshold: 2 } };
const rootWith = (plan: RootPlan = {}) => pinnedRoot({ roles, ...plan });
const NONCE = 'a'.repeat(32);
const payload = (n: number): Digest => `sha256:${String(n).padStart(64, '0')}`;
const DOCUMENT: HeadsDocument = {
  v: 1,
  channels: { 'rules/linux': { seq: 5, payload: payload(5) } },
  answers: [NONCE],
  issuedAt: day(10),
  expires: day(40),
};

function heads(changes: Partial<HeadsDocument> = {}, signers: readonly string[] = ['heads-a', 'heads-b']): Envelope {
  return signed(HEADS.payloadType, encodeCanonicalJson({ ...DOCUMENT, ...changes }), signers);
}

const verify = (envelope: Envelope, plan: RootPlan = {}, floor = day(1)) =>
  verifyDocument(HEADS, rootWith(plan), envelope, floor);

describe('a heads statement', () => {
  it('counts when enough holders of the role heads signed it', () => {
    const { document, signers } = verify(heads());
    expect(document).toEqual(DOCUMENT);
    expect(signers.map(({ role }) => role)).toEqual(['heads', 'heads']);
  });

  it.each<[string, Envelope, RootPlan, string]>([
    ['unsigned', heads({}, []), {}, 'UNSIGNED'],
    ['signed by one of two', heads({}, ['heads-a']), {}, 'THRESHOLD_NOT_MET'],
    ['signed by strangers', heads({}, ['x', 'y']), {}, 'NO_TRUSTED_SIGNATURE'],
    ['signed by another role', heads({}, ['rules-a', 'rules-b']), {}, 'ROLE_NOT_HELD'],
    ['signed by the root keys, which are not asked', heads({}, ['root-a', 'root-b']), {}, 'ROLE_NOT_HELD'],
    ['where nobody holds the role', heads(), { roles: ROLES, keys: { 'heads-a': {}, 'heads-b': {} } }, 'ROLE_NOT_HELD'],
    [
      'signed by two keys of one person',
      heads(),
      { keys: { 'heads-a': { operator: 'x' }, 'heads-b': { operator: 'x' } } },
      'THRESHOLD_NOT_MET',
    ],
    ['whose key is revoked', heads(), { revoked: ['heads-a'] }, 'KEY_REVOKED'],
    ['whose key has ended', heads(), { keys: { 'heads-a': { notAfter: day(9) } } }, 'KEY_EXPIRED'],
    ['issued after the root expires', heads({ issuedAt: day(31) }), { expires: day(30) }, 'ISSUED_AFTER_ROOT_EXPIRES'],
    ['under a root that has expired', heads(), { issuedAt: day(-9), expires: day(0) }, 'ROOT_EXPIRED'],
    ['that expires before it is issued', heads({ expires: day(10) }), {}, 'DOCUMENT_MALFORMED'],
    ['that answers nobody', heads({ answers: [] }), {}, 'DOCUMENT_MALFORMED'],
    [
      'with a channel that is none',
      heads({ channels: { '../x': { seq: 1, payload: payload(1) } } }),
      {},
      'DOCUMENT_MALFORMED',
    ],
    ['with a field nobody knows', heads({ more: 1 } as object), {}, 'DOCUMENT_MALFORMED'],
    ['of a later version', heads({ v: 2 } as object), {}, 'DOCUMENT_MALFORMED'],
  ])('%s is refused', (_what, envelope, plan, code) => expectCode(() => verify(envelope, plan), code));

  it('is refused once it has expired at the floor', () => {
    verify(heads(), {}, day(40));
    expectCode(() => verify(heads(), {}, day(41)), 'EXPIRED');
  });

  it('is refused when a root names it', () => {
    const { payload: revoked } = verify(heads());
    expectCode(() => verify(heads(), { revokedPayloads: [revoked] }), 'PAYLOAD_REVOKED');
  });

  it('is not another document that its holders signed', () => {
    const bytes = encodeEnvelope(signed('application/vnd.in-toto+json', utf8('{}'), ['heads-a', 'heads-b']));
    expectCode(() => parseDocumentEnvelope(HEADS, bytes), 'DOCUMENT_MALFORMED');
  });

  it('is not made when nobody could accept it', () => {
    expect(sealDocument(HEADS, DOCUMENT).signatures).toEqual([]);
    expectCode(() => sealDocument(HEADS, { ...DOCUMENT, expires: day(1) }), 'DOCUMENT_MALFORMED');
    const channels = Object.fromEntries(
      Array.from({ length: 129 }, (_, i) => [`rules/${i}`, { seq: 1, payload: payload(i) }]),
    );
    expectCode(() => sealDocument(HEADS, { ...DOCUMENT, channels }), 'DOCUMENT_MALFORMED');
  });

  it('fits into a line of the log at its largest', () => {
    const long = (n: number) => [`rules/${String(n).padStart(60, 'x')}`, 'y'.repeat(63), 'z'.repeat(63)].join('/');
    const channels = Object.fromEntries(
      Array.from({ length: 90 }, (_, i) => [long(i), { seq: Number.MAX_SAFE_INTEGER, payload: payload(i) }]),
    );
    const { payload: bytes } = sealDocument(HEADS, { ...DOCUMENT, channels });
    expect(Math.ceil(bytes.length / 3) * 4).toBeLessThan(49_152);
  });

  it('is refused after any change of a bit, and nothing crashes', () => {
    const bytes = encodeEnvelope(heads());
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = bytes.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        try {
          const { document } = verify(parseDocumentEnvelope(HEADS, changed));
          // Only what carries no meaning may change unseen, such as a hint that is a keyid of the same signature.
          expect(document).toEqual(DOCUMENT);
        } catch (error) {
          if (!(error instanceof DaemonEyeError)) throw error;
        }
      }),
      { numRuns: runs(100, 100_000) },
    );
  });
});

describe('what a heads statement tells an enclave', () => {
  const nothing: HeadsMemory = { nonces: [NONCE], spent: new Set(), highest: () => undefined, before: undefined };
  const check = (memory: Partial<HeadsMemory>, changes: Partial<HeadsDocument> = {}) =>
    checkHeads(verify(heads(changes)), { ...nothing, ...memory });
  const at = (seq: number, n = seq) => ({ highest: () => ({ seq, payload: payload(n) }) });

  it('counts when it answers one of its own open receipts', () => {
    expect(check({})).toEqual([NONCE]);
    const answers = ['b'.repeat(32), NONCE];
    expect(check({ nonces: ['c'.repeat(32), NONCE] }, { answers })).toEqual([NONCE]);
  });

  it('is nothing when it answers another enclave, or a receipt that was answered', () => {
    expectCode(() => check({ nonces: [] }), 'HEADS_NONCE');
    expectCode(() => check({}, { answers: ['b'.repeat(32)] }), 'HEADS_NONCE');
  });

  it('counts once', () => {
    const spent = new Set([verify(heads()).payload]);
    expectCode(() => check({ spent }), 'HEADS_REPLAYED');
  });

  it('must not name less than what was accepted here', () => {
    expect(check(at(4))).toEqual([NONCE]);
    expect(check(at(5))).toEqual([NONCE]);
    expectCode(() => check(at(6)), 'HEADS_OLDER');
    expectCode(() => check(at(5, 55)), 'HEADS_FORK');
  });

  it('must not be older than the one before, nor name less, nor something else', () => {
    const accepted = (changes: Partial<HeadsDocument>) => ({ before: { ...DOCUMENT, ...changes } });
    const place = (seq: number, n = seq) => ({ channels: { 'rules/linux': { seq, payload: payload(n) } } });
    expect(check(accepted({ issuedAt: day(9) }))).toEqual([NONCE]);
    expectCode(() => check(accepted({ issuedAt: day(11) })), 'HEADS_OLDER');
    expectCode(() => check(accepted({ issuedAt: day(9), ...place(6) })), 'HEADS_OLDER');
    expectCode(() => check(accepted({ issuedAt: day(9), ...place(5, 55) })), 'HEADS_FORK');
  });

  it('is not confused by a channel called like something every object has', () => {
    const channels = { constructor: { seq: 1, payload: payload(1) } };
    expect(check({ before: { ...DOCUMENT, issuedAt: day(9) } }, { channels })).toEqual([NONCE]);
  });
});
