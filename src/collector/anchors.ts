import { decodeUtf8, encodeBase64, equalBytes } from '../core/bytes.ts';
import { type Checkpoint, parseCheckpoint } from '../core/checkpoint.ts';
import { messageOf } from '../core/errors.ts';
import type { EventData } from '../core/event-data.ts';
import { parseNote } from '../core/signed-note.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { MAX_ANCHOR_BYTES } from '../ipc/format.ts';
import type { FromCollector } from '../ipc/gen/ipc_pb.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { CollectorError } from './errors.ts';
import { failureMessage } from './messages.ts';
import type { Order } from './pump.ts';

/** As in schemas/event.schema.json. */
const MAX_ORIGIN = 256;
/** Ed25519. */
const SIGNATURE_BYTES = 64;
/** So many at once; then one in so much time. The agent sends one a minute: more would only fill the log. */
const MOST_AT_ONCE = 10;
const MICROSECONDS_EACH = 10_000_000;

export type AnchorDeskOptions = {
  /** The collector's own log. */
  readonly own: Pick<Genesis, 'origin' | 'host'>;
  /** Microseconds, never backwards. */
  readonly mono: () => number;
  readonly order: (order: Order) => void;
  /** Says that an anchor is refused. */
  readonly answer: (body: FromCollector['body'], inReplyTo: bigint) => void;
  /** An anchor for which an answer is wanted is durable. */
  readonly written: (correlationId: bigint) => void;
};

/**
 * Takes in what the agent says of its own log's head. An attacker may speak with its voice: a note is bounded and taken
 * apart, and then only written down, whatever it claims. Whether its signature holds, and whether it agrees with that
 * log, is for those who read the line, who know whose key it has to be.
 */
export class AnchorDesk {
  readonly #options: AnchorDeskOptions;
  #last: Checkpoint | undefined;
  #left = MOST_AT_ONCE;
  #since: number;

  constructor(options: AnchorDeskOptions) {
    this.#options = options;
    this.#since = options.mono();
  }

  /** Written among what is seen, in its turn; an exact repetition of the last one is not written again. */
  take(note: Uint8Array, isWatching: boolean, correlationId: bigint): void {
    const { order, answer, written } = this.#options;
    try {
      if (!isWatching) throw refused('the collector is not watching');
      const data = this.#read(note);
      const done = () => {
        if (correlationId !== 0n) written(correlationId);
      };
      order({ order: 'anchor', data, written: done });
    } catch (error) {
      answer(failureMessage(error, false), correlationId);
    }
  }

  #read(note: Uint8Array): EventData['log.anchor'] | undefined {
    const checkpoint = this.#parse(note);
    const { origin, size, root } = checkpoint;
    const last = this.#last;
    if (last !== undefined && last.size === size && equalBytes(last.root, root)) return undefined;
    this.#assertPace();
    this.#last = checkpoint;
    return { origin, size, root: encodeBase64(root), note: decodeUtf8(note) };
  }

  #parse(note: Uint8Array): Checkpoint {
    if (note.length > MAX_ANCHOR_BYTES) throw refused(`it is over ${MAX_ANCHOR_BYTES} bytes`);
    let checkpoint: Checkpoint;
    let isSigned: boolean;
    try {
      const { text, signatures } = parseNote(note);
      checkpoint = parseCheckpoint(text);
      isSigned = signatures.some(
        ({ name, signature }) => name === checkpoint.origin && signature.length === SIGNATURE_BYTES,
      );
    } catch (cause) {
      throw refused(messageOf(cause), cause);
    }
    const { origin } = checkpoint;
    if (!isSigned) throw refused('its log did not sign it');
    if (origin.length > MAX_ORIGIN) throw refused(`its origin is over ${MAX_ORIGIN} characters`);
    // Of itself a log knows more than anybody tells it.
    if (origin === this.#options.own.origin) throw refused("it is of the collector's own log");
    if (!origin.split('/').includes(this.#options.own.host))
      throw refused(`${escapeForTerminal(origin)} is of another host`);
    if (this.#last !== undefined && this.#last.origin !== origin) {
      throw refused(`${escapeForTerminal(origin)} is another log than before`);
    }
    return checkpoint;
  }

  #assertPace(): void {
    const now = this.#options.mono();
    const earned = Math.floor((now - this.#since) / MICROSECONDS_EACH);
    this.#since += earned * MICROSECONDS_EACH;
    this.#left = Math.min(MOST_AT_ONCE, this.#left + earned);
    if (this.#left === 0) throw refused('there are too many; send one a minute');
    this.#left -= 1;
  }
}

function refused(problem: string, cause?: unknown): CollectorError {
  return new CollectorError('ANCHOR_REFUSED', `the anchor is refused: ${problem}`, { cause, fault: 'refused' });
}
