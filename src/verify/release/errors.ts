import { DaemonEyeError, type ErrorOptions } from '../../core/errors.ts';

export type ReleaseErrorCode =
  // the material as such
  | 'MATERIAL_MALFORMED'
  | 'MATERIAL_TOO_LARGE'
  | 'MEDIA_TYPE_UNKNOWN'
  | 'SIGNATURE_COUNT'
  // trust: roots and keys
  | 'TRUSTED_ROOT_MALFORMED'
  | 'TRUSTED_ROOT_UNPINNED'
  | 'KEY_MISSING'
  | 'KEY_REFUSED'
  | 'KEY_EXPIRED'
  // what sigstore proves
  | 'TIMESTAMP_REFUSED'
  | 'CERTIFICATE_REFUSED'
  | 'LOG_ENTRY_REFUSED'
  | 'LOG_ENTRY_MISMATCH'
  | 'SIGNATURE_REFUSED'
  | 'IDENTITY_UNSAID'
  | 'IDENTITY_PATTERN'
  | 'IDENTITY_MISMATCH'
  | 'ISSUER_MISMATCH'
  // what the signature is about
  | 'ARTIFACT_MISMATCH'
  | 'ARTIFACT_UNHASHED'
  | 'PAYLOAD_TYPE'
  | 'STATEMENT_MALFORMED'
  | 'SUBJECT_MISMATCH'
  // provenance and policy
  | 'POLICY_MALFORMED'
  | 'PREDICATE_TYPE'
  | 'PROVENANCE_MALFORMED'
  | 'PROVENANCE_MISSING'
  | 'POLICY_NOT_MET'
  | 'THRESHOLD_NOT_MET'
  // OCI layouts
  | 'LAYOUT_MALFORMED'
  | 'LAYOUT_AMBIGUOUS'
  | 'UNSIGNED'
  | 'BLOB_MISSING'
  | 'BLOB_MISMATCH'
  // messages signed as they are
  | 'MESSAGE_TOO_LARGE'
  // minisign
  | 'MINISIGN_MALFORMED'
  | 'MINISIGN_KEY_MALFORMED'
  | 'MINISIGN_KEY_MISMATCH'
  | 'MINISIGN_SIGNATURE'
  | 'MINISIGN_COMMENT'
  // signify
  | 'SIGNIFY_MALFORMED'
  | 'SIGNIFY_KEY_MALFORMED'
  | 'SIGNIFY_KEY_MISMATCH'
  | 'SIGNIFY_SIGNATURE'
  // SSH
  | 'SSH_MALFORMED'
  | 'SSH_ALGORITHM'
  | 'SSH_KEY_MALFORMED'
  | 'SSH_KEY_WEAK'
  | 'SSH_CERTIFICATE'
  | 'SSH_NAMESPACE'
  | 'SSH_PRESENCE'
  | 'SSH_SIGNATURE'
  | 'SSH_SIGNERS_MALFORMED'
  | 'SSH_SIGNER_UNKNOWN'
  | 'SSH_PRINCIPAL'
  | 'SSH_IDENTITY_NEEDED'
  | 'SSH_VALIDITY'
  | 'SSH_REVOKED'
  | 'SSH_REVOKED_MALFORMED'
  // OpenPGP
  | 'PGP_MALFORMED'
  | 'PGP_ARMOR'
  | 'PGP_CLEARTEXT'
  | 'PGP_VERSION'
  | 'PGP_TYPE'
  | 'PGP_HASH'
  | 'PGP_ALGORITHM'
  | 'PGP_CRITICAL'
  | 'PGP_ISSUER'
  | 'PGP_TIME'
  | 'PGP_EXPIRED'
  | 'PGP_SIGNATURE'
  | 'PGP_KEYRING_MALFORMED'
  | 'PGP_KEY_UNKNOWN'
  | 'PGP_KEY_WEAK'
  | 'PGP_KEY_REVOKED'
  | 'PGP_KEY_EXPIRED'
  | 'PGP_KEY_USE'
  | 'PGP_KEY_BINDING'
  // keys as openssl writes them
  | 'RAW_MALFORMED'
  | 'RAW_SIGNATURE'
  // lists of checksums
  | 'SUMS_MALFORMED'
  | 'SUMS_NAME'
  | 'SUMS_DUPLICATE'
  | 'SUMS_NOT_LISTED'
  | 'SUMS_AMBIGUOUS'
  | 'SUMS_MISMATCH'
  // archives of Debian's kind
  | 'RELEASE_MALFORMED'
  | 'RELEASE_EXPIRED'
  | 'PACKAGES_MALFORMED'
  | 'PACKAGES_NOT_LISTED'
  // bills of materials
  | 'SBOM_MALFORMED'
  | 'SBOM_UNSUPPORTED'
  | 'SBOM_NAME'
  | 'SBOM_NO_HASHES'
  | 'SBOM_UNSIGNED'
  | 'SBOM_NOT_LISTED'
  | 'SBOM_MISMATCH'
  | 'SBOM_MISSING'
  | 'SBOM_UNLISTED'
  // the release as a whole
  | 'SIGNATURE_MISSING';

/** Why a release, or what should vouch for it, is not trusted. Its fault is `untrusted` unless said otherwise. */
export class ReleaseError extends DaemonEyeError<ReleaseErrorCode> {
  constructor(code: ReleaseErrorCode, message: string, options: ErrorOptions = {}) {
    super(code, message, { fault: 'untrusted', ...options });
  }
}
