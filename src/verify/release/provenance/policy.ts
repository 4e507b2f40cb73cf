import policySchema from '../../../../schemas/release-policy.schema.json' with { type: 'json' };
import { messageOf } from '../../../core/errors.ts';
import { validateSchema } from '../../../core/schema.ts';
import { parseStrictJsonObject } from '../../../core/strict-json.ts';
import { ReleaseError } from '../errors.ts';

/** What provenance must say (schemas/release-policy.schema.json). Every field that is given must be met. */
export type ReleasePolicy = {
  readonly builder?: string;
  readonly source?: string;
  readonly ref?: string;
  readonly commit?: string;
  readonly workflow?: string;
  readonly buildType?: string;
  readonly threshold?: number;
};

/** The fields that a provenance answers, in the order they are told. */
export const POLICY_FIELDS = ['builder', 'source', 'ref', 'commit', 'workflow', 'buildType'] as const;
export type PolicyField = (typeof POLICY_FIELDS)[number];

const MAX_POLICY_BYTES = 64 * 1024;

/**
 * Reads a policy file. A misspelt field would be a demand that is silently dropped, so unknown ones are refused, and so is
 * a policy that demands nothing of the build.
 * @throws ReleaseError POLICY_MALFORMED (usage: the file is the caller's own)
 */
export function readPolicy(bytes: Uint8Array): ReleasePolicy {
  try {
    const json = parseStrictJsonObject(bytes, { maxBytes: MAX_POLICY_BYTES });
    const policy = validateSchema<ReleasePolicy>(policySchema, json);
    if (!POLICY_FIELDS.some((field) => policy[field] !== undefined)) throw new Error('it demands nothing of the build');
    return policy;
  } catch (cause) {
    const message = `not a release policy: ${messageOf(cause)}`;
    throw new ReleaseError('POLICY_MALFORMED', message, { cause, fault: 'usage' });
  }
}
