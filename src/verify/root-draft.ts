import { ROOT_PAYLOAD_TYPE } from '../bundle/format.ts';
import type { Digest } from '../core/digest.ts';
import { type Envelope, type EnvelopeSignature, encodeEnvelope, signingKeys } from '../core/dsse.ts';
import type { KeyId, PublicKey } from '../core/keys.ts';
import type { Time } from '../core/time.ts';
import { headOf } from './dropped-revocations.ts';
import { keysOfRole } from './holders.ts';
import { assertSignedBy } from './root-chain.ts';
import type { LogHead, ReleasePin, RoleGrant, RootDocument, TrustRoot } from './root-document.ts';
import { encodeRoot, parseRoot, rootOf } from './trust-root.ts';

/** The first version of a trust root: no keys, no roles yet. */
export function firstDraft(issuedAt: Time, expires: Time, enclave?: string): RootDocument {
  return {
    version: 1,
    issuedAt,
    expires,
    ...(enclave === undefined ? {} : { enclave }),
    keys: {},
    roles: {},
    revoked: { keys: [], payloads: [] },
  };
}

/** The next version, to be changed and signed: everything of the last, one number higher. */
export function nextDraft(last: TrustRoot, issuedAt: Time, expires: Time): RootDocument {
  return { ...last.document, version: last.version + 1, issuedAt, expires };
}

/** Lists a key. @param about the operator it speaks for, and the end of its use */
export function withKey(
  draft: RootDocument,
  key: PublicKey,
  about: { readonly operator?: string; readonly notAfter?: Time },
): RootDocument {
  return { ...draft, keys: { ...draft.keys, [key.keyid]: { pem: key.pem, ...about } } };
}

/** Grants a role, replacing an earlier grant of it. */
export function withRole(draft: RootDocument, role: string, grant: RoleGrant): RootDocument {
  return { ...draft, roles: { ...draft.roles, [role]: grant } };
}

/**
 * Revokes a key: it is listed as revoked and leaves every role. Revoked before, it stays so.
 * @param heads states of logs for which its signatures still count, besides those already spared
 */
export function withRevokedKey(draft: RootDocument, keyid: KeyId, heads: readonly LogHead[] = []): RootDocument {
  const before = draft.revoked.keys.find((revoked) => revoked.keyid === keyid);
  const spared = new Map([...(before?.validThrough ?? []), ...heads].map((head) => [headOf(head), head]));
  const revoked = { keyid, ...(spared.size === 0 ? {} : { validThrough: [...spared.values()] }) };
  const keys =
    before === undefined
      ? [...draft.revoked.keys, revoked]
      : draft.revoked.keys.map((other) => (other === before ? revoked : other));
  const roles = Object.entries(draft.roles).map(([role, grant]) => [
    role,
    { ...grant, keyids: grant.keyids.filter((held) => held !== keyid) },
  ]);
  return {
    ...draft,
    roles: Object.fromEntries(roles),
    revoked: { ...draft.revoked, keys },
  };
}

/** Revokes a signed document by the digest of its payload. */
export function withRevokedPayload(draft: RootDocument, payload: Digest): RootDocument {
  const payloads = [...new Set([...draft.revoked.payloads, payload])];
  return { ...draft, revoked: { ...draft.revoked, payloads } };
}

/** Names who can open the sealed values of every host, replacing those named before. @param reveal age recipients */
export function withRevealRecipients(draft: RootDocument, reveal: readonly string[]): RootDocument {
  const { recipients: _, ...rest } = draft;
  return reveal.length === 0 ? rest : { ...rest, recipients: { reveal } };
}

/** Pins a file that releases are judged by, replacing an earlier pin of that name. */
export function withReleasePin(draft: RootDocument, name: string, pin: ReleasePin): RootDocument {
  return { ...draft, releases: { ...draft.releases, [name]: pin } };
}

/** Takes a pin out; whoever still names it is told that it is none. */
export function withoutReleasePin(draft: RootDocument, name: string): RootDocument {
  const { releases, ...rest } = draft;
  const left = Object.entries(releases ?? {}).filter(([other]) => other !== name);
  return left.length === 0 ? rest : { ...rest, releases: Object.fromEntries(left) };
}

/**
 * The unsigned envelope of a draft that stands on its own: every rule of `parseRoot` holds, so that nobody signs what
 * every enclave would refuse. A draft may be a file that somebody edited.
 * @throws VerifyError as parseRoot; CoreError JSON_NOT_REPRESENTABLE
 */
export function sealDraft(draft: RootDocument): Envelope {
  const envelope = { payloadType: ROOT_PAYLOAD_TYPE, payload: encodeRoot(draft), signatures: [] };
  parseRoot(encodeEnvelope(envelope));
  return envelope;
}

/**
 * A finished root: enough of its own root key holders, and of the previous version's, have signed. It keeps one valid
 * signature of each such key and nothing else.
 * @throws VerifyError ROOT_SIGNATURES_OWN or ROOT_SIGNATURES_PREVIOUS below threshold, or as parseRoot
 */
export function finishRoot(envelope: Envelope, document: RootDocument, previous: TrustRoot | undefined): Envelope {
  const root = rootOf(envelope, document);
  assertSignedBy(root, root, 'ROOT_SIGNATURES_OWN');
  if (previous !== undefined) assertSignedBy(previous, root, 'ROOT_SIGNATURES_PREVIOUS');
  const candidates = [root, ...(previous === undefined ? [] : [previous])].flatMap((one) => keysOfRole(one, 'root'));
  const keys = new Map(candidates.map((key) => [key.keyid, key])).values();
  const valid = (key: PublicKey) => (signature: EnvelopeSignature) =>
    signingKeys({ ...envelope, signatures: [signature] }, [key]).length > 0;
  return { ...envelope, signatures: [...keys].flatMap((key) => envelope.signatures.find(valid(key)) ?? []) };
}
