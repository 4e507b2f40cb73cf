/** Values in a certificate or timestamp: real ones have some hundred. */
export const MAX_DER_STEPS = 5000;

/** As the library: deeper is an error there. */
const MAX_DEPTH = 100;
const OCTET_STRING = 0x04;
const CONSTRUCTED = 0x20;

/**
 * Whether the library would read these bytes in a reasonable number of steps. It tries every octet string for DER, and what
 * is in that again, a hundred levels deep, each failure with a stack trace: some hundred kilobytes of the right bytes keep
 * it busy for a minute, and a bundle may have sixteen megabytes. {@link derSteps} takes the same steps, and nothing from them.
 */
export function isReadInSteps(der: Uint8Array): boolean {
  return derSteps(der) <= MAX_DER_STEPS;
}

/** @returns how many values the library reads, or tries to, at most; one more than the most if that is too many */
export function derSteps(der: Uint8Array): number {
  let steps = 0;
  /** @returns where the value ends; undefined where it is none, or the steps are used up */
  const readValue = (at: number, depth: number): number | undefined => {
    steps += 1;
    if (depth > MAX_DEPTH || steps > MAX_DER_STEPS) return undefined;
    const tag = der[at] ?? 0;
    const start = startOf(at);
    const end = start === undefined ? undefined : start + lengthAt(der, at);
    if (start === undefined || end === undefined || end > der.length) return undefined;
    if ((tag & CONSTRUCTED) !== 0) return readAll(start, end, depth);
    if (tag === OCTET_STRING) readAll(start, end, depth);
    return end;
  };
  const readAll = (start: number, end: number, depth: number): number | undefined => {
    let at: number | undefined = start;
    while (at !== undefined && at < end) at = readValue(at, depth + 1);
    return at === end ? end : undefined;
  };
  /** Where the content of a value starts; undefined for a length of a form that the library doesn't take. */
  const startOf = (at: number): number | undefined => {
    const length = der[at + 1];
    if (length === undefined) return undefined;
    const more = length < 0x80 ? 0 : length & 0x7f;
    return more > 6 || at + 2 + more > der.length ? undefined : at + 2 + more;
  };
  readValue(0, 0);
  return Math.min(steps, MAX_DER_STEPS + 1);
}

function lengthAt(der: Uint8Array, at: number): number {
  const first = der[at + 1] ?? 0;
  if (first < 0x80) return first;
  return der.slice(at + 2, at + 2 + (first & 0x7f)).reduce((length, byte) => length * 256 + byte, 0);
}
