import { createHash } from 'node:crypto';
import { concatBytes, encodeBase64, utf8 } from '../../../src/core/bytes.ts';
import { sha256 } from '../../../src/core/digest.ts';
import { type PrivateKey, signWithKey } from '../../../src/core/keys.ts';
import { wireString } from '../../../src/verify/release/wire.ts';

const idOf = (key: PrivateKey) => sha256(key.publicKey.raw).slice(0, 8);

export function minisignKey(key: PrivateKey): string {
  const packet = concatBytes(utf8('Ed'), idOf(key), key.publicKey.raw);
  return `untrusted comment: minisign public key\n${encodeBase64(packet)}\n`;
}

export function minisign(key: PrivateKey, data: Uint8Array, legacy = false, comment = 'timestamp:1 file:x'): string {
  const message = legacy ? data : createHash('blake2b512').update(data).digest();
  const signature = signWithKey(key, message);
  const packet = concatBytes(utf8(legacy ? 'Ed' : 'ED'), idOf(key), signature);
  const global = signWithKey(key, concatBytes(signature, utf8(comment)));
  return `untrusted comment: signature\n${encodeBase64(packet)}\ntrusted comment: ${comment}\n${encodeBase64(global)}\n`;
}

export function signifyKey(key: PrivateKey): string {
  return `untrusted comment: x public key\n${encodeBase64(concatBytes(utf8('Ed'), idOf(key), key.publicKey.raw))}\n`;
}

export function signify(key: PrivateKey, data: Uint8Array): string {
  const packet = concatBytes(utf8('Ed'), idOf(key), signWithKey(key, data));
  return `untrusted comment: verify with x.pub\n${encodeBase64(packet)}\n`;
}

const str = (text: string) => wireString(utf8(text));

export function sshBlob(key: PrivateKey): Uint8Array {
  return concatBytes(str('ssh-ed25519'), wireString(key.publicKey.raw));
}

export function sshKeyLine(key: PrivateKey): string {
  return `ssh-ed25519 ${encodeBase64(sshBlob(key))}`;
}

export type SshParts = {
  readonly namespace?: string;
  readonly hash?: string;
  readonly reserved?: string;
  readonly version?: number;
  readonly publicKey?: Uint8Array;
  readonly algorithm?: string;
  readonly trailing?: Uint8Array;
  /** Turns the 64 bytes into others. */
  readonly signature?: (bytes: Uint8Array) => Uint8Array;
};

/** What `ssh-keygen -Y sign` makes, or what somebody makes of it. */
export function sshSignature(key: PrivateKey, data: Uint8Array, parts: SshParts = {}): string {
  const { namespace = 'file', hash = 'sha512', reserved = '', version = 1, algorithm = 'ssh-ed25519' } = parts;
  const digest = createHash(hash === 'sha256' ? 'sha256' : 'sha512')
    .update(data)
    .digest();
  const signed = concatBytes(utf8('SSHSIG'), str(namespace), str(reserved), str(hash), wireString(digest));
  const signature = (parts.signature ?? ((bytes) => bytes))(signWithKey(key, signed));
  return armor(
    concatBytes(
      utf8('SSHSIG'),
      Uint8Array.of(0, 0, 0, version),
      wireString(parts.publicKey ?? sshBlob(key)),
      str(namespace),
      str(reserved),
      str(hash),
      wireString(concatBytes(str(algorithm), wireString(signature))),
      parts.trailing ?? new Uint8Array(),
    ),
  );
}

export function armor(blob: Uint8Array): string {
  const lines = encodeBase64(blob).match(/.{1,70}/g) ?? [];
  return `-----BEGIN SSH SIGNATURE-----\n${lines.join('\n')}\n-----END SSH SIGNATURE-----\n`;
}

export type CertificateParts = {
  readonly serial?: bigint;
  readonly kind?: number;
  readonly id?: string;
  readonly principals?: readonly string[];
  readonly validAfter?: bigint;
  readonly validBefore?: bigint;
  /** Names and values. */
  readonly critical?: readonly (readonly [string, Uint8Array])[];
  readonly extensions?: readonly (readonly [string, Uint8Array])[];
  /** Type and fields of the certified key instead of `key`'s. */
  readonly subject?: { readonly type: string; readonly fields: Uint8Array };
  /** In place of the authority's wire form. */
  readonly authority?: Uint8Array;
  /** Who really signs it. */
  readonly by?: PrivateKey;
  readonly trailing?: Uint8Array;
};

export function wireUint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** A certificate as `ssh-keygen -s` makes it (PROTOCOL.certkeys), in wire form. */
export function sshCertificate(key: PrivateKey, authority: PrivateKey, parts: CertificateParts = {}): Uint8Array {
  const { serial = 1n, kind = 1, id = 'who', principals = ['release@example.org'] } = parts;
  const { validAfter = 0n, validBefore = 2n ** 64n - 1n, critical = [], extensions = [] } = parts;
  const subject = parts.subject ?? { type: 'ssh-ed25519', fields: wireString(key.publicKey.raw) };
  const options = (list: readonly (readonly [string, Uint8Array])[]) =>
    wireString(concatBytes(...list.flatMap(([name, value]) => [str(name), wireString(value)])));
  const signed = concatBytes(
    str(`${subject.type.replace(/@openssh\.com$/, '')}-cert-v01@openssh.com`),
    str('a nonce'),
    subject.fields,
    wireUint64(serial),
    Uint8Array.of(0, 0, 0, kind),
    str(id),
    wireString(concatBytes(...principals.map(str))),
    wireUint64(validAfter),
    wireUint64(validBefore),
    options(critical),
    options(extensions),
    str(''),
    wireString(parts.authority ?? sshBlob(authority)),
  );
  const signature = concatBytes(str('ssh-ed25519'), wireString(signWithKey(parts.by ?? authority, signed)));
  return concatBytes(signed, wireString(signature), parts.trailing ?? new Uint8Array());
}
