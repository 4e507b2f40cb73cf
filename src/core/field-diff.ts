/** null: nothing is said of it. */
export type FieldValue = string | number | readonly string[] | null;
export type Fields = { readonly [field: string]: FieldValue };
export type FieldChange = { readonly field: string; readonly before: FieldValue; readonly after: FieldValue };

/** The fields that differ, in the order of the first record's names, then those only the second has. */
export function diffFields(before: Fields, after: Fields): readonly FieldChange[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((field) => ({ field, before: before[field] ?? null, after: after[field] ?? null }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
}
