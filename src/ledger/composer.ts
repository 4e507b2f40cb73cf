import { encodeBase64, utf8 } from '../core/bytes.ts';
import type { HashFunction } from '../core/digest.ts';
import { type PrivateKey, signWithKey } from '../core/keys.ts';
import type { JsonObject } from '../core/strict-json.ts';
import { type ChainEnd, chainNext, leafOf } from './chain.ts';
import { type Clock, clockJump, type Moment, recordsOwnJump } from './clock.ts';
import { CLOCK_JUMP, MAX_LINE_BYTES, NONCE_BYTES } from './format.ts';
import type { Genesis } from './genesis.ts';
import { type Actor, tooLong } from './line.ts';
import { type LineContent, LineFrame, type LinePlace } from './line-frame.ts';

/** What the caller of a writer knows of an entry. */
export type NewEntry = LineContent & {
  /** Signs the line itself, beyond its being covered by the log's checkpoints. */
  readonly signer?: PrivateKey;
};

/** A line ready to be written. */
export type ComposedLine = {
  readonly seq: number;
  /** Without its newline; shares its memory with other lines. */
  readonly line: Uint8Array;
  readonly leaf: Uint8Array;
  /** What the line after it depends on. */
  readonly after: ComposerState;
};

/** Where time and chance come from: a writer reads neither by itself. */
export type Surroundings = {
  readonly clock: Clock;
  /** Which run of the machine `clock.mono` counts in. */
  readonly boot: string;
  readonly random: (bytes: number) => Uint8Array;
};

/** Everything the next line depends on. A value: to take lines back, go back to an earlier one. */
export type ComposerState = { readonly end: ChainEnd; readonly last: Moment | undefined };

/** Turns entries into lines, one attached to the other. */
export class Composer {
  readonly #genesis: Genesis;
  readonly #hash: HashFunction;
  readonly #surroundings: Surroundings;
  readonly #frame = new LineFrame();
  readonly #room = new LineRoom();
  state: ComposerState;

  constructor(genesis: Genesis, hash: HashFunction, surroundings: Surroundings, state: ComposerState) {
    this.#genesis = genesis;
    this.#hash = hash;
    this.#surroundings = surroundings;
    this.state = state;
  }

  /**
   * The entry's line, last; before it a `clock.jump` line if a clock went backwards since the line before.
   * When it throws, the state is as before.
   * @throws LedgerError LINE_MALFORMED or LINE_TOO_LONG
   */
  compose(entry: NewEntry): ComposedLine[] {
    const before = this.state;
    const { clock, boot } = this.#surroundings;
    const now = { ts: clock.now(), mono: clock.mono(), boot };
    const jump = before.last === undefined ? undefined : clockJump(before.last, now);
    try {
      // A recovery is the first line after what was cut off, a rotation after a head: they record the step back.
      if (recordsOwnJump(entry.type) && jump !== undefined) {
        return [this.#attach({ ...entry, data: { ...entry.data, clock: jump } }, now)];
      }
      const lines = jump === undefined ? [] : [this.#attach(jumpEntry(jump, this.#genesis), now)];
      lines.push(this.#attach(entry, now));
      return lines;
    } catch (cause) {
      this.state = before;
      throw cause;
    }
  }

  #attach(entry: NewEntry, { ts, mono, boot }: Moment): ComposedLine {
    const { seq, prev } = this.state.end;
    const n = encodeBase64(this.#surroundings.random(NONCE_BYTES));
    const line = this.#room.take(this.#text(entry, { seq, prev, n, ts, mono, boot }));
    const leaf = leafOf(this.#hash, line);
    this.state = { end: chainNext(this.state.end, this.#genesis, leaf), last: { ts, mono, boot } };
    return { seq, line, leaf, after: this.state };
  }

  #text(entry: NewEntry, place: LinePlace): string {
    const { signer } = entry;
    if (signer === undefined) return this.#frame.text(entry, place);
    const kid = signer.publicKey.keyid;
    const signed = utf8(this.#frame.text(entry, place, { kid }));
    return this.#frame.text(entry, place, { kid, sig: encodeBase64(signWithKey(signer, signed)) });
  }
}

/** Room for several hundred lines: one allocation for all of them, not one each. */
const ROOM_BYTES = 128 * 1024;
/** UTF-8 of a UTF-16 code unit, at most. */
const WIDEST = 3;

/** Turns text into bytes, many lines in one buffer. */
class LineRoom {
  #buffer = Buffer.alloc(0);
  #used = 0;

  /** @throws LedgerError LINE_TOO_LONG */
  take(text: string): Uint8Array {
    // Asked before anything is written: a line can be as long as memory allows.
    if (text.length > MAX_LINE_BYTES) throw tooLong(Buffer.byteLength(text));
    const most = text.length * WIDEST;
    if (most > this.#buffer.length - this.#used) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(ROOM_BYTES, most));
      this.#used = 0;
    }
    const length = this.#buffer.write(text, this.#used, 'utf8');
    if (length > MAX_LINE_BYTES) throw tooLong(length);
    const line = new Uint8Array(this.#buffer.buffer, this.#used, length);
    this.#used += length;
    return line;
  }
}

function jumpEntry(jump: JsonObject, genesis: Genesis): NewEntry {
  return { type: CLOCK_JUMP, actor: hostActor(genesis), data: jump };
}

/** The actor of what the ledger writes by itself. */
export function hostActor(genesis: Genesis): Actor {
  return { type: 'host', id: genesis.host };
}

const NEWLINE = 0x0a;

/** The bytes of lines as they stand in a file. */
export function joinLines(lines: readonly ComposedLine[]): Uint8Array {
  const bytes = new Uint8Array(lines.reduce((total, { line }) => total + line.length + 1, 0));
  let at = 0;
  for (const { line } of lines) {
    bytes.set(line, at);
    at += line.length;
    bytes[at] = NEWLINE;
    at += 1;
  }
  return bytes;
}
