import type { X509Certificate } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { extendedKeyUsages } from './certificate.ts';
import { OID } from './format.ts';

/** Critical extensions of an authority that the library looks at, or that bind nothing here. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.extendedKeyUsage,
]);

/**
 * What the library doesn't ask of the certificates in a trusted root: that none has a limit which would go unheeded
 * (RFC 5280 section 4.2; an authority for names under one domain would vouch for every name), and that who makes
 * timestamps is certified for that (RFC 3161 section 2.3).
 * @throws Error in words; whatever the library throws at certificates that can't be read
 */
export function assertAuthorities({ certificateAuthorities, timestampAuthorities }: TrustMaterial): void {
  const all = [...certificateAuthorities, ...timestampAuthorities].flatMap(({ certChain }) => certChain);
  for (const certificate of all) assertNoUnheededLimit(certificate);
  for (const { certChain } of timestampAuthorities) {
    const [signer] = certChain;
    if (signer === undefined || extendedKeyUsages(signer)?.includes(OID.timeStamping) !== true)
      throw new Error('the certificate of a timestamp authority is not for timestamps');
  }
}

function assertNoUnheededLimit(certificate: X509Certificate): void {
  const seen = new Set<string>();
  for (const { subs } of certificate.extensions) {
    const oid = subs[0]?.toOID() ?? '';
    if (seen.has(oid)) throw new Error(`a certificate has the extension ${oid} twice`);
    seen.add(oid);
    const isCritical = subs.length === 3 && subs[1]?.toBoolean() === true;
    if ((isCritical && !UNDERSTOOD.has(oid)) || oid === OID.nameConstraints)
      throw new Error(`a certificate is limited by the extension ${oid}, which is not heeded here`);
  }
}
