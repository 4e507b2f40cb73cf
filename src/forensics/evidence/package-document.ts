import packageSchema from '../../../schemas/package.schema.json' with { type: 'json' };
import type { Digest, HashName } from '../../core/digest.ts';
import { messageOf } from '../../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../../core/jcs.ts';
import { validateSchema } from '../../core/schema.ts';
import type { Time } from '../../core/time.ts';
import type { EpochLinks } from '../../ledger/epoch-links.ts';
import { untrusted } from '../errors.ts';
import { MAX_DOCUMENT_BYTES } from './format.ts';

/** data/package.json; `schemas/package.schema.json` is its contract. */
export type PackageDocument = {
  readonly v: 1;
  readonly case: string;
  readonly number: number;
  readonly createdAt: Time;
  readonly builder: { readonly name: string; readonly version: string };
  readonly reason?: string;
  /** The package claims to hold all of this trace. */
  readonly trace?: string;
  readonly hosts: readonly { readonly host: string; readonly logs: readonly PackagedLog[] }[];
  readonly enrolments: readonly Digest[];
  readonly schemas: readonly string[];
};

export type PackagedLog = {
  readonly log: string;
  readonly origin: string;
  readonly genesis: Digest;
  readonly hash: HashName;
  /** Lines that the checkpoint covers. */
  readonly size: number;
  readonly from: number;
  readonly to: number;
  /** Lines shown. */
  readonly lines: number;
  readonly withheld: number;
  /** Of lines.ndjson. */
  readonly bytes: number;
  /** The log's `log.rotate` lines, verbatim, where its key was changed. */
  readonly rotations?: readonly string[];
  /** With {@link rotations}: how the checkpoint extends what each key signed last. */
  readonly links?: EpochLinks;
};

/** @throws ForensicsError PACKAGE_MALFORMED if it could not be parsed again */
export function encodePackage(document: PackageDocument): Uint8Array {
  const bytes = encodeCanonicalJson(document);
  parsePackage(bytes);
  return bytes;
}

/** @throws ForensicsError PACKAGE_MALFORMED */
export function parsePackage(bytes: Uint8Array): PackageDocument {
  try {
    const json = parseCanonicalJson(bytes, { maxBytes: MAX_DOCUMENT_BYTES });
    return validateSchema<PackageDocument>(packageSchema, json);
  } catch (cause) {
    throw untrusted('PACKAGE_MALFORMED', `package.json is not one: ${messageOf(cause)}`, { cause });
  }
}
