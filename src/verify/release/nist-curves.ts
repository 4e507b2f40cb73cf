import { type ECDSA, ecdsa, type WeierstrassOpts, weierstrass } from '@noble/curves/abstract/weierstrass.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';

/**
 * ECDSA on the curves of NIST, each made when it is first used: `@noble/curves/nist.js` is the same, and makes all of them and
 * more besides when it is loaded, which costs a command as much as the runtime's own start. The numbers are those of NIST
 * SP 800-186, appendix G.1; a test holds them against noble's.
 */
export const NIST_CURVES = {
  prime256v1: {
    hash: sha256,
    p: 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff',
    n: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    b: '5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b',
    x: '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
    y: '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
  },
  secp384r1: {
    hash: sha384,
    p: 'fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff',
    n: 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    b: 'b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef',
    x: 'aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7',
    y: '3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f',
  },
  secp521r1: {
    hash: sha512,
    p: '1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    n: '1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
    b: '51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00',
    x: 'c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66',
    y: '11839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650',
  },
} as const;

/** As OpenSSL calls them. */
export type NistCurve = keyof typeof NIST_CURVES;

export function isNistCurve(name: string): name is NistCurve {
  return Object.hasOwn(NIST_CURVES, name);
}

const made = new Map<NistCurve, ECDSA>();

/** The curve's own hash is that of a message; a digest is verified with `prehash: false`. */
export function nistCurve(name: NistCurve): ECDSA {
  const known = made.get(name) ?? ecdsa(weierstrass(nistParameters(name)), NIST_CURVES[name].hash);
  made.set(name, known);
  return known;
}

/** In all three `a` is -3, and there is one point of order 1. */
export function nistParameters(name: NistCurve): WeierstrassOpts<bigint> {
  const { p, n, b, x, y } = NIST_CURVES[name];
  const prime = number(p);
  return { p: prime, n: number(n), h: 1n, a: prime - 3n, b: number(b), Gx: number(x), Gy: number(y) };
}

function number(hex: string): bigint {
  return BigInt(`0x${hex}`);
}
