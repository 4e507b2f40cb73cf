import { encodeBase64, utf8 } from '../core/bytes.ts';
import { type Digest, formatDigest, type HashFunction } from '../core/digest.ts';
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

/** A line ready to be written: `room[from, to)` with its newline. Its neighbours stand in the same room. */
export type ComposedLine = {
  readonly seq: number;
  readonly room: Buffer;
  readonly from: number;
  readonly to: number;
  readonly leaf: Uint8Array;
  readonly moment: Moment;
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
  readonly #nonces: Nonces;
  #seq: number;
  #prev: Digest;
  #last: Moment | undefined;

  constructor(genesis: Genesis, hash: HashFunction, surroundings: Surroundings, { end, last }: ComposerState) {
    this.#genesis = genesis;
    this.#hash = hash;
    this.#surroundings = surroundings;
    this.#nonces = new Nonces(surroundings.random);
    this.#seq = end.seq;
    this.#prev = end.prev;
    this.#last = last;
  }

  get state(): ComposerState {
    return { end: { seq: this.#seq, prev: this.#prev }, last: this.#last };
  }

  set state({ end, last }: ComposerState) {
    this.#seq = end.seq;
    this.#prev = end.prev;
    this.#last = last;
  }

  /** What the line after this one depends on. */
  after({ seq, leaf, moment }: ComposedLine): ComposerState {
    return { end: chainNext(seq, this.#genesis, leaf), last: moment };
  }

  /**
   * The entries' lines; before one, a `clock.jump` line if a clock went backwards since the line before.
   * When it throws, the state is as before.
   * @throws LedgerError LINE_MALFORMED or LINE_TOO_LONG
   */
  compose(entries: readonly NewEntry[]): ComposedLine[] {
    const [seq, prev, last] = [this.#seq, this.#prev, this.#last];
    try {
      const lines: ComposedLine[] = [];
      for (const entry of entries) this.#compose(entry, lines);
      return lines;
    } catch (cause) {
      this.state = { end: { seq, prev }, last };
      throw cause;
    }
  }

  #compose(entry: NewEntry, lines: ComposedLine[]): void {
    const { clock, boot } = this.#surroundings;
    const now = { ts: clock.now(), mono: clock.mono(), boot };
    const jump = this.#last === undefined ? undefined : clockJump(this.#last, now);
    if (jump === undefined) {
      lines.push(this.#attach(entry, now));
    } else if (recordsOwnJump(entry.type)) {
      // A recovery is the first line after what was cut off, a rotation after a head: they record the step back.
      lines.push(this.#attach({ ...entry, data: { ...entry.data, clock: jump } }, now));
    } else {
      lines.push(this.#attach(jumpEntry(jump, this.#genesis), now), this.#attach(entry, now));
    }
  }

  #attach(entry: NewEntry, moment: Moment): ComposedLine {
    const seq = this.#seq;
    const { ts, mono, boot } = moment;
    const text = this.#text(entry, { seq, prev: this.#prev, n: this.#nonces.next(), ts, mono, boot });
    const { room, from, to } = this.#room.take(text);
    const leaf = leafOf(this.#hash, room.subarray(from, to - 1));
    this.#seq += 1;
    this.#prev = formatDigest(this.#genesis.hash, leaf);
    this.#last = moment;
    return { seq, room, from, to, leaf, moment };
  }

  #text(entry: NewEntry, place: LinePlace): string {
    const { signer } = entry;
    if (signer === undefined) return this.#frame.text(entry, place);
    const kid = signer.publicKey.keyid;
    const signed = utf8(this.#frame.text(entry, place, { kid }));
    return this.#frame.text(entry, place, { kid, sig: encodeBase64(signWithKey(signer, signed)) });
  }
}

const NEWLINE = 0x0a;
/** Room for several hundred lines: one allocation for all of them, not one each. */
const ROOM_BYTES = 128 * 1024;
/** UTF-8 of a UTF-16 code unit, at most. */
const WIDEST = 3;

/** Turns text into lines, many in one buffer. */
class LineRoom {
  #buffer = Buffer.alloc(0);
  #used = 0;

  /** @throws LedgerError LINE_TOO_LONG */
  take(text: string): { readonly room: Buffer; readonly from: number; readonly to: number } {
    // Asked before anything is written: a line can be as long as memory allows.
    if (text.length > MAX_LINE_BYTES) throw tooLong(Buffer.byteLength(text));
    const most = text.length * WIDEST + 1;
    if (most > this.#buffer.length - this.#used) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(ROOM_BYTES, most));
      this.#used = 0;
    }
    const room = this.#buffer;
    const from = this.#used;
    const length = room.write(text, from, 'utf8');
    if (length > MAX_LINE_BYTES) throw tooLong(length);
    room[from + length] = NEWLINE;
    this.#used = from + length + 1;
    return { room, from, to: this.#used };
  }
}

/** Each is drawn and spelled for little; one call to the generator makes many. */
const NONCES_AT_ONCE = 256;

class Nonces {
  readonly #random: Surroundings['random'];
  #drawn = Buffer.alloc(0);
  #at = 0;

  constructor(random: Surroundings['random']) {
    this.#random = random;
  }

  /** Base64 of the next 16 random bytes. */
  next(): string {
    if (this.#at === this.#drawn.length) {
      this.#drawn = Buffer.from(this.#random(NONCE_BYTES * NONCES_AT_ONCE));
      this.#at = 0;
    }
    this.#at += NONCE_BYTES;
    return this.#drawn.toString('base64', this.#at - NONCE_BYTES, this.#at);
  }
}

function jumpEntry(jump: JsonObject, genesis: Genesis): NewEntry {
  return { type: CLOCK_JUMP, actor: hostActor(genesis), data: jump };
}

/** The actor of what the ledger writes by itself. */
export function hostActor(genesis: Genesis): Actor {
  return { type: 'host', id: genesis.host };
}

/** The bytes of lines as they stand in a file: those that lie in one piece are copied in one piece. */
export function joinLines(lines: readonly ComposedLine[]): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(lines.reduce((total, { from, to }) => total + to - from, 0));
  let length = 0;
  let piece: { readonly room: Buffer; readonly from: number; to: number } | undefined;
  for (const { room, from, to } of lines) {
    if (piece?.room === room && piece.to === from) {
      piece.to = to;
      continue;
    }
    if (piece !== undefined) length += piece.room.copy(bytes, length, piece.from, piece.to);
    piece = { room, from, to };
  }
  piece?.room.copy(bytes, length, piece.from, piece.to);
  return bytes;
}
