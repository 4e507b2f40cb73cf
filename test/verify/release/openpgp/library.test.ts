import { webcrypto } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { utf8 } from '../../../../src/core/bytes.ts';
import { assertLibraryAccepts } from '../../../../src/verify/release/openpgp/library.ts';
import { expectCodeAsync } from '../../../support/expect-code.ts';
import { outcome } from './judging.ts';
import { certificate, DAY, ed25519, packet, revocation, rsa, say, signature, subkey, T0 } from './making.ts';

const OURS = ed25519('ours');
const SUB = ed25519('sub');
const DATA = utf8('a release\n');

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('says the same whatever the clock says, and takes no random bytes', async () => {
  const random = vi.spyOn(webcrypto, 'getRandomValues');
  const math = vi.spyOn(Math, 'random');
  const ring = certificate(OURS, { self: { more: [say.keyLifetime(30 * DAY)] }, tail: [subkey(OURS, SUB)] });
  const cases = [OURS, SUB].map((by) => packet(2, signature(by, DATA)));
  for (const year of [1971, 2026, 2100]) {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(year, 0) });
    for (const one of cases) {
      expect(await outcome(one, ring, DATA)).toBe('pass');
      expect(await outcome(one, ring, DATA, { floor: T0 + 31 * DAY })).toBe('PGP_KEY_EXPIRED');
    }
  }
  expect([random.mock.calls, math.mock.calls]).toEqual([[], []]);
});

/** The second opinion has to be one: each is refused by openpgp.js alone, in the certificate as it stands. */
it.each<[string, Uint8Array, string]>([
  ['a name that another signed', certificate(OURS, { self: {}, user: 'a', selfSignatures: [] }), OURS.fingerprint],
  ['a revoked key', certificate(OURS, { direct: [revocation(OURS)] }), OURS.fingerprint],
  ['a key that ended', certificate(OURS, { self: { more: [say.keyLifetime(DAY)] } }), OURS.fingerprint],
  ['a key not made for signing', certificate(OURS, { flags: 1 }), OURS.fingerprint],
  ['a weak key', ...weak()],
  ['a word over SHA-1', certificate(OURS, { self: { hash: 2 } }), OURS.fingerprint],
  [
    'a subkey without a back signature',
    certificate(OURS, { tail: [subkey(OURS, SUB, { embedded: null })] }),
    SUB.fingerprint,
  ],
  [
    'a subkey that another signed for',
    certificate(OURS, { tail: [subkey(OURS, SUB, { backBy: OURS })] }),
    SUB.fingerprint,
  ],
  ['another key than asked for', certificate(OURS), SUB.fingerprint],
  ['nothing', new Uint8Array(), OURS.fingerprint],
])('refuses %s', async (_, bytes, fingerprint) => {
  const moment = (T0 + 2 * DAY) * 1000;
  await expectCodeAsync(assertLibraryAccepts(bytes, fingerprint, moment), 'PGP_KEY_BINDING');
});

function weak(): [Uint8Array, string] {
  const key = rsa(1024);
  return [certificate(key), key.fingerprint];
}

it('is loaded only where an OpenPGP signature is at hand', () => {
  const src = join(import.meta.dirname, '../../../../src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  const importing = (pattern: RegExp) => files.filter((path) => pattern.test(readFileSync(join(src, path), 'utf8')));
  const room = 'verify/release/openpgp';
  expect(importing(/from 'openpgp'|import\('openpgp'\)/)).toEqual([`${room}/library.ts`]);
  expect(importing(/['/]library\.ts'/).filter((path) => path.startsWith(room))).toEqual([`${room}/openpgp-method.ts`]);
  expect(importing(/from '[^']*openpgp-method\.ts'/)).toEqual([]);
  expect(importing(/import\('[^']*openpgp-method\.ts'\)/)).toEqual(['cli/release/trusted.ts']);
});

it('accepts a good one', async () => {
  const moment = (T0 + 2 * DAY) * 1000;
  await assertLibraryAccepts(certificate(OURS, { tail: [subkey(OURS, SUB)] }), SUB.fingerprint, moment);
});
