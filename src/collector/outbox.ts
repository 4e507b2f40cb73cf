import { create } from '@bufbuild/protobuf';
import { messageOf } from '../core/errors.ts';
import type { CollectorSide } from '../ipc/channel.ts';
import {
  EventBatchSchema,
  type FromCollector,
  FromCollectorSchema,
  GapSchema,
  LoggedEventSchema,
  SecretSchema,
} from '../ipc/gen/ipc_pb.ts';
import type { ClearSecret } from './secrets.ts';

/** A line that is durable, with its values in clear. */
export type Written = {
  readonly seq: number;
  readonly line: Uint8Array;
  readonly argv?: ClearSecret;
  readonly env?: ClearSecret;
};

type Body = FromCollector['body'];

/** What may wait for an agent that doesn't keep up. Beyond it, the agent is told to read the log. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
const MAX_WAITING_LINES = 16_384;
const BATCH_BYTES = 512 * 1024;
const BATCH_LINES = 512;

/**
 * Sends written lines to the agent, and answers among them, in order. A slow agent never slows the log: what finds no
 * room is only announced, since the lines are in the log already and only their values in clear are given up.
 */
export class Outbox {
  readonly #channel: CollectorSide;
  #lines: Written[] = [];
  #bytes = 0;
  #missed: { readonly first: number; last: number } | undefined;
  #messages: { readonly body: Body; readonly inReplyTo: bigint }[] = [];
  #running: Promise<void> | undefined;
  #broken: string | undefined;
  #lastSent = -1;

  constructor(channel: CollectorSide) {
    this.#channel = channel;
  }

  /** Why nothing arrives any more, if so. */
  get broken(): string | undefined {
    return this.#broken;
  }

  /** The last line that was handed to the stream, -1 if none. */
  get lastSent(): number {
    return this.#lastSent;
  }

  send(written: Written): void {
    if (this.#broken !== undefined) return;
    this.#lines.push(written);
    this.#bytes += sizeOf(written);
    if (this.#bytes > MAX_WAITING_BYTES || this.#lines.length > MAX_WAITING_LINES) this.#giveUpLines();
    this.#run();
  }

  /** After the lines that wait now. */
  answer(body: Body, inReplyTo = 0n): void {
    this.#messages.push({ body, inReplyTo });
    this.#run();
  }

  /** Resolves when all has been handed to the stream, or can't be any more. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #giveUpLines(): void {
    const [first] = this.#lines;
    const last = this.#lines.at(-1);
    if (first === undefined || last === undefined) return;
    this.#missed ??= { first: first.seq, last: last.seq };
    this.#missed.last = last.seq;
    this.#lines = [];
    this.#bytes = 0;
  }

  #run(): void {
    this.#running ??= this.#sendAll().finally(() => {
      this.#running = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    try {
      // A turn later: lines that were written together go together.
      await Promise.resolve();
      for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#channel.writer.write(next);
    } catch (error) {
      this.#broken = messageOf(error);
      this.#lines = [];
      this.#messages = [];
    }
  }

  #next(): FromCollector | undefined {
    if (this.#missed !== undefined) {
      const { first, last } = this.#missed;
      this.#missed = undefined;
      this.#lastSent = last;
      return this.#message({
        case: 'gap',
        value: create(GapSchema, {
          firstSeq: BigInt(first),
          lastSeq: BigInt(last),
          reason: 'the agent did not keep up; the lines are in the log',
        }),
      });
    }
    if (this.#lines.length > 0) return this.#batch();
    const message = this.#messages.shift();
    return message === undefined ? undefined : this.#message(message.body, message.inReplyTo);
  }

  #batch(): FromCollector {
    let bytes = 0;
    let count = 0;
    for (const written of this.#lines) {
      if (count > 0 && (count >= BATCH_LINES || bytes + sizeOf(written) > BATCH_BYTES)) break;
      bytes += sizeOf(written);
      count += 1;
    }
    const batch = this.#lines.splice(0, count);
    this.#bytes -= bytes;
    const [first, last] = [batch[0]?.seq ?? 0, batch.at(-1)?.seq ?? 0];
    this.#lastSent = last;
    const events = batch.map(loggedEvent);
    const value = create(EventBatchSchema, { events, firstSeq: BigInt(first), lastSeq: BigInt(last) });
    return this.#message({ case: 'events', value });
  }

  #message(body: Body, inReplyTo = 0n): FromCollector {
    return create(FromCollectorSchema, { body, inReplyTo });
  }
}

function loggedEvent({ seq, line, argv, env }: Written) {
  return create(LoggedEventSchema, {
    seq: BigInt(seq),
    line,
    ...(argv === undefined ? {} : { arguments: secret(argv) }),
    ...(env === undefined ? {} : { environment: secret(env) }),
  });
}

function secret({ values, commit }: ClearSecret) {
  return create(SecretSchema, { values: [...values], commit });
}

function sizeOf({ line, argv, env }: Written): number {
  const values = [...(argv?.values ?? []), ...(env?.values ?? [])];
  return values.reduce((total, value) => total + value.length + 4, line.length + 128);
}
