import { encodeBase64 } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import { canonicalJson, encodeCanonicalJson, parseCanonicalJson, plainCanonicalJson } from '../core/jcs.ts';
import { type KeyId, type PrivateKey, signWithKey } from '../core/keys.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/strict-json.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { LedgerError } from './errors.ts';
import { LINE_VERSION, MAX_LINE_BYTES, NONCE_BYTES } from './format.ts';

/** On whose behalf a line was written: the machine itself, a person, or a program. */
export type Actor = { readonly type: 'host' | 'operator' | 'process'; readonly id: string };

/** One line of a log: the frame. What `data` holds for each `type` is the business of schemas/event.schema.json. */
export type Line = {
  readonly actor: Actor;
  /** Which run of the machine `mono` counts in. */
  readonly boot: string;
  readonly data: JsonObject;
  /** Microseconds since boot. */
  readonly mono: number;
  /** Base64 of 16 random bytes: without it a withheld line could be guessed from its hash. */
  readonly n: string;
  /** The previous line's leaf hash; line 0's is the digest of the genesis payload. */
  readonly prev: Digest;
  readonly seq: number;
  /** Unix milliseconds. */
  readonly ts: number;
  readonly type: string;
  readonly v: 1;
  /** Both or neither: the key that signed the line, and base64 of its signature over the line without `sig`. */
  readonly kid?: KeyId;
  readonly sig?: string;
};

const REQUIRED = 'actor boot data mono n prev seq ts type v';
const SIGNED = 'actor boot data kid mono n prev seq sig ts type v';
const ACTOR_TYPES: readonly unknown[] = ['host', 'operator', 'process'];
const MAX_ACTOR_ID = 256;
const BOOT = /^[A-Za-z0-9._-]{1,64}$/;
const TYPE = /^[a-z][a-z-]*(?:\.[a-z][a-z-]*)+$/;
const MAX_TYPE = 64;
/** Canonical base64 of 16 bytes: the last digit before the padding has its low four bits zero (RFC 4648 section 3.5). */
const NONCE = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const DIGEST = /^(?:sha256|blake3):[0-9a-f]{64}$/;
const KEYID = /^[0-9a-f]{64}$/;
/** 64 bytes in base64. */
const SIGNATURE = /^[A-Za-z0-9+/]{86}==$/;
/** Strict JSON stops at 64; the line itself is one. */
const MAX_DATA_DEPTH = 63;

/**
 * The bytes of a line, without its newline: RFC 8785. What it returns, {@link parseLine} accepts.
 * @throws LedgerError LINE_MALFORMED or LINE_TOO_LONG (over 65,535 bytes)
 */
export function encodeLine(line: Line): Uint8Array {
  assertLine(line);
  assertPlainData(line.data, MAX_DATA_DEPTH);
  const bytes = encode(line);
  if (bytes.length > MAX_LINE_BYTES) throw tooLong(bytes.length);
  return bytes;
}

/** The text of a line's `data`. @throws LedgerError LINE_MALFORMED */
export function dataText(data: JsonObject): string {
  if (!isJsonObject(data)) throw malformed('data is not an object');
  const plain = plainCanonicalJson(data, MAX_DATA_DEPTH);
  if (plain !== undefined) return plain;
  assertPlainData(data, MAX_DATA_DEPTH);
  return orMalformed(() => canonicalJson(data));
}

/** The text of a line's `actor`. @throws LedgerError LINE_MALFORMED */
export function actorText(actor: Actor): string {
  if (!isActor(actor)) throw malformed('actor is not {id, type}');
  return orMalformed(() => canonicalJson(actor));
}

/** @throws LedgerError LINE_MALFORMED */
export function assertType(type: unknown): void {
  if (!isText(type, TYPE) || type.length > MAX_TYPE) throw malformed('type is not of the form noun.verb');
}

/** @throws LedgerError LINE_MALFORMED */
export function assertBoot(boot: unknown): void {
  if (!isText(boot, BOOT)) throw malformed('boot is not a boot id');
}

/** @throws LedgerError LINE_MALFORMED */
export function assertMoment({ ts, mono }: { readonly ts?: unknown; readonly mono?: unknown }): void {
  if (!isCount(ts)) throw malformed('ts is not Unix milliseconds');
  if (!isCount(mono)) throw malformed('mono is not microseconds since boot');
}

/** The same line with `kid` and `sig`. @throws LedgerError LINE_MALFORMED */
export function signLine(line: Line, signer: PrivateKey): Line {
  const unsigned = { ...line, kid: signer.publicKey.keyid };
  return { ...unsigned, sig: encodeBase64(signWithKey(signer, signedLineBytes(unsigned))) };
}

/**
 * What a line's signature covers: the line without `sig`, and with `kid`. It starts with `{`, so it can't be mistaken
 * for an envelope ("DSSEv1 …") or a checkpoint (an origin) signed by the same key.
 * @throws LedgerError LINE_MALFORMED
 */
export function signedLineBytes(line: Line): Uint8Array {
  const { sig: _, ...unsigned } = line;
  return encode(unsigned);
}

function encode(line: Line): Uint8Array {
  return orMalformed(() => encodeCanonicalJson(line));
}

function orMalformed<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw malformed(escapeForTerminal(messageOf(cause)), cause);
  }
}

/**
 * Parses a line, given without its newline: strict JSON, already canonical, exactly the fields of a line.
 * @throws LedgerError LINE_MALFORMED or LINE_TOO_LONG
 */
export function parseLine(bytes: Uint8Array): Line {
  if (bytes.length > MAX_LINE_BYTES) throw tooLong(bytes.length);
  return assertLine(parseJson(bytes));
}

function parseJson(bytes: Uint8Array): Json {
  try {
    return parseCanonicalJson(bytes, { maxBytes: MAX_LINE_BYTES });
  } catch (cause) {
    throw malformed(escapeForTerminal(messageOf(cause)), cause);
  }
}

/** @throws LedgerError LINE_MALFORMED naming the first field that is wrong */
function assertLine(value: Json | Line): Line {
  if (!isJsonObject(value as Json)) throw malformed('it is not an object');
  const line = value as { readonly [Field in keyof Line]?: unknown };
  const fields = Object.keys(line).sort().join(' ');
  if (fields !== REQUIRED && fields !== SIGNED)
    throw malformed(`its fields are not ${REQUIRED}, with or without kid sig`);
  if (line.v !== LINE_VERSION) throw malformed('v is not 1');
  if (!isCount(line.seq)) throw malformed('seq is not a count');
  assertMoment(line);
  assertType(line.type);
  assertBoot(line.boot);
  if (!isActor(line.actor)) throw malformed('actor is not {id, type}');
  if (!isText(line.n, NONCE)) throw malformed(`n is not base64 of ${NONCE_BYTES} bytes`);
  if (!isText(line.prev, DIGEST)) throw malformed('prev is not a digest');
  if (!isJsonObject(line.data as Json)) throw malformed('data is not an object');
  if (fields === SIGNED && !(isText(line.kid, KEYID) && isText(line.sig, SIGNATURE))) {
    throw malformed('kid and sig are not a key id and an Ed25519 signature');
  }
  return value as Line;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isText(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function isActor(value: unknown): boolean {
  if (!isJsonObject(value as Json)) return false;
  const { id, type } = value as { id?: unknown; type?: unknown };
  const known = Object.keys(value as object).length === 2 && ACTOR_TYPES.includes(type);
  return known && typeof id === 'string' && id.length >= 1 && id.length <= MAX_ACTOR_ID;
}

/** Guards what JSON.stringify-like encoders let through and no parser takes back: deep nesting, holes in arrays. */
function assertPlainData(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth === 0) throw malformed('data is nested too deeply');
  const members = Array.isArray(value) ? [...value] : Object.values(value);
  for (const member of members) {
    if (member === undefined && Array.isArray(value)) throw malformed('data has an array with a hole');
    assertPlainData(member, depth - 1);
  }
}

function malformed(problem: string, cause?: unknown): LedgerError {
  return new LedgerError('LINE_MALFORMED', `not a line of a log: ${problem}`, { cause });
}

export function tooLong(bytes: number): LedgerError {
  return new LedgerError('LINE_TOO_LONG', `a line is ${bytes} bytes long; the limit is ${MAX_LINE_BYTES}`);
}
