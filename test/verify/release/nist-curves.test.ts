import { generateKeyPairSync, sign } from 'node:crypto';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { describe, expect, it } from 'vitest';
import { isNistCurve, nistCurve, nistParameters } from '../../../src/verify/release/nist-curves.ts';

describe('the curves of NIST', () => {
  it.each([
    ['prime256v1', p256, 'sha256'],
    ['secp384r1', p384, 'sha384'],
    ['secp521r1', p521, 'sha512'],
  ] as const)('%s is the one that noble has, and takes what OpenSSL signs', (name, noble, hash) => {
    expect(nistParameters(name)).toEqual(noble.Point.CURVE());
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: name });
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
    const message = Buffer.from('a release\n');
    const signature = sign(hash, message, privateKey);
    const options = { lowS: false, format: 'der' } as const;
    for (const curve of [noble, nistCurve(name)]) {
      expect(curve.verify(signature, message, point, options)).toBe(true);
      expect(curve.verify(signature, Buffer.from('another'), point, options)).toBe(false);
    }
    expect(nistCurve(name)).toBe(nistCurve(name));
  });

  it.each(['secp256k1', 'P-256', 'constructor', ''])('are not %j', (name) => expect(isNistCurve(name)).toBe(false));
});
