import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { bits, der, integer, octets, oid, sequence } from './der.ts';
import { authority, certificate, extension, name, SIGNED_AT, tbsOf } from './sigstore-authority.ts';

/** A timestamp authority of one's own (RFC 3161), certified by the authority of `sigstore-authority.ts`. */

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SUBJECT = name('test timestamps');
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'));
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Its chain, as a trusted root has it. @param usage what its key is certified for; null for anything */
export function timestampChain(usage: string | null = TIME_STAMPING, from = SIGNED_AT - 1000): Buffer[] {
  const spki = key.publicKey.export({ format: 'der', type: 'spki' });
  const tbs = tbsOf(SUBJECT, spki, from * 1000, (SIGNED_AT + 1e7) * 1000, [
    extension('2.5.29.15', bits(Buffer.from([0x80])), true),
    ...(usage === null ? [] : [extension('2.5.29.37', sequence(oid(usage)), true)]),
  ]);
  return [certificate(tbs), authority()];
}

export type TimestampParts = {
  /** In seconds; default {@link SIGNED_AT}. */
  readonly time?: number;
  readonly contentType?: string;
  /** What is signed instead of the hash of what it says. */
  readonly digest?: Uint8Array;
  readonly withoutAttributes?: boolean;
  /** Serial number of the certificate that it names. */
  readonly serial?: number;
  readonly by?: typeof key.privateKey;
};

/** A timestamp over a signature: the whole response, in base64. */
export function timestampOf(signature: Uint8Array, parts: TimestampParts = {}): string {
  const { contentType = TST_INFO, by = key.privateKey } = parts;
  const digits = new Date((parts.time ?? SIGNED_AT) * 1000).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const imprint = sequence(SHA256, octets(sha256(signature)));
  const info = sequence(integer(1), oid('1.2.3.4'), imprint, integer(9), der(0x18, Buffer.from(`${digits}Z`)));
  const attributes = Buffer.concat([
    sequence(oid('1.2.840.113549.1.9.3'), der(0x31, oid(contentType))),
    sequence(oid('1.2.840.113549.1.9.4'), der(0x31, octets(parts.digest ?? sha256(info)))),
  ]);
  const signer = sequence(
    integer(1),
    sequence(name('test authority'), integer(parts.serial ?? 7)),
    SHA256,
    ...(parts.withoutAttributes === true ? [] : [der(0xa0, attributes)]),
    sequence(oid('1.2.840.10045.4.3.2')),
    octets(sign('sha256', der(0x31, attributes), by)),
  );
  const signed = sequence(
    integer(3),
    der(0x31, SHA256),
    sequence(oid(contentType), der(0xa0, octets(info))),
    der(0x31, signer),
  );
  const response = sequence(sequence(integer(0)), sequence(oid('1.2.840.113549.1.7.2'), der(0xa0, signed)));
  return response.toString('base64');
}
