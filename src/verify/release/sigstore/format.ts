/** Sigstore's names and numbers, from https://github.com/sigstore/protobuf-specs and the Fulcio and Rekor documents. */

/** Media types of a bundle (protobuf-specs, sigstore_bundle.proto). A version beyond these is refused, not guessed. */
export const BUNDLE_MEDIA_TYPES: readonly string[] = [
  'application/vnd.dev.sigstore.bundle+json;version=0.1',
  'application/vnd.dev.sigstore.bundle+json;version=0.2',
  'application/vnd.dev.sigstore.bundle+json;version=0.3',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
];

/** Bytes of one bundle, and of a trusted root. The largest real ones hold a few megabytes of SBOM. */
export const MAX_MATERIAL_BYTES = 16 * 1024 * 1024;

/** In-toto attestations in DSSE (https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md). */
export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** RFC 5280 section 4.2.1, and RFC 6962 section 3.3 for the last. */
export const OID = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  nameConstraints: '2.5.29.30',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  /** RFC 3161 section 2.3. */
  timeStamping: '1.3.6.1.5.5.7.3.8',
  /** https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md: raw text in the first form, DER in the second. */
  issuerV1: '1.3.6.1.4.1.57264.1.1',
  issuerV2: '1.3.6.1.4.1.57264.1.8',
} as const;

/** Context tags of a GeneralName (RFC 5280 section 4.2.1.6) that Fulcio writes. */
export const GENERAL_NAME = { email: 1, uri: 6 } as const;

/** Subject names longer than this are nobody's; a pattern need not run over them. */
export const MAX_IDENTITY_BYTES = 2048;
