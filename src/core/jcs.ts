import { equalBytes, utf8 } from './bytes.ts';
import { CoreError } from './errors.ts';
import { type Json, parseStrictJson, type StrictJsonLimits } from './strict-json.ts';

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
  const value = parseStrictJson(bytes, limits);
  if (!equalBytes(encodeCanonicalJson(value), bytes)) {
    throw new CoreError('JSON_NOT_CANONICAL', 'the JSON is not in RFC 8785 canonical form');
  }
  return value;
}

function notRepresentable(what: string): CoreError {
  return new CoreError('JSON_NOT_REPRESENTABLE', `strict JSON can't hold ${what}`);
}
