const NUMBERED = /^(.*)\.([0-9]{3,4})$/s;

/** Where volume `number` of a set lies. */
export function volumeName(prefix: string, number: number): string {
  return `${prefix}.${String(number).padStart(3, '0')}`;
}

/**
 * The names of volumes that nobody gave. Volumes carry no number inside: it is concluded from the names of the others,
 * and from blobs being laid out in the order of their digests.
 * @param volumes names, and the blobs in each, or undefined when it is damaged @param lacking blobs that are in none
 * @returns names, such as `linux.tar.003`; the last may stand for more than one
 */
export function missingVolumes(
  volumes: ReadonlyMap<string, readonly string[] | undefined>,
  lacking: readonly string[],
): readonly string[] {
  const last = lastOf([...volumes.keys()]);
  const atEnd = last === undefined ? undefined : volumes.get(last)?.toSorted();
  const isCutOff = atEnd !== undefined && lacking.some((sha256) => sha256 > (atEnd.at(-1) ?? ''));
  return lacking.length === 0 ? [] : namesBetween([...volumes.keys()], isCutOff);
}

/**
 * The names that are missing in a row of them; none where these are not names of one set.
 * @param isCutOff whether it does not end with the last of them; then the last that is returned may stand for more than one
 */
export function namesBetween(names: readonly string[], isCutOff: boolean): readonly string[] {
  const known = names.flatMap((name) => numberedName(name) ?? []);
  const [first] = known;
  if (first === undefined || known.some(({ prefix }) => prefix !== first.prefix)) return [];
  const present = new Set(known.map(({ number }) => number));
  const last = Math.max(...present);
  const gaps = Array.from({ length: Math.max(0, last - 1) }, (_, i) => i + 1).filter((number) => !present.has(number));
  return (isCutOff ? [...gaps, last + 1] : gaps).map((number) => volumeName(first.prefix, number));
}

function lastOf(names: readonly string[]): string | undefined {
  const numbered = names.flatMap((name) => {
    const known = numberedName(name);
    return known === undefined ? [] : [{ name, number: known.number }];
  });
  return numbered.sort((a, b) => b.number - a.number)[0]?.name;
}

function numberedName(name: string): { readonly prefix: string; readonly number: number } | undefined {
  const [, prefix, digits] = NUMBERED.exec(name) ?? [];
  return prefix === undefined ? undefined : { prefix, number: Number(digits) };
}
