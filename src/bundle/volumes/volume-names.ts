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
  const known = [...volumes].flatMap(([name, blobs]) => {
    const [, prefix, digits] = NUMBERED.exec(name) ?? [];
    return prefix === undefined ? [] : [{ prefix, number: Number(digits), blobs }];
  });
  const [first] = known;
  if (lacking.length === 0 || first === undefined || known.some(({ prefix }) => prefix !== first.prefix)) return [];
  const present = new Set(known.map(({ number }) => number));
  const last = Math.max(...present);
  const gaps = Array.from({ length: last - 1 }, (_, i) => i + 1).filter((number) => !present.has(number));
  const atEnd = known.find(({ number }) => number === last)?.blobs?.toSorted();
  const isCutOff = atEnd !== undefined && lacking.some((sha256) => sha256 > (atEnd.at(-1) ?? ''));
  return (isCutOff ? [...gaps, last + 1] : gaps).map((number) => volumeName(first.prefix, number));
}
