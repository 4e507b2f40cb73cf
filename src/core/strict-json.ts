import { decodeUtf8 } from './bytes.ts';
import { CoreError } from './errors.ts';

/** What strict JSON can hold: numbers are integers within ±(2^53 − 1). */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export type StrictJsonLimits = {
  /** Bytes; default 16 MiB. */
  readonly maxBytes?: number;
  /** Nested arrays and objects; default 64. */
  readonly maxDepth?: number;
  /**
   * `any` also takes fractions and exponents, rounded as every parser rounds them: for other people's documents, of which
   * only text is compared. Default `integers`.
   */
  readonly numbers?: 'integers' | 'any';
};

export const DEFAULT_LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 64 } as const;
const BOM = 0xfe_ff;

/**
 * Parses JSON (RFC 8259) the way signed documents need it: one reading only.
 *
 * Refused beyond the grammar: a BOM, malformed UTF-8, duplicate keys (which parser wins?), `__proto__`, lone
 * surrogates, depth over the limit, and numbers that are not plain integers within ±(2^53 − 1), because two parsers
 * may round them differently.
 *
 * @throws CoreError UTF8_MALFORMED, JSON_TOO_LARGE, JSON_BOM, JSON_SYNTAX, JSON_DUPLICATE_KEY, JSON_FORBIDDEN_KEY,
 *   JSON_LONE_SURROGATE, JSON_NUMBER or JSON_DEPTH
 */
export function parseStrictJson(bytes: Uint8Array, limits: StrictJsonLimits = {}): Json {
  const maxBytes = limits.maxBytes ?? DEFAULT_LIMITS.maxBytes;
  if (bytes.length > maxBytes) throw new CoreError('JSON_TOO_LARGE', `JSON of over ${maxBytes} bytes`);
  const text = decodeUtf8(bytes);
  if (text.charCodeAt(0) === BOM) throw new CoreError('JSON_BOM', 'JSON starts with a byte order mark');
  return new StrictJsonParser(text, limits.maxDepth ?? DEFAULT_LIMITS.maxDepth, limits.numbers === 'any').document();
}

/** As {@link parseStrictJson}, and the document must be an object. @throws CoreError as there, or JSON_SYNTAX */
export function parseStrictJsonObject(bytes: Uint8Array, limits: StrictJsonLimits = {}): JsonObject {
  const value = parseStrictJson(bytes, limits);
  if (!isJsonObject(value)) throw new CoreError('JSON_SYNTAX', 'expected a JSON object');
  return value;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// A string without escapes: anything but quote, backslash and controls (RFC 8259 section 7).
// biome-ignore lint/suspicious/noControlCharactersInRegex: raw control characters are what it must stop at
const PLAIN_STRING = /[^"\\\u0000-\u001f]*/y;
// Only integers; no sign on zero: `-0` has two readings and no JCS form.
const NUMBER = /-?(?:0|[1-9][0-9]*)/y;
const NUMBER_TAIL = /[.eE0-9+-]/;
const ANY_NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

class StrictJsonParser {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #anyNumber: boolean;
  #at = 0;

  constructor(text: string, maxDepth: number, anyNumber: boolean) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#anyNumber = anyNumber;
  }

  document(): Json {
    this.#space();
    const value = this.#value(0);
    this.#space();
    if (this.#at !== this.#text.length) throw this.#syntax('text after the document');
    return value;
  }

  #value(depth: number): Json {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#array(depth + 1);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    this.#enter(depth);
    // No prototype: a key such as "constructor" is then just a key.
    const object: { [key: string]: Json } = Object.create(null);
    if (this.#closes('}')) return object;
    for (;;) {
      if (this.#text[this.#at] !== '"') throw this.#syntax('expected a key');
      const key = this.#string();
      if (key === '__proto__') throw new CoreError('JSON_FORBIDDEN_KEY', 'JSON has a key "__proto__"');
      if (Object.hasOwn(object, key)) {
        throw new CoreError('JSON_DUPLICATE_KEY', `JSON has the key ${JSON.stringify(key)} twice in one object`);
      }
      this.#space();
      this.#expect(':');
      this.#space();
      object[key] = this.#value(depth);
      if (this.#ends('}')) return object;
    }
  }

  #array(depth: number): Json[] {
    this.#enter(depth);
    const array: Json[] = [];
    if (this.#closes(']')) return array;
    for (;;) {
      array.push(this.#value(depth));
      if (this.#ends(']')) return array;
    }
  }

  #enter(depth: number): void {
    if (depth > this.#maxDepth) throw new CoreError('JSON_DEPTH', `JSON nested deeper than ${this.#maxDepth}`);
    this.#at += 1;
    this.#space();
  }

  /** An empty container. */
  #closes(bracket: string): boolean {
    if (this.#text[this.#at] !== bracket) return false;
    this.#at += 1;
    return true;
  }

  /** After a member: true at the closing bracket, false after a comma. */
  #ends(bracket: string): boolean {
    this.#space();
    if (this.#closes(bracket)) return true;
    this.#expect(',');
    this.#space();
    return false;
  }

  #string(): string {
    const from = this.#at;
    this.#at += 1;
    for (;;) {
      PLAIN_STRING.lastIndex = this.#at;
      PLAIN_STRING.test(this.#text);
      this.#at = PLAIN_STRING.lastIndex;
      const next = this.#text[this.#at];
      if (next === '"') break;
      if (next !== '\\') throw this.#syntax('unfinished string or a raw control character in one');
      this.#at += 2;
    }
    this.#at += 1;
    const value = this.#unescape(this.#text.slice(from, this.#at));
    if (!value.isWellFormed()) throw new CoreError('JSON_LONE_SURROGATE', 'JSON has a string with a lone surrogate');
    return value;
  }

  /** The scan above found only where the literal ends; JSON.parse judges its escapes. */
  #unescape(literal: string): string {
    try {
      return JSON.parse(literal) as string;
    } catch {
      throw this.#syntax('bad escape in a string');
    }
  }

  #number(): number {
    const from = this.#at;
    const grammar = this.#anyNumber ? ANY_NUMBER : NUMBER;
    grammar.lastIndex = from;
    if (!grammar.test(this.#text)) throw this.#syntax('expected a value');
    this.#at = grammar.lastIndex;
    const literal = this.#text.slice(from, this.#at);
    const value = Number(literal);
    if (this.#anyNumber) {
      // What follows is the caller's to judge; infinity has no JSON.
      if (Number.isFinite(value) && !NUMBER_TAIL.test(this.#text[this.#at] ?? '')) return value;
      throw new CoreError('JSON_NUMBER', `JSON number at ${from} is malformed or too large`);
    }
    if (NUMBER_TAIL.test(this.#text[this.#at] ?? '') || !Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw new CoreError('JSON_NUMBER', `JSON number at ${from} is not a plain integer within ±(2^53 − 1)`);
    }
    return value;
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#syntax('expected a value');
    this.#at += word.length;
    return value;
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw this.#syntax(`expected '${character}'`);
    this.#at += 1;
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'end')) this.#at += 1;
  }

  #syntax(problem: string): CoreError {
    return new CoreError('JSON_SYNTAX', `not valid JSON: ${problem} at character ${this.#at}`);
  }
}
