import { diffFields, type FieldChange, type Fields, type FieldValue } from '../core/field-diff.ts';
import type { Attestation } from './attestations.ts';
import type { IndexEntry } from './index-lines.ts';

/** What two indexes demand differently of one signature over one file. */
export type AttestationChange = {
  /** Of the file. */
  readonly path: string;
  /** Of its signature. */
  readonly material: string;
  /** All of `before` is null where only the second demands it, all of `after` where only the first did. */
  readonly fields: readonly FieldChange[];
};

/**
 * Whom third-party signatures must be of, as two indexes say it: in the order of the files' paths, then of the signatures'.
 * A demand that was dropped changes no byte of the file it was about, so nothing else would tell.
 */
export function diffAttestations(
  before: readonly IndexEntry[],
  after: readonly IndexEntry[],
): readonly AttestationChange[] {
  const [old, now] = [demandsOf(before), demandsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((key) => {
    const fields = diffFields(old.get(key) ?? {}, now.get(key) ?? {});
    const [path = '', material = ''] = key.split('\0');
    return fields.length === 0 ? [] : [{ path, material, fields }];
  });
}

/** No path has a NUL. */
function demandsOf(entries: readonly IndexEntry[]): ReadonlyMap<string, Fields> {
  return new Map(
    entries.flatMap(({ path, attestations = [] }) =>
      attestations.map((attestation) => [`${path}\0${attestation.material}`, fieldsOf(attestation)] as const),
    ),
  );
}

/** Each demand by its name; those of a policy as `policy.source`. */
function fieldsOf({ material: _, ...demands }: Attestation): Fields {
  return Object.fromEntries(
    Object.entries(demands).flatMap(([name, value]): (readonly [string, FieldValue])[] => {
      if (typeof value === 'string') return [[name, value]];
      return Object.entries(value).map(([field, wanted]) => [`${name}.${field}`, plain(wanted)]);
    }),
  );
}

function plain(value: unknown): FieldValue {
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
}
