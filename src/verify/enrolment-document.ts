import enrolmentSchema from '../../schemas/enrolment.schema.json' with { type: 'json' };
import type { Digest, HashName } from '../core/digest.ts';
import type { Envelope } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { type KeyId, type PublicKey, parsePublicKey } from '../core/keys.ts';
import { validateSchema } from '../core/schema.ts';
import { isNoteName } from '../core/signed-note.ts';
import type { Time } from '../core/time.ts';
import { enrolmentMalformed } from './enrolment-errors.ts';
import type { Role } from './role-table.ts';

export const ENROLMENT_PAYLOAD_TYPE = 'application/vnd.daemoneye.enrolment+json';
/** Bytes of an enrolment's envelope. */
export const MAX_ENROLMENT_BYTES = 512 * 1024;

/**
 * Roles that an enrolment may give to an operator. Never those that sign for everybody (`root`, `enrol`, bundles,
 * heads): these stay in the trust root.
 */
export const ENROLLABLE_ROLES = [
  'evidence',
  'operator:viewer',
  'operator:hunter',
  'operator:approver',
  'operator:admin',
] as const satisfies readonly Role[];
export type EnrollableRole = (typeof ENROLLABLE_ROLES)[number];

/** The JSON of an enrolment's payload; `schemas/enrolment.schema.json` is its contract. */
export type EnrolmentDocument = HostEnrolmentDocument | OperatorEnrolmentDocument;

export type HostEnrolmentDocument = {
  readonly v: 1;
  readonly host: string;
  readonly logs: readonly EnrolledLogDocument[];
  /** The key that signs this host's receipts, and nothing else. */
  readonly receipt?: { readonly keyid: KeyId; readonly pem: string };
  readonly issuedAt: Time;
  readonly expires?: Time;
};

export type EnrolledLogDocument = {
  readonly origin: string;
  /** Digest of the genesis' payload. */
  readonly genesis: Digest;
  readonly hash: HashName;
  readonly keyid: KeyId;
  readonly pem: string;
};

export type OperatorEnrolmentDocument = {
  readonly v: 1;
  readonly operator: string;
  readonly keys: readonly { readonly keyid: KeyId; readonly pem: string }[];
  readonly roles: readonly EnrollableRole[];
  readonly issuedAt: Time;
  readonly expires: Time;
};

/** A log that an enrolment admits: this key signs for it, and any that it passed the log on to, in entries both signed. */
export type EnrolledLog = {
  readonly host: string;
  readonly origin: string;
  readonly genesis: Digest;
  readonly hash: HashName;
  readonly key: PublicKey;
};

/** The key that signs a host's receipts. */
export type EnrolledReceiptKey = { readonly host: string; readonly key: PublicKey };

export type EnrolledOperator = {
  readonly operator: string;
  readonly keys: readonly PublicKey[];
  readonly roles: readonly EnrollableRole[];
};

/** What a parsed enrolment asks for; whether it may is for `verifyEnrolment` to say. */
export type Enrolment = {
  readonly document: EnrolmentDocument;
  readonly logs: readonly EnrolledLog[];
  readonly operator: EnrolledOperator | undefined;
  readonly receipt: EnrolledReceiptKey | undefined;
};

/** The unsigned envelope of an enrolment. @throws EnrolmentError ENROLMENT_MALFORMED if it could not be parsed again */
export function sealEnrolment(document: EnrolmentDocument): Envelope {
  const payload = encodeCanonicalJson(document);
  parseEnrolmentPayload(payload);
  return { payloadType: ENROLMENT_PAYLOAD_TYPE, payload, signatures: [] };
}

/**
 * Parses a payload: canonical, by its schema, every key safe and under its own keyid.
 * @throws EnrolmentError ENROLMENT_MALFORMED
 */
export function parseEnrolmentPayload(payload: Uint8Array): Enrolment {
  try {
    const json = parseCanonicalJson(payload, { maxBytes: MAX_ENROLMENT_BYTES });
    const document = validateSchema<EnrolmentDocument>(enrolmentSchema, json);
    if (document.expires !== undefined && document.expires <= document.issuedAt) {
      throw enrolmentMalformed('it expires before it is issued');
    }
    if ('host' in document) {
      const { host, receipt } = document;
      const logs = document.logs.map((log) => logOf(document, log));
      return { document, logs, operator: undefined, receipt: receipt && { host, key: keyOf(receipt) } };
    }
    const { operator, roles } = document;
    return { document, logs: [], operator: { operator, roles, keys: document.keys.map(keyOf) }, receipt: undefined };
  } catch (cause) {
    throw enrolmentMalformed(messageOf(cause), cause);
  }
}

function logOf({ host, logs }: HostEnrolmentDocument, log: EnrolledLogDocument): EnrolledLog {
  const { origin, genesis, hash } = log;
  if (!isNoteName(origin)) throw enrolmentMalformed('an origin has a space or a plus in it');
  if (logs.filter((other) => other.origin === origin).length > 1) throw enrolmentMalformed('it names a log twice');
  return { host, origin, genesis, hash, key: keyOf(log) };
}

/** The id is recomputed: a key under somebody else's id would be looked for, and revoked, in vain. */
function keyOf({ keyid, pem }: { readonly keyid: KeyId; readonly pem: string }): PublicKey {
  const key = parsePublicKey(pem);
  if (key.keyid !== keyid || key.pem !== pem) throw enrolmentMalformed('a keyid is not that of its key');
  return key;
}
