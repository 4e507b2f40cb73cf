import { utf8 } from '../../../core/bytes.ts';

/** SSH signatures (OpenSSH, PROTOCOL.sshsig) and the keys that make them (RFC 4253, 5656, 8332, 8709, PROTOCOL.u2f). */
export const ARMOR_BEGIN = '-----BEGIN SSH SIGNATURE-----';
export const ARMOR_END = '-----END SSH SIGNATURE-----';
/** OpenSSH breaks lines after 70 characters. */
export const ARMOR_LINE = /.{1,70}/g;
/** RFC 8709. */
export const SSH_ED25519 = 'ssh-ed25519';
/** Starts the blob and what is signed alike, so that no other protocol's signature can stand in. */
export const MAGIC = utf8('SSHSIG');
export const VERSION = 1;
/** The namespace that `ssh-keygen -Y sign` users give files. */
export const FILE_NAMESPACE = 'file';
export const MIN_RSA_BITS = 2048;
/** OpenSSH's own limit (SSHBUF_MAX_BIGNUM). */
export const MAX_RSA_BITS = 16384;
/** Flags of a security key's signature: somebody touched it; somebody gave it a PIN or a finger. */
export const SK_USER_PRESENT = 0x01;
export const SK_USER_VERIFIED = 0x04;
export const MAX_SIGNERS_BYTES = 1024 * 1024;
/** Types of certificates (PROTOCOL.certkeys): the type of the key, without the end that those of security keys have. */
export const CERTIFICATE_TYPE = /^([a-z0-9-]+)-cert-v01@openssh\.com$/;
/** SSH_CERT_TYPE_USER; the other is for hosts. */
export const CERTIFIED_USER = 1;
/** OpenSSH's own limit (SSHKEY_CERT_MAX_PRINCIPALS). */
export const MAX_CERTIFIED_NAMES = 256;

/** A key revocation list in OpenSSH's binary form (PROTOCOL.krl). */
export const KRL_MAGIC = utf8('SSHKRL\n\0');
export const KRL_VERSION = 1;
export const MAX_KRL_BYTES = 16 * 1024 * 1024;
export const KRL_SECTION = { certificates: 1, key: 2, sha1: 3, sha256: 5, extension: 255 } as const;
export const KRL_CERTIFICATES = { serials: 0x20, range: 0x21, bitmap: 0x22, ids: 0x23, extension: 0x39 } as const;
