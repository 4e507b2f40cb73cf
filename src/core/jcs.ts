import { decodeUtf8, equalBytes, utf8 } from './bytes.ts';
import { CoreError } from './errors.ts';
import { DEFAULT_LIMITS, type Json, type JsonObject, parseStrictJson, type StrictJsonLimits } from './strict-json.ts';

/**
 * RFC 8785 (JCS) text of a value: keys sorted by UTF-16 code units (section 3.2.3), no white space, ECMAScript string
 * escaping (section 3.2.2.2). Numbers must be integers within ±(2^53 − 1), for which section 3.2.2.3 is plain decimal.
 * Members that are `undefined` are left out.
 * @throws CoreError JSON_NOT_REPRESENTABLE for anything strict JSON can't hold
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw notRepresentable('a lone surrogate');
      return JSON.stringify(value);
    case 'number':
      if (!Number.isSafeInteger(value)) throw notRepresentable(`the number ${value}`);
      return Object.is(value, -0) ? '0' : String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? `[${value.map(canonicalJson).join(',')}]` : canonicalObject(value);
    default:
      throw notRepresentable(`a ${typeof value}`);
  }
}

function canonicalObject(object: object): string {
  const members: string[] = [];
  // Array.prototype.sort without a comparator orders by UTF-16 code units, as section 3.2.3 asks.
  for (const key of Object.keys(object).sort()) {
    const member = (object as Record<string, unknown>)[key];
    if (member === undefined) continue;
    if (key === '__proto__') throw notRepresentable('a key "__proto__"');
    members.push(`${canonicalJson(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(',')}}`;
}

/** UTF-8 bytes of {@link canonicalJson}. */
export function encodeCanonicalJson(value: unknown): Uint8Array {
  return utf8(canonicalJson(value));
}

/**
 * Strict JSON that must already be in canonical form.
 * @throws CoreError as `parseStrictJson`, or JSON_NOT_CANONICAL
 */
export function parseCanonicalJson(bytes: Uint8Array, limits: StrictJsonLimits = {}): Json {
  const fast = parseFast(bytes, limits);
  if (fast !== undefined) return fast;
  const value = parseStrictJson(bytes, limits);
  if (!equalBytes(encodeCanonicalJson(value), bytes)) {
    throw new CoreError('JSON_NOT_CANONICAL', 'the JSON is not in RFC 8785 canonical form');
  }
  return value;
}

/** The most that is tried: a line of a log. Of hostile megabytes, the strict parser reads no more than it must. */
const MAX_FAST_BYTES = 65_536;

/**
 * The common case, three times as fast by the engine's own parser: text that it writes back character by character the
 * same. That alone leaves no room for white space, a second key of one name, other escapes than ECMAScript's, or
 * another spelling of a number. What it can't tell is asked beside: the order of keys, `__proto__`, numbers that are no
 * plain integers, depth, and lone surrogates (which are escaped the same way back).
 * @returns undefined where the strict parser has to decide, or to say what is wrong; it accepts nothing that is refused there
 */
function parseFast(bytes: Uint8Array, limits: StrictJsonLimits): Json | undefined {
  if (bytes.length > Math.min(MAX_FAST_BYTES, limits.maxBytes ?? DEFAULT_LIMITS.maxBytes)) return undefined;
  const text = decodeUtf8(bytes);
  if (text.includes('\\ud')) return undefined;
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  return isStrict(value, limits.maxDepth ?? DEFAULT_LIMITS.maxDepth) && JSON.stringify(value) === text
    ? value
    : undefined;
}

/**
 * Takes the prototype off every object on its way, as the strict parser makes them: a key such as "constructor" is
 * then just a key.
 */
function isStrict(value: Json, depth: number): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((member: Json) => isStrict(member, depth - 1));
  let last: string | undefined;
  for (const key of Object.keys(value)) {
    if (key === '__proto__' || (last !== undefined && last >= key)) return false;
    if (!isStrict((value as JsonObject)[key] as Json, depth - 1)) return false;
    last = key;
  }
  Object.setPrototypeOf(value, null);
  return true;
}

function notRepresentable(what: string): CoreError {
  return new CoreError('JSON_NOT_REPRESENTABLE', `strict JSON can't hold ${what}`);
}
