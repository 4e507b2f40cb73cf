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
  return plainCanonicalJson(value, DEFAULT_LIMITS.maxDepth) ?? spell(value);
}

function spell(value: unknown): string {
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
      return Array.isArray(value) ? `[${value.map(spell).join(',')}]` : canonicalObject(value);
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
    members.push(`${spell(key)}:${spell(member)}`);
  }
  return `{${members.join(',')}}`;
}

/**
 * The common case of {@link canonicalJson}, several times as fast by the engine's own JSON.stringify: that spells
 * strings and integers as section 3.2.2 asks, so only the order of keys, and what strict JSON can't hold, is left to
 * see to.
 * @param depth of nested arrays and objects at most
 * @returns undefined where it takes the slow way to spell the value, or to say why it can't be; never another text
 */
export function plainCanonicalJson(value: unknown, depth: number): string | undefined {
  const plain = ordered(value, depth);
  return plain === undefined ? undefined : JSON.stringify(plain);
}

/** The value, or a copy of it with its keys in order; undefined for what JSON.stringify would spell in its own way. */
function ordered(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : undefined;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object' || depth === 0) return undefined;
  return Array.isArray(value) ? orderedArray(value, depth) : orderedObject(value, depth);
}

function orderedArray(array: readonly unknown[], depth: number): unknown {
  if (Object.getPrototypeOf(array) !== Array.prototype || 'toJSON' in array) return undefined;
  let copy: unknown[] | undefined;
  for (let i = 0; i < array.length; i += 1) {
    const member = ordered(array[i], depth - 1);
    if (member === undefined) return undefined;
    if (copy === undefined && member !== array[i]) copy = array.slice();
    if (copy !== undefined) copy[i] = member;
  }
  return copy ?? array;
}

function orderedObject(object: object, depth: number): unknown {
  const prototype: unknown = Object.getPrototypeOf(object);
  // Anything else (a Date, a Map) has a spelling of its own.
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  const members = object as Readonly<Record<string, unknown>>;
  const keys = Object.keys(object);
  let inOrder = true;
  let last: string | undefined;
  for (const key of keys) {
    if (key === '__proto__' || key === 'toJSON' || !key.isWellFormed()) return undefined;
    inOrder &&= last === undefined || last < key;
    last = key;
  }
  // Keys that look like an index stand first in any object, whatever the order they were set in.
  if (!inOrder && keys.sort().some(looksLikeIndex)) return undefined;
  let copy: Record<string, unknown> | undefined = inOrder ? undefined : {};
  for (const key of keys) {
    const member = members[key];
    const plain = member === undefined ? undefined : ordered(member, depth - 1);
    if (plain === undefined && member !== undefined) return undefined;
    if (copy === undefined && plain !== member) copy = { ...members };
    if (copy !== undefined) copy[key] = plain;
  }
  return copy ?? object;
}

function looksLikeIndex(key: string): boolean {
  const code = key.charCodeAt(0);
  return code >= 0x30 && code <= 0x39;
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
