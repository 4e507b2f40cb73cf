import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { embedEnvelope } from '../../src/core/embedded-envelope.ts';
import {
  foldEvent,
  type InstallEvent,
  initialState,
  isInstallEvent,
  MAX_OPEN_RECEIPTS,
} from '../../src/install/state.ts';
import { MAX_REFUSED } from '../../src/verify/receipt.ts';
import { runs } from '../support/slow.ts';
import { day, signed } from '../support/trust.ts';

const BUILT_AT = day(50);
const payload = fc.nat(30).map((n): Digest => `sha256:${String(n).padStart(64, '0')}`);
const time = fc.nat(100).map(day);
const seq = fc.integer({ min: 1, max: 9 });
const channel = fc.constantFrom('rules/a', 'rules/b');
const nonce = fc.nat(20).map((n) => n.toString(16).padStart(32, '0'));
const document = embedEnvelope(signed('application/x', new Uint8Array(), ['a']));

/** Any entries in any order, also such as no program would write. */
const event: fc.Arbitrary<InstallEvent> = fc.oneof(
  fc.record({ channel, seq, payload, floor: time }).map((applied): InstallEvent => {
    const rest = { kind: 'rules', root_version: 1, files: 1, bytes: 1, signers: [] };
    return { type: 'bundle.applied', data: { ...rest, ...applied } };
  }),
  fc
    .record({ channel, seq, payload, from_seq: seq, from_payload: payload })
    .map((back): InstallEvent => ({ type: 'bundle.rolled-back', data: { ...back, reason: 'x' } })),
  fc
    .record({ payload, floor: time })
    .map(
      (refused): InstallEvent => ({ type: 'bundle.refused', data: { ...refused, check: 'x', code: 'X', reason: 'x' } }),
    ),
  fc
    .record({ from: time, floor: time })
    .map((raised): InstallEvent => ({ type: 'floor.raised', data: { ...raised, cause: 'witness', root_version: 1 } })),
  fc.record({ payload }).map(
    (refused): InstallEvent => ({
      type: 'statement.refused',
      data: { ...refused, statement: 'heads', code: 'X', reason: 'x' },
    }),
  ),
  fc.record({ channel, seq, payload }).map(
    (revoked): InstallEvent => ({
      type: 'bundle.revoked',
      data: { ...revoked, code: 'KEY_REVOKED', reason: 'x', root_version: 1 },
    }),
  ),
  nonce.map((one): InstallEvent => ({ type: 'receipt.issued', data: { nonce: one } })),
  fc.record({ payload, nonce, issued_at: time, expires: time, floor: time }).map(
    ({ nonce: answered, ...heads }): InstallEvent => ({
      type: 'heads.accepted',
      data: { ...heads, nonces: [answered], root_version: 1, document },
    }),
  ),
  fc
    .record({ payload, nonce, from: time, floor: time })
    .map(
      (reset): InstallEvent => ({ type: 'floor.reset', data: { ...reset, reason: 'x', root_version: 1, document } }),
    ),
);

describe('the state, whatever the log says', () => {
  it('never forgets the highest of a channel, nor a statement that was used, nor falls below the build time', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let state = initialState(BUILT_AT);
        for (const next of events) {
          const before = state;
          state = foldEvent(state, next);
          for (const [name, held] of before.channels) {
            expect(state.channels.get(name)?.highest.seq).toBeGreaterThanOrEqual(held.highest.seq);
          }
          for (const used of before.spent) expect(state.spent).toContain(used);
          expect(state.floor >= BUILT_AT).toBe(true);
          if (next.type !== 'floor.reset') expect(state.floor >= before.floor).toBe(true);
          expect(state.nonces.length).toBeLessThanOrEqual(MAX_OPEN_RECEIPTS);
          expect(state.refused.length).toBeLessThanOrEqual(MAX_REFUSED);
        }
      }),
      { numRuns: runs(200, 20_000) },
    );
  });

  it('is not changed by entries of other types, whatever they are called', () => {
    const state = initialState(BUILT_AT);
    for (const type of ['process.start', 'clock.jump', 'constructor', 'toString', '__proto__']) {
      expect(isInstallEvent(type)).toBe(false);
      expect(foldEvent(state, { type, data: {} })).toBe(state);
    }
  });
});
