import type { Malformed } from '../text.ts';

export type Field = {
  readonly name: string;
  readonly value: string;
  /** The lines after the first, each without the space it starts with. */
  readonly more: readonly string[];
  /** Of the first line, in the file. */
  readonly line: number;
};

const FIELD = /^([!-,.-9;-~][!-9;-~]*):[ \t]*(.*)$/;

/**
 * One paragraph of a control file (deb822(5)): no comments, no empty line, no field twice in whatever case.
 * @param first the number of its first line
 * @returns the fields by their names in lower case
 */
export function parseParagraph(
  lines: readonly string[],
  first: number,
  malformed: Malformed,
): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field & { readonly more: string[] }>();
  let current: string[] | undefined;
  for (const [i, line] of lines.entries()) {
    if (/^[ \t]/.test(line)) {
      if (current === undefined) throw malformed(`line ${first + i} continues no field`);
      current.push(line.slice(1));
      continue;
    }
    const [, name = '', value = ''] = FIELD.exec(line) ?? [];
    if (name === '' || name.startsWith('#')) throw malformed(`line ${first + i} is no "Name: value"`);
    const key = name.toLowerCase();
    // Readers differ in which of two they take.
    if (fields.has(key)) throw malformed(`line ${first + i} has a field that is there already`);
    current = [];
    fields.set(key, { name, value: value.trimEnd(), more: current, line: first + i });
  }
  return fields;
}
