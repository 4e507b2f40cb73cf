import { messageOf } from '../../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import type { Artifact } from '../method.ts';
import { IN_TOTO_PAYLOAD_TYPE } from './format.ts';

/** An in-toto statement, v0.1 or v1 (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md). */
export type Statement = {
  readonly predicateType: string;
  readonly predicate: JsonObject;
  readonly subjects: readonly Subject[];
};

export type Subject = { readonly name: string; readonly digests: Readonly<Record<string, string>> };

const STATEMENT_TYPES: readonly string[] = ['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1'];
/** Digests that are compared, and their length in hex. Weaker ones never bind anything. */
const STRONG = { sha256: 64, sha384: 96, sha512: 128 } as const;

/**
 * Reads the statement in a verified envelope.
 * @throws ReleaseError PAYLOAD_TYPE or STATEMENT_MALFORMED
 */
export function readStatement(payloadType: string, payload: Uint8Array): Statement {
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) {
    const said = escapeForTerminal(payloadType.slice(0, 200));
    throw new ReleaseError('PAYLOAD_TYPE', `the envelope holds ${said}, not an in-toto statement`);
  }
  try {
    return statementOf(parseStrictJsonObject(payload, { numbers: 'any' }));
  } catch (cause) {
    throw new ReleaseError('STATEMENT_MALFORMED', `not an in-toto statement: ${messageOf(cause)}`, { cause });
  }
}

function statementOf(json: JsonObject): Statement {
  const { _type: type, subject, predicateType, predicate } = json;
  if (typeof type !== 'string' || !STATEMENT_TYPES.includes(type)) throw new Error('its _type is unknown');
  if (typeof predicateType !== 'string' || predicateType === '') throw new Error('it has no predicateType');
  if (!Array.isArray(subject) || subject.length === 0) throw new Error('it has no subject');
  return {
    predicateType,
    predicate: isJsonObject(predicate) ? predicate : {},
    subjects: subject.map((entry: Json) => subjectOf(entry)),
  };
}

function subjectOf(entry: Json): Subject {
  if (!isJsonObject(entry) || !isJsonObject(entry['digest'])) throw new Error('a subject has no digest');
  const { name, digest } = entry;
  const digests = Object.entries(digest as JsonObject).map(([algorithm, value]) => {
    if (typeof value !== 'string') throw new Error(`the ${algorithm} digest of a subject is not text`);
    const length = STRONG[algorithm as keyof typeof STRONG];
    if (length !== undefined && !new RegExp(`^[0-9a-f]{${length}}$`).test(value)) {
      throw new Error(`a subject's ${algorithm} is not ${length} lower-case hex digits`);
    }
    return [algorithm, value] as const;
  });
  return { name: typeof name === 'string' ? name : '', digests: Object.fromEntries(digests) };
}

/**
 * The subject that is the artifact: every strong digest that it gives and that was computed is the artifact's, and there
 * is at least one. Names are not compared: files get renamed.
 * @throws ReleaseError SUBJECT_MISMATCH
 */
export function assertSubject({ subjects }: Statement, artifact: Artifact): Subject {
  const subject = subjects.find(({ digests }) => isArtifact(digests, artifact));
  if (subject !== undefined) return subject;
  const first = escapeForTerminal((subjects[0]?.name ?? '').slice(0, 200));
  const others = subjects.length > 1 ? ` and ${subjects.length - 1} more` : '';
  const message = `the attestation is about ${first}${others}, none of which has this artifact's digest`;
  throw new ReleaseError('SUBJECT_MISMATCH', message);
}

function isArtifact(digests: Subject['digests'], artifact: Artifact): boolean {
  const common = (Object.keys(STRONG) as (keyof typeof STRONG)[]).filter(
    (name) => Object.hasOwn(digests, name) && artifact.digests[name] !== undefined,
  );
  return common.length > 0 && common.every((name) => digests[name] === artifact.digests[name]);
}
