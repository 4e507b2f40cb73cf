import type { X509Certificate } from '@sigstore/core';

/**
 * Has a certificate, and the part of it that is signed, stand for the bytes that they were read from. The library writes
 * both anew at every comparison and every step of a chain, which was most of what verifying a bundle took, to get the same
 * bytes: it reads nothing but DER, which has one encoding of each value. Where it changes a certificate (for the
 * certificate logs), it reads a copy of its own.
 * @param der what the certificate was parsed from, all of it
 */
export function keepEncodings({ root }: X509Certificate, der: Uint8Array): void {
  const whole = Buffer.from(der);
  const [signed] = root.subs;
  root.toDER = () => whole;
  if (signed === undefined) return;
  const start = headerBytes(whole, 0);
  const part = whole.subarray(start, start + headerBytes(whole, start) + signed.value.length);
  signed.toDER = () => part;
}

/** Tag and length (X.690 sections 8.1.2 and 8.1.3): one byte each, or as many more as the length's first says. */
function headerBytes(der: Uint8Array, at: number): number {
  const length = der[at + 1] ?? 0;
  return 2 + (length < 0x80 ? 0 : length & 0x7f);
}
