import type { ClockedLine } from './clock.ts';

/** What a pass along a log needs of an unsigned line. */
export type ScannedLine = ClockedLine & { readonly seq: number; readonly kid?: undefined };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** Strict JSON stops at 64; `data` is the second level. */
const MAX_DEPTH = 64;
const DATA_LEVEL = 2;
const MAX_ACTOR_ID = 256;
const MAX_BOOT = 64;
const MAX_TYPE = 64;
/** Integers of more digits may pass 2^53. */
const MAX_DIGITS = 15;
/** Names that a log repeats (types, boots) are few; the rest are made anew each time. */
const MAX_NAMES = 256;

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const setOf = (text: string): Uint8Array => {
  const set = new Uint8Array(256);
  for (const code of ascii(text)) set[code] = 1;
  return set;
};

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const ALPHANUMERIC = `${LOWER}${LOWER.toUpperCase()}0123456789`;
const BASE64 = setOf(`${ALPHANUMERIC}+/`);
const BASE64_LAST = setOf('AQgw');
const BOOT = setOf(`${ALPHANUMERIC}._-`);
const ESCAPES = setOf('"\\bfnrt');
/** What stands for itself in a string: ASCII but quote, backslash, controls and DEL. */
const PLAIN = setOf('');
for (let code = 0x20; code < 0x7f; code += 1) PLAIN[code] = code === QUOTE || code === BACKSLASH ? 0 : 1;
const TYPE = setOf(`${LOWER}.-`);
const TYPE_FORM = /^[a-z][a-z-]*(?:\.[a-z][a-z-]*)+$/;
const HEX = ascii('0123456789abcdef');

const ACTOR_ID = ascii('{"actor":{"id":"');
const ACTOR_TYPE = ascii(',"type":"');
const ACTORS = ['host"}', 'operator"}', 'process"}'].map(ascii);
const BOOT_KEY = ascii(',"boot":"');
const DATA_KEY = ascii(',"data":');
const MONO_KEY = ascii(',"mono":');
const NONCE_KEY = ascii(',"n":"');
const NONCE_DIGITS = 21;
const NONCE_END = ascii('=="');
const PREV_KEY = ascii(',"prev":"');
const SEQ_KEY = ascii('","seq":');
const TS_KEY = ascii(',"ts":');
const TYPE_KEY = ascii(',"type":"');
const VERSION = ascii(',"v":1}');
const TRUE = ascii('true');
const FALSE = ascii('false');
const NULL = ascii('null');
const PROTO = ascii('__proto__');

/**
 * Reads unsigned lines of plain ASCII where they lie, without building anything: several times as fast as parsing them.
 * It says yes only to what `parseLine` accepts, and then with the same values; anything else is for `parseLine` to
 * judge, and a no here means nothing.
 */
export class LineScanner {
  readonly #names = new Map<number, { readonly bytes: Uint8Array; readonly text: string }>();
  readonly #types = new Set<string>();
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;

  /**
   * @param prev where the line attaches: the hash that its `prev` must name
   * @param prevName the name of that hash and a colon, as ASCII
   * @returns undefined where the line has to be parsed
   */
  scan(bytes: Uint8Array, prevName: Uint8Array, prev: Uint8Array): ScannedLine | undefined {
    this.#bytes = bytes;
    this.#at = 0;
    if (!this.#literal(ACTOR_ID)) return undefined;
    const id = this.#at;
    if (!this.#string() || this.#at - 1 === id || this.#at - 1 - id > MAX_ACTOR_ID) return undefined;
    if (!this.#literal(ACTOR_TYPE) || !ACTORS.some((actor) => this.#literal(actor))) return undefined;
    if (!this.#literal(BOOT_KEY)) return undefined;
    const boot = this.#name(BOOT, MAX_BOOT);
    if (boot === undefined || !this.#literal(DATA_KEY)) return undefined;
    if (bytes[this.#at] !== OPEN_BRACE || !this.#value(DATA_LEVEL) || !this.#literal(MONO_KEY)) return undefined;
    const mono = this.#count();
    if (mono < 0 || !this.#nonce() || !this.#literal(PREV_KEY)) return undefined;
    if (!this.#literal(prevName) || !this.#hex(prev) || !this.#literal(SEQ_KEY)) return undefined;
    const seq = this.#count();
    if (seq < 0 || !this.#literal(TS_KEY)) return undefined;
    const ts = this.#count();
    if (ts < 0 || !this.#literal(TYPE_KEY)) return undefined;
    const type = this.#type();
    if (type === undefined || !this.#literal(VERSION) || this.#at !== bytes.length) return undefined;
    return { seq, ts, mono, boot, type };
  }

  #literal(literal: Uint8Array): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    const { length } = literal;
    for (let i = 0; i < length; i += 1) if (bytes[at + i] !== literal[i]) return false;
    this.#at = at + length;
    return true;
  }

  #hex(hash: Uint8Array): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < hash.length; i += 1) {
      const byte = hash[i] as number;
      if (bytes[at] !== HEX[byte >> 4] || bytes[at + 1] !== HEX[byte & 15]) return false;
      at += 2;
    }
    this.#at = at;
    return true;
  }

  #nonce(): boolean {
    if (!this.#literal(NONCE_KEY)) return false;
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < NONCE_DIGITS; i += 1) if (BASE64[bytes[at + i] ?? 0] !== 1) return false;
    if (BASE64_LAST[bytes[at + NONCE_DIGITS] ?? 0] !== 1) return false;
    this.#at = at + NONCE_DIGITS + 1;
    return this.#literal(NONCE_END);
  }

  /** The rest of a string, with its closing quote. */
  #string(): boolean {
    const bytes = this.#bytes;
    for (let at = this.#at; at < bytes.length; at += 1) {
      const code = bytes[at] as number;
      if (PLAIN[code] === 1) continue;
      if (code === QUOTE) {
        this.#at = at + 1;
        return true;
      }
      at += 1;
      if (code !== BACKSLASH || ESCAPES[bytes[at] ?? 0] !== 1) return false;
    }
    return false;
  }

  /** As {@link #string}, of characters of one set, 1 to `most` of them. */
  #name(set: Uint8Array, most: number): string | undefined {
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    let sum = 0;
    let code = bytes[at] ?? 0;
    while (set[code] === 1) {
      sum = (Math.imul(sum, 31) + code) | 0;
      at += 1;
      code = bytes[at] ?? 0;
    }
    const length = at - from;
    if (code !== QUOTE || length === 0 || length > most) return undefined;
    this.#at = at + 1;
    return this.#text(from, length, sum);
  }

  #text(from: number, length: number, sum: number): string {
    const known = this.#names.get(sum);
    if (known !== undefined && known.bytes.length === length && this.#holds(from, known.bytes)) return known.text;
    const bytes = this.#bytes.slice(from, from + length);
    const text = String.fromCharCode(...bytes);
    if (known === undefined && this.#names.size < MAX_NAMES) this.#names.set(sum, { bytes, text });
    return text;
  }

  #holds(from: number, expected: Uint8Array): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < expected.length; i += 1) if (bytes[from + i] !== expected[i]) return false;
    return true;
  }

  /** Words of lower-case letters and dashes, each beginning with a letter, joined by dots; two words at least. */
  #type(): string | undefined {
    const type = this.#name(TYPE, MAX_TYPE);
    return type !== undefined && (this.#types.has(type) || this.#learn(type)) ? type : undefined;
  }

  #learn(type: string): boolean {
    if (!TYPE_FORM.test(type)) return false;
    if (this.#types.size < MAX_NAMES) this.#types.add(type);
    return true;
  }

  /** @returns −1 for anything but a plain count */
  #count(): number {
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    let value = 0;
    let code = bytes[at] ?? 0;
    while (code >= ZERO && code <= NINE) {
      value = value * 10 + (code - ZERO);
      at += 1;
      code = bytes[at] ?? 0;
    }
    this.#at = at;
    const digits = at - from;
    if (digits === 0 || digits > MAX_DIGITS || (digits > 1 && bytes[from] === ZERO)) return -1;
    return value;
  }

  #value(depth: number): boolean {
    const code = this.#bytes[this.#at] ?? 0;
    switch (code) {
      case QUOTE:
        this.#at += 1;
        return this.#string();
      case OPEN_BRACE:
        return depth <= MAX_DEPTH && this.#object(depth);
      case OPEN_BRACKET:
        return depth <= MAX_DEPTH && this.#array(depth);
      case TRUE[0]:
        return this.#literal(TRUE);
      case FALSE[0]:
        return this.#literal(FALSE);
      case NULL[0]:
        return this.#literal(NULL);
      case MINUS:
        this.#at += 1;
        return this.#bytes[this.#at] !== ZERO && this.#count() > 0;
      default:
        return this.#count() >= 0;
    }
  }

  #object(depth: number): boolean {
    this.#at += 1;
    if (this.#bytes[this.#at] === CLOSE_BRACE) {
      this.#at += 1;
      return true;
    }
    let lastFrom = -1;
    let lastTo = -1;
    for (;;) {
      if (this.#bytes[this.#at] !== QUOTE) return false;
      const from = this.#at + 1;
      const to = this.#keyEnd(from);
      if (to < 0 || (lastFrom >= 0 && !this.#isBefore(lastFrom, lastTo, from, to))) return false;
      if (to - from === PROTO.length && this.#holds(from, PROTO)) return false;
      lastFrom = from;
      lastTo = to;
      if (this.#bytes[to + 1] !== COLON) return false;
      this.#at = to + 2;
      if (!this.#value(depth + 1)) return false;
      const next = this.#bytes[this.#at];
      this.#at += 1;
      if (next === CLOSE_BRACE) return true;
      if (next !== COMMA) return false;
    }
  }

  /** Where a key's closing quote stands; −1 for keys with anything but plain characters, whose order is not that of their bytes. */
  #keyEnd(from: number): number {
    let at = from;
    while (PLAIN[this.#bytes[at] ?? 0] === 1) at += 1;
    return this.#bytes[at] === QUOTE ? at : -1;
  }

  #isBefore(aFrom: number, aTo: number, bFrom: number, bTo: number): boolean {
    const both = Math.min(aTo - aFrom, bTo - bFrom);
    for (let i = 0; i < both; i += 1) {
      const difference = (this.#bytes[aFrom + i] as number) - (this.#bytes[bFrom + i] as number);
      if (difference !== 0) return difference < 0;
    }
    return aTo - aFrom < bTo - bFrom;
  }

  #array(depth: number): boolean {
    this.#at += 1;
    if (this.#bytes[this.#at] === CLOSE_BRACKET) {
      this.#at += 1;
      return true;
    }
    for (;;) {
      if (!this.#value(depth + 1)) return false;
      const next = this.#bytes[this.#at];
      this.#at += 1;
      if (next === CLOSE_BRACKET) return true;
      if (next !== COMMA) return false;
    }
  }
}
