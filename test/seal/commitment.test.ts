import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assertCommitment,
  commitTo,
  decryptValue,
  encryptValue,
  joinValues,
  splitValues,
} from '../../src/seal/commitment.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

const KEY = new Uint8Array(32).fill(7);
const OTHER = new Uint8Array(32).fill(8);
const VALUE = new Uint8Array(Buffer.from('curl\0-u\0anna:hunter2\0'));

describe('a commitment', () => {
  it('is HMAC-SHA256 under a key made by HKDF, as anybody can check', () => {
    const key = new Uint8Array(hkdfSync('sha256', KEY, '', 'daemoneye seal v1 commit argv', 32));
    expect(commitTo('argv', KEY, VALUE)).toBe(`sha256:${createHmac('sha256', key).update(VALUE).digest('hex')}`);
  });

  it('is another for another key, kind or value', () => {
    const commit = commitTo('argv', KEY, VALUE);
    expectCode(() => assertCommitment('argv', OTHER, VALUE, commit), 'COMMITMENT_MISMATCH');
    expectCode(() => assertCommitment('env', KEY, VALUE, commit), 'COMMITMENT_MISMATCH');
    expectCode(() => assertCommitment('argv', KEY, VALUE.subarray(1), commit), 'COMMITMENT_MISMATCH');
    expectCode(
      () => assertCommitment('argv', KEY, VALUE, commit.replace('sha256', 'blake3') as typeof commit),
      'COMMITMENT_MISMATCH',
    );
    assertCommitment('argv', KEY, VALUE, commit);
  });
});

describe('an encrypted value', () => {
  it('opens to what it was, with its padding gone', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('argv' as const, 'env' as const),
        (value, kind) => {
          const commit = commitTo(kind, KEY, value);
          const box = encryptValue(kind, KEY, value, commit);
          expect((box.length - 16) % 64).toBe(0);
          expect(Buffer.from(decryptValue(kind, KEY, box, commit))).toEqual(Buffer.from(value));
        },
      ),
      { numRuns: runs(100, 3000) },
    );
  });

  it('is plain ChaCha20-Poly1305, as anybody can open', () => {
    const commit = commitTo('argv', KEY, VALUE);
    const box = encryptValue('argv', KEY, VALUE, commit);
    const key = new Uint8Array(hkdfSync('sha256', KEY, '', 'daemoneye seal v1 value argv', 32));
    const decipher = createDecipheriv('chacha20-poly1305', key, new Uint8Array(12), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(commit), { plaintextLength: box.length - 16 });
    decipher.setAuthTag(box.subarray(-16));
    expect(decipher.update(box.subarray(0, -16)).subarray(0, VALUE.length)).toEqual(Buffer.from(VALUE));
  });

  it('does not open after any bit of it was changed', () => {
    const commit = commitTo('argv', KEY, VALUE);
    const box = encryptValue('argv', KEY, VALUE, commit);
    for (let bit = 0; bit < box.length * 8; bit += 7) {
      const changed = box.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expectCode(() => decryptValue('argv', KEY, changed, commit), 'SEALED_DAMAGED');
    }
    expectCode(() => decryptValue('argv', KEY, box.subarray(0, 10), commit), 'SEALED_DAMAGED');
    expectCode(() => decryptValue('argv', OTHER, box, commit), 'SEALED_DAMAGED');
    expectCode(() => decryptValue('env', KEY, box, commit), 'SEALED_DAMAGED');
  });

  it('has a limit', () => {
    expectCode(() => encryptValue('argv', KEY, new Uint8Array(1024 * 1024 + 1), 'sha256:00'), 'VALUE_TOO_LONG');
  });
});

describe('the bytes of arguments', () => {
  it('have one reading', () => {
    const part = fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.map((byte) => byte || 1));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
        expect(splitValues(joinValues(parts)).map((p) => Buffer.from(p))).toEqual(parts.map((p) => Buffer.from(p)));
      }),
      { numRuns: runs(200, 5000) },
    );
    expectCode(() => joinValues([Uint8Array.of(1, 0, 2)]), 'SEALED_MALFORMED');
  });

  it('may end without a NUL, when a program has written over them', () => {
    expect(splitValues(Buffer.from('a\0b')).map((part) => Buffer.from(part).toString())).toEqual(['a', 'b']);
  });
});
