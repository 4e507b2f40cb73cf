import { DaemonEyeError, type ErrorOptions } from '../../core/errors.ts';

export type ReleaseErrorCode =
  // the material as such
  | 'MATERIAL_MALFORMED'
  | 'MATERIAL_TOO_LARGE'
  | 'MEDIA_TYPE_UNKNOWN'
  | 'SIGNATURE_COUNT'
  // trust: roots and keys
  | 'TRUSTED_ROOT_MALFORMED'
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
  | 'BLOB_MISMATCH';

/** Why a release, or what should vouch for it, is not trusted. Its fault is `untrusted` unless said otherwise. */
export class ReleaseError extends DaemonEyeError<ReleaseErrorCode> {
  constructor(code: ReleaseErrorCode, message: string, options: ErrorOptions = {}) {
    super(code, message, { fault: 'untrusted', ...options });
  }
}
