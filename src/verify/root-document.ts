import type { Digest } from '../core/digest.ts';
import type { Envelope } from '../core/dsse.ts';
import type { KeyId, PublicKey } from '../core/keys.ts';
import type { Time } from '../core/time.ts';
import type { Role } from './role-table.ts';

/** The JSON of a trust root's payload; `schemas/root.schema.json` is its contract. */
export type RootDocument = {
  readonly version: number;
  readonly issuedAt: Time;
  readonly expires: Time;
  readonly enclave?: string;
  readonly keys: { readonly [keyid: KeyId]: RootKeyDocument };
  readonly roles: { readonly [role: string]: RoleGrant };
  readonly recipients?: { readonly reveal?: readonly string[] };
  /** What other people's releases are judged by, by name. */
  readonly releases?: { readonly [name: string]: ReleasePin };
  readonly revoked: { readonly keys: readonly RevokedKey[]; readonly payloads: readonly Digest[] };
};

export type RootKeyDocument = { readonly pem: string; readonly operator?: string; readonly notAfter?: Time };

/** What a pinned file is; each kind is trusted by one option of `release verify` alone. */
export type PinKind =
  | 'sigstore'
  | 'npm-keys'
  | 'minisign'
  | 'signify'
  | 'ssh-signers'
  | 'ssh-revoked'
  | 'openpgp'
  | 'key';

/** A file named by its digest: 64 lower-case hex digits of SHA-256 over its bytes. */
export type ReleasePin = { readonly kind: PinKind; readonly sha256: string };

export type RoleGrant = {
  readonly keyids: readonly KeyId[];
  /** How many distinct holders must sign. */
  readonly threshold: number;
  /** Channels the role covers; absent means all. */
  readonly channels?: readonly string[];
};

export type RevokedKey = {
  readonly keyid: KeyId;
  /** Of a log's key: the heads, known to be from before it was lost, for which its signatures still count. */
  readonly validThrough?: readonly LogHead[];
};

/** A state of a log: what a checkpoint says. */
export type LogHead = { readonly origin: string; readonly size: number; readonly root: Digest };

export type RootKey = { readonly key: PublicKey; readonly operator?: string; readonly notAfter?: Time };

/** A parsed and self-consistent trust root. That it is *the* root is for the pin and the chain to say. */
export type TrustRoot = {
  readonly document: RootDocument;
  readonly version: number;
  readonly expires: Time;
  readonly enclave: string | undefined;
  readonly keys: ReadonlyMap<KeyId, RootKey>;
  readonly roles: ReadonlyMap<Role, RoleGrant>;
  readonly releases: ReadonlyMap<string, ReleasePin>;
  readonly revokedKeys: ReadonlySet<KeyId>;
  readonly revokedPayloads: ReadonlySet<string>;
  readonly envelope: Envelope;
  /** SHA-256 of the payload: the fingerprint people compare when they pin it. */
  readonly digest: Digest;
};
