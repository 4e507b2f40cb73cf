/**
 * What is wrong with the numbers of an RSA key; undefined if nothing is.
 * @param modulus and exponent big-endian, without leading zeros
 */
export function rsaProblem(
  modulus: Uint8Array,
  exponent: Uint8Array,
  bits: { readonly min: number; readonly max: number },
): string | undefined {
  const size = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (size < bits.min || size > bits.max) {
    return `an RSA key of ${size} bits; ${bits.min} to ${bits.max} are accepted`;
  }
  // e = 1 makes every message its own signature; an even one is no RSA key.
  const [first = 0] = exponent;
  const isOdd = ((exponent.at(-1) ?? 0) & 1) === 1;
  if (exponent.length <= 8 && isOdd && (exponent.length > 1 || first >= 3)) return undefined;
  return 'an RSA key with an exponent that is even, 1 or very long';
}
