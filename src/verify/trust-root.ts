import rootSchema from '../../schemas/root.schema.json' with { type: 'json' };
import { MAX_ROOT_BYTES, ROOT_PAYLOAD_TYPE } from '../bundle/format.ts';
import { parseAgeRecipient } from '../core/age-recipient.ts';
import { sha256Digest } from '../core/digest.ts';
import { type Envelope, parseEnvelope } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { type KeyId, type PublicKey, parsePublicKey } from '../core/keys.ts';
import { validateSchema } from '../core/schema.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { VerifyError } from './errors.ts';
import { countHolders } from './holders.ts';
import { isRole, type Role } from './role-table.ts';
import type { RoleGrant, RootDocument, RootKey, TrustRoot } from './root-document.ts';

/** Canonical payload bytes of a root document. */
export function encodeRoot(document: RootDocument): Uint8Array {
  return encodeCanonicalJson(document);
}

/**
 * Parses a root envelope and checks everything about it that needs no other version: schema, dates, every key safe
 * and listed under its own keyid, every role known and reachable.
 * @throws VerifyError ROOT_MALFORMED, ROOT_DATES, ROOT_RECIPIENT, ROOT_KEY_UNSAFE, ROOT_KEYID_MISMATCH, ROOT_ROLE_MISSING,
 *   ROLE_UNKNOWN, ROLE_DUPLICATE_KEY, ROLE_UNKNOWN_KEY, ROLE_CHANNELS, THRESHOLD_INVALID or THRESHOLD_UNREACHABLE
 */
export function parseRoot(bytes: Uint8Array): TrustRoot {
  return parseRootPayload(parseRootEnvelope(bytes));
}

/** As {@link parseRoot}, of an envelope already parsed. @throws VerifyError as there */
export function parseRootPayload(envelope: Envelope): TrustRoot {
  return rootOf(
    envelope,
    orMalformed(() => parseRootDocument(envelope.payload)),
  );
}

/** The envelope alone, its payload not looked at. @throws VerifyError ROOT_MALFORMED */
export function parseRootEnvelope(bytes: Uint8Array): Envelope {
  return orMalformed(() => parseEnvelope(bytes, ROOT_PAYLOAD_TYPE, MAX_ROOT_BYTES));
}

function orMalformed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new VerifyError('ROOT_MALFORMED', `not a trust root: ${messageOf(cause)}`, { cause });
  }
}

/** The document in a root's payload, checked against its schema only. @throws CoreError */
export function parseRootDocument(payload: Uint8Array): RootDocument {
  return validateSchema<RootDocument>(rootSchema, parseCanonicalJson(payload, { maxBytes: MAX_ROOT_BYTES }));
}

/** The checks of {@link parseRoot} on a document whose envelope is already parsed. @throws VerifyError as there */
export function rootOf(envelope: Envelope, document: RootDocument): TrustRoot {
  if (document.issuedAt >= document.expires) {
    throw new VerifyError('ROOT_DATES', `trust root ${document.version} expires before it is issued`);
  }
  assertRecipients(document);
  assertRevokedOnce(document);
  const root: TrustRoot = {
    document,
    version: document.version,
    expires: document.expires,
    enclave: document.enclave,
    keys: parseKeys(document),
    roles: parseRoles(document),
    releases: new Map(Object.entries(document.releases ?? {})),
    revokedKeys: new Set(document.revoked.keys.map(({ keyid }) => keyid)),
    revokedPayloads: new Set(document.revoked.payloads),
    envelope,
    digest: sha256Digest(envelope.payload),
  };
  for (const [role, grant] of root.roles) checkGrant(root, role, grant);
  return root;
}

/** A recipient that nothing can be encrypted to would leave every collector without a place for its secrets. */
function assertRecipients({ recipients }: RootDocument): void {
  for (const recipient of recipients?.reveal ?? []) {
    try {
      parseAgeRecipient(recipient);
    } catch (cause) {
      throw new VerifyError('ROOT_RECIPIENT', `trust root: recipients.reveal: ${messageOf(cause)}`, { cause });
    }
  }
}

/** Listed twice, once with heads it still counts for and once without, a key would be revoked for some readers only. */
function assertRevokedOnce({ revoked }: RootDocument): void {
  if (new Set(revoked.keys.map(({ keyid }) => keyid)).size === revoked.keys.length) return;
  throw new VerifyError('ROOT_MALFORMED', 'not a trust root: it lists one revoked key twice');
}

function parseKeys(document: RootDocument): Map<KeyId, RootKey> {
  const keys = new Map<KeyId, RootKey>();
  for (const [keyid, { pem, ...rest }] of Object.entries(document.keys)) {
    const key = parseRootKey(keyid, pem);
    // The id is recomputed from the key: otherwise one key under two ids could fill a threshold alone.
    if (key.keyid !== keyid) {
      throw new VerifyError('ROOT_KEYID_MISMATCH', `trust root: key ${keyid.slice(0, 8)}… is not the key its id says`);
    }
    keys.set(keyid, { key, ...rest });
  }
  return keys;
}

function parseRootKey(keyid: KeyId, pem: string): PublicKey {
  try {
    return parsePublicKey(pem);
  } catch (cause) {
    throw new VerifyError('ROOT_KEY_UNSAFE', `trust root: key ${keyid.slice(0, 8)}…: ${messageOf(cause)}`, { cause });
  }
}

function parseRoles(document: RootDocument): Map<Role, RoleGrant> {
  const roles = new Map<Role, RoleGrant>();
  for (const [name, grant] of Object.entries(document.roles)) {
    if (!isRole(name)) throw new VerifyError('ROLE_UNKNOWN', `trust root: "${escapeForTerminal(name)}" is not a role`);
    roles.set(name, grant);
  }
  if (!roles.has('root')) throw new VerifyError('ROOT_ROLE_MISSING', 'trust root: nobody holds the role root');
  return roles;
}

function checkGrant(root: TrustRoot, role: Role, grant: RoleGrant): void {
  if (new Set(grant.keyids).size !== grant.keyids.length) {
    throw new VerifyError('ROLE_DUPLICATE_KEY', `trust root: role ${role} lists one key twice`);
  }
  const usable = grant.keyids.filter((keyid) => !root.revokedKeys.has(keyid));
  const keys = usable.flatMap((keyid) => root.keys.get(keyid)?.key ?? []);
  if (grant.keyids.some((keyid) => !root.keys.has(keyid))) {
    throw new VerifyError('ROLE_UNKNOWN_KEY', `trust root: role ${role} names a key that is not in the root`);
  }
  // Only bundles travel on channels; a list on any other role would look like a limit and be none.
  if (grant.channels !== undefined && !['rules', 'updates', 'config'].includes(role)) {
    throw new VerifyError('ROLE_CHANNELS', `trust root: role ${role} can't be limited to channels`);
  }
  if (grant.threshold < 1) {
    throw new VerifyError('THRESHOLD_INVALID', `trust root: role ${role} has threshold ${grant.threshold}; at least 1`);
  }
  const holders = countHolders(root, keys);
  if (holders < grant.threshold) {
    throw new VerifyError(
      'THRESHOLD_UNREACHABLE',
      `trust root: role ${role} needs ${grant.threshold} signers, but its unrevoked keys belong to ${holders}`,
    );
  }
}
