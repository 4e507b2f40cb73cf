import receiptSchema from '../../schemas/receipt.schema.json' with { type: 'json' };
import type { Digest } from '../core/digest.ts';
import { type Envelope, parseEnvelope, payloadDigest, signingKeys } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import type { PublicKey } from '../core/keys.ts';
import { validateSchema } from '../core/schema.ts';
import type { Time } from '../core/time.ts';
import { assertThreshold } from './checks/signatures.ts';
import type { Admissions } from './enrolment-admission.ts';
import { VerifyError } from './errors.ts';
import type { Place } from './heads.ts';
import { keysOfRole } from './holders.ts';
import { assertRootNotExpired } from './root-chain.ts';
import type { TrustRoot } from './root-document.ts';

export const RECEIPT_PAYLOAD_TYPE = 'application/vnd.daemoneye.receipt+json';
export const MAX_RECEIPT_BYTES = 16 * 1024 * 1024;
/** How many refusals a receipt tells of. */
export const MAX_REFUSED = 64;

/** The JSON of a receipt's payload; `schemas/receipt.schema.json` is its contract. */
export type ReceiptDocument = {
  readonly v: 1;
  /** 16 random bytes in hex, made up for this receipt: who repeats them has seen it. */
  readonly nonce: string;
  readonly host: string;
  /** As the trust root names it. */
  readonly enclave?: string;
  readonly root: { readonly version: number; readonly payload: Digest };
  readonly floor: Time;
  readonly channels: { readonly [channel: string]: { readonly active: Place; readonly highest: Place } };
  /** Bundles whose files are all here. */
  readonly holds: readonly Digest[];
  /** Bundles refused last, the newest last. */
  readonly refused: readonly RefusedBundle[];
  /** The newest checkpoint of each log, as signed notes. */
  readonly checkpoints: readonly string[];
};

export type RefusedBundle = { readonly payload: Digest; readonly check: string };

export type VerifiedReceipt = {
  readonly document: ReceiptDocument;
  readonly payload: Digest;
  readonly signer: PublicKey;
};

/** The unsigned envelope of a receipt. @throws VerifyError DOCUMENT_MALFORMED if it could not be parsed again */
export function sealReceipt(document: ReceiptDocument): Envelope {
  const payload = encodeCanonicalJson(document);
  parseReceipt(payload);
  return { payloadType: RECEIPT_PAYLOAD_TYPE, payload, signatures: [] };
}

function parseReceipt(payload: Uint8Array): ReceiptDocument {
  return orMalformed(() =>
    validateSchema<ReceiptDocument>(receiptSchema, parseCanonicalJson(payload, { maxBytes: MAX_RECEIPT_BYTES })),
  );
}

function orMalformed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new VerifyError('DOCUMENT_MALFORMED', `not a receipt: ${messageOf(cause)}`, { cause });
  }
}

function lasts(root: TrustRoot, floor: Time): (key: PublicKey) => boolean {
  return ({ keyid }) => {
    const notAfter = root.keys.get(keyid)?.notAfter;
    return notAfter === undefined || notAfter >= floor;
  };
}

/**
 * Whether a receipt was signed by the host it speaks for: by the receipt key of the host's enrolment, or by holders of
 * the role `receipt`, who may speak for any. A receipt key of another host doesn't count.
 * @param admissions what the enrolments known here admit under the same root
 * @throws VerifyError ROOT_EXPIRED, DOCUMENT_MALFORMED, UNSIGNED, RECEIPT_HOST_UNKNOWN, RECEIPT_SIGNATURE, KEY_REVOKED,
 *   THRESHOLD_NOT_MET
 */
export function verifyReceipt(
  root: TrustRoot,
  admissions: Admissions,
  bytes: Uint8Array,
  floor: Time,
): VerifiedReceipt {
  assertRootNotExpired(root, floor);
  const envelope = orMalformed(() => parseEnvelope(bytes, RECEIPT_PAYLOAD_TYPE, MAX_RECEIPT_BYTES));
  if (envelope.signatures.length === 0) throw new VerifyError('UNSIGNED', 'the receipt is not signed');
  const document = parseReceipt(envelope.payload);
  const { host } = document;
  const enrolled = admissions.receipts.flatMap((receipt) => (receipt.host === host ? receipt.key : []));
  const granted = root.roles.has('receipt') ? keysOfRole(root, 'receipt').filter(lasts(root, floor)) : [];
  if (enrolled.length + granted.length === 0) {
    const message = `no enrolment admits receipts of the host ${host}, and the trust root grants nobody the role receipt`;
    throw new VerifyError('RECEIPT_HOST_UNKNOWN', message);
  }
  const signers = signingKeys(envelope, [...enrolled, ...granted]);
  if (signers.length === 0) {
    throw new VerifyError('RECEIPT_SIGNATURE', `the receipt is not signed by the receipt key of the host ${host}`);
  }
  const unrevoked = signers.filter(({ keyid }) => !root.revokedKeys.has(keyid));
  const [signer] = unrevoked;
  if (signer === undefined) throw new VerifyError('KEY_REVOKED', `the receipt key of the host ${host} is revoked`);
  const own = unrevoked.find(({ keyid }) => enrolled.some((key) => key.keyid === keyid));
  if (own === undefined) assertThreshold(root, 'receipt', unrevoked, 'THRESHOLD_NOT_MET');
  return { document, payload: payloadDigest(envelope), signer: own ?? signer };
}
