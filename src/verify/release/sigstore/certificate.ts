import { ASN1Obj, type X509Certificate } from '@sigstore/core';
import { decodeUtf8 } from '../../../core/bytes.ts';
import { ReleaseError } from '../errors.ts';
import { GENERAL_NAME, MAX_IDENTITY_BYTES, OID } from './format.ts';
import type { CertifiedIdentity } from './identity.ts';

/** Critical extensions that are looked at here or by the library (RFC 5280 section 4.2: an unknown one refuses). */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.extendedKeyUsage,
]);

/**
 * What the library doesn't ask of a signing certificate that chains to the root: that it is for signing code, is no
 * authority, has no extension twice and no critical one that nobody understood; and that it names exactly one signer.
 * The library reads the first name it finds and drops the high bit of every byte, so that `é` would pass for `i`.
 * @throws ReleaseError CERTIFICATE_REFUSED
 */
export function certifiedIdentity(certificate: X509Certificate): CertifiedIdentity {
  try {
    assertForSigning(certificate);
    return { identity: subjectName(certificate), issuer: accountProvider(certificate) };
  } catch (cause) {
    if (cause instanceof ReleaseError) throw cause;
    throw refused("its extensions can't be read", cause);
  }
}

function assertForSigning(certificate: X509Certificate): void {
  const seen = new Set<string>();
  for (const { subs } of certificate.extensions) {
    const oid = subs[0]?.toOID() ?? '';
    if (subs.length < 2 || subs.length > 3) throw refused(`its extension ${oid} has ${subs.length} parts`);
    if (seen.has(oid)) throw refused(`it has the extension ${oid} twice`);
    seen.add(oid);
    const isCritical = subs.length === 3 && subs[1]?.toBoolean() === true;
    if (isCritical && !UNDERSTOOD.has(oid))
      throw refused(`it has the critical extension ${oid}, which is unknown here`);
  }
  // Either mark is enough: the library asks for both before it calls a certificate an authority's.
  if (certificate.extBasicConstraints?.isCA === true || certificate.extKeyUsage?.keyCertSign === true)
    throw refused('it is of an authority, not of a signer');
  if (certificate.extKeyUsage?.digitalSignature !== true) throw refused('it is not for signatures');
  if (extendedKeyUsages(certificate)?.includes(OID.codeSigning) !== true) throw refused('it is not for signing code');
}

/** Undefined where it has no such extension: then it is for any use (RFC 5280 section 4.2.1.12). */
export function extendedKeyUsages(certificate: X509Certificate): string[] | undefined {
  const value = certificate.extension(OID.extendedKeyUsage)?.value;
  return value === undefined ? undefined : parseDer(value).subs.map((usage) => usage.toOID());
}

function subjectName(certificate: X509Certificate): string {
  const value = certificate.extension(OID.subjectAltName)?.value;
  const names = value === undefined ? [] : parseDer(value).subs;
  const [name] = names;
  if (name === undefined || names.length !== 1) throw refused(`it names ${names.length} signers where one is expected`);
  const form = FORMS.find(({ tag }) => name.tag.isContextSpecific(tag));
  if (form === undefined) throw refused('its signer is neither an address of mail nor a URI');
  const text = textOf(name.value);
  // An authority checks the two in different ways: one written as the other must not pass for it.
  if (!form.looks.test(text)) throw refused(`its signer is not written as ${form.what} is`);
  return text;
}

/** A URI starts with its scheme (RFC 3986 section 3.1); an address has neither a scheme nor white space. */
const FORMS = [
  { tag: GENERAL_NAME.uri, what: 'a URI', looks: /^[A-Za-z][A-Za-z0-9+.-]*:/ },
  { tag: GENERAL_NAME.email, what: 'an address of mail', looks: /^[^\s:@]+@[^\s:@]+$/ },
] as const;

function accountProvider(certificate: X509Certificate): string {
  const first = certificate.extension(OID.issuerV1)?.value;
  const second = certificate.extension(OID.issuerV2)?.value;
  const issuers = [...(second === undefined ? [] : [derText(second)]), ...(first === undefined ? [] : [textOf(first)])];
  const [issuer] = issuers;
  if (issuer === undefined) throw refused('it does not say who vouched for its signer');
  if (issuers.some((other) => other !== issuer)) throw refused('it names two account providers');
  return issuer;
}

/** UTF8String in DER, as Fulcio writes its extensions from the second form on. */
export function derText(der: Uint8Array): string {
  const text = parseDer(der);
  const UTF8_STRING = 0x0c;
  if (text.tag.toDER() !== UTF8_STRING) throw refused('an extension of it is not text');
  return textOf(text.value);
}

function textOf(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > MAX_IDENTITY_BYTES) throw refused(`it has a name of ${bytes.length} bytes`);
  return decodeUtf8(bytes);
}

function refused(problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('CERTIFICATE_REFUSED', `the signing certificate is refused: ${problem}`, { cause });
}

/** All of the bytes, as one DER value. */
function parseDer(der: Uint8Array): ASN1Obj {
  return ASN1Obj.parseBuffer(Buffer.from(der));
}
