import statementSchema from '../../schemas/statement.schema.json' with { type: 'json' };
import { assertInstallPath } from '../archive/path-rules.ts';
import type { Digest } from '../core/digest.ts';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { validateSchema } from '../core/schema.ts';
import { isJsonObject, type Json } from '../core/strict-json.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { BundleError, untrusted } from './errors.ts';
import { type BundleKind, INDEX_NAME, isBundleKind, MAX_ENVELOPE, PREDICATE_TYPE, STATEMENT_TYPE } from './format.ts';

/** What a bundle's signers say: which index, on which channel, after which bundle, for whom. */
export type BundleStatement = {
  readonly kind: BundleKind;
  /** Lower-case segments joined by `/`, at most four: `rules/linux-baseline`. */
  readonly channel: string;
  /** Place in the channel, from 1. */
  readonly seq: number;
  /** Digest of the previous statement's payload on the channel; null exactly when `seq` is 1. */
  readonly prev: Digest | null;
  /** Names of enclaves; empty means every enclave. */
  readonly audience: readonly string[];
  readonly issuedAt: Time;
  readonly expires?: Time;
  readonly builder: { readonly name: string; readonly version: string };
  /** The least program version (`MAJOR.MINOR.PATCH`) and trust root version that may apply the bundle. */
  readonly requires: { readonly daemoneye?: string; readonly root?: number };
  /** Extensions a verifier must know, or refuse. */
  readonly critical: readonly string[];
  /** `sha256` is hex; `size` in bytes. */
  readonly index: { readonly sha256: string; readonly size: number; readonly lines: number };
  /** Sizes of all files together. */
  readonly bytes: number;
};

type StatementJson = {
  readonly subject: readonly [{ readonly digest: { readonly sha256: string } }];
  readonly predicate: Omit<BundleStatement, 'index'> & {
    readonly index: { readonly size: number; readonly lines: number };
  };
};

/**
 * RFC 8785 bytes of the in-toto Statement v1 about `index.jsonl`; checked as {@link parseStatement} will.
 * @throws BundleError as there
 */
export function encodeStatement(statement: BundleStatement): Uint8Array {
  const { index, ...rest } = statement;
  const payload = encodeCanonicalJson({
    _type: STATEMENT_TYPE,
    subject: [{ name: INDEX_NAME, digest: { sha256: index.sha256 } }],
    predicateType: PREDICATE_TYPE,
    predicate: { ...rest, index: { size: index.size, lines: index.lines } },
  });
  parseStatement(payload);
  return payload;
}

/**
 * Parses the payload of a bundle's envelope: canonical JSON, exactly one subject, nothing unknown.
 * @throws BundleError (fault `untrusted`) KIND_UNKNOWN for a kind this version doesn't know, STATEMENT_MALFORMED for
 *   everything else
 */
export function parseStatement(payload: Uint8Array): BundleStatement {
  try {
    const json = parseCanonicalJson(payload, { maxBytes: MAX_ENVELOPE });
    assertKnownKind(json);
    const { subject, predicate } = validateSchema<StatementJson>(statementSchema, json);
    const { index, ...rest } = predicate;
    const statement = { ...rest, index: { sha256: subject[0].digest.sha256, size: index.size, lines: index.lines } };
    assertConsistent(statement);
    return statement;
  } catch (cause) {
    if (cause instanceof BundleError || !(cause instanceof DaemonEyeError)) throw cause;
    throw untrusted('STATEMENT_MALFORMED', `not a bundle statement: ${messageOf(cause)}`, cause);
  }
}

/** Before the schema: a bundle of a later version should be told apart from a broken one. */
function assertKnownKind(json: Json): void {
  if (!isJsonObject(json) || json['_type'] !== STATEMENT_TYPE || json['predicateType'] !== PREDICATE_TYPE) return;
  const predicate = json['predicate'];
  const kind = isJsonObject(predicate) ? predicate['kind'] : undefined;
  if (typeof kind !== 'string' || isBundleKind(kind)) return;
  throw untrusted(
    'KIND_UNKNOWN',
    `the bundle is of kind "${escapeForTerminal(kind.slice(0, 64))}", which this version does not know`,
  );
}

function assertConsistent({ channel, seq, prev, issuedAt, expires }: BundleStatement): void {
  // A channel becomes a directory on every machine that applies the bundle: `con` or `a.` would not be one on Windows.
  assertInstallPath(channel);
  if ((seq === 1) !== (prev === null)) {
    throw untrusted('STATEMENT_MALFORMED', 'not a bundle statement: prev is null exactly when seq is 1');
  }
  if (expires !== undefined && expires <= issuedAt) {
    throw untrusted('STATEMENT_MALFORMED', 'not a bundle statement: it expires no later than it was issued');
  }
}
