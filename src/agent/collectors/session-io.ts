import type { MessageInitShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { AgentSide, FromAgent, FromCollector } from '../../ipc/channel.ts';
import { PROTOCOL_VERSION } from '../../ipc/format.ts';
import {
  AckSchema,
  AnchorSchema,
  type Checkpoint,
  CheckpointRequestSchema,
  type EventBatch,
  FromAgentSchema,
  type Gap,
  type Health,
  HealthRequestSchema,
  type Hello,
  StartSchema,
  StopSchema,
  type TraceStart,
  TraceStartSchema,
  type TraceState,
} from '../../ipc/gen/ipc_pb.ts';
import { AgentError } from '../errors.ts';
import { ANSWER_MS, HELLO_MS } from '../format.ts';

export type SessionHandlers = {
  /** Each is awaited before the next message is read: a slow agent makes the collector wait, not grow. */
  readonly events: (batch: EventBatch) => Promise<void>;
  readonly gap: (gap: Gap) => Promise<void>;
  readonly trace: (state: TraceState) => void;
  readonly checkpoint: (checkpoint: Checkpoint) => Promise<void>;
  readonly health: (health: Health) => void;
  readonly failure: (code: string, message: string) => void;
};

type Body = FromAgent['body'];
type Waiting = { readonly resolve: (message: FromCollector) => void; readonly reject: (error: Error) => void };

/** One connection to a collector: its protocol, and nothing of what it means. */
export class CollectorSession {
  readonly #channel: AgentSide;
  readonly #messages: AsyncGenerator<FromCollector, void, undefined>;
  readonly #waiting = new Map<bigint, Waiting>();
  #lastId = 0n;
  #isOver = false;

  constructor(channel: AgentSide) {
    this.#channel = channel;
    this.#messages = channel.reader.messages();
  }

  /** The first word of the collector. @throws AgentError COLLECTOR if it isn't one, or none comes */
  async hello(): Promise<Hello> {
    const first = await inTime(this.#messages.next(), HELLO_MS, 'it did not say hello');
    const body = first.done === true ? undefined : first.value.body;
    if (body?.case === 'failure') {
      throw new AgentError(
        'COLLECTOR',
        `it failed: ${escapeForTerminal(body.value.message)} [${escapeForTerminal(body.value.code)}]`,
      );
    }
    if (body?.case !== 'hello') throw new AgentError('COLLECTOR', 'it ended before it said hello');
    if (body.value.protocol !== PROTOCOL_VERSION) {
      throw new AgentError(
        'COLLECTOR',
        `it speaks version ${body.value.protocol} of the protocol, not ${PROTOCOL_VERSION}`,
      );
    }
    return body.value;
  }

  /** Reads until the collector closes. @throws IpcError; what a handler throws */
  async run(handlers: SessionHandlers): Promise<void> {
    try {
      for await (const message of this.#messages) await this.#handle(message, handlers);
    } finally {
      this.#isOver = true;
      for (const { reject } of this.#waiting.values()) reject(new AgentError('COLLECTOR', 'the collector is gone'));
      this.#waiting.clear();
    }
  }

  async start(capabilities: readonly string[]): Promise<void> {
    await this.#send({ case: 'start', value: create(StartSchema, { capabilities: [...capabilities] }) });
  }

  async stop(reason: string): Promise<void> {
    await this.#send({ case: 'stop', value: create(StopSchema, { reason }) });
  }

  async acknowledge(seq: bigint): Promise<void> {
    await this.#send({ case: 'ack', value: create(AckSchema, { seq }) });
  }

  /** @throws AgentError COLLECTOR when it doesn't answer */
  async health(): Promise<Health> {
    const { body } = await this.#ask({ case: 'healthRequest', value: create(HealthRequestSchema) });
    if (body.case === 'health') return body.value;
    throw new AgentError('COLLECTOR', 'it answered another question than was asked');
  }

  /** The checkpoint comes to its handler, as those that nobody asked for do. */
  async requestCheckpoint(): Promise<void> {
    await this.#ask({ case: 'checkpointRequest', value: create(CheckpointRequestSchema) });
  }

  /** Hands it the head of our own log to keep. What it thinks of that is its `failure`. @param note a signed note */
  async anchor(note: Uint8Array): Promise<void> {
    await this.#send({ case: 'anchor', value: create(AnchorSchema, { note }) });
  }

  /** @throws AgentError COLLECTOR when it refuses, with its reason */
  async startTrace(trace: MessageInitShape<typeof TraceStartSchema>): Promise<void> {
    const value: TraceStart = create(TraceStartSchema, trace);
    const { body } = await this.#ask({ case: 'traceStart', value });
    if (body.case === 'trace' && body.value.state === 'refused') {
      throw new AgentError('COLLECTOR', `it refused the trace: ${escapeForTerminal(body.value.cause)}`);
    }
  }

  async #handle(message: FromCollector, handlers: SessionHandlers): Promise<void> {
    const { body, inReplyTo } = message;
    const waiting = inReplyTo === 0n ? undefined : this.#waiting.get(inReplyTo);
    switch (body.case) {
      case 'events':
        await handlers.events(body.value);
        break;
      case 'gap':
        await handlers.gap(body.value);
        break;
      case 'trace':
        handlers.trace(body.value);
        break;
      case 'checkpoint':
        await handlers.checkpoint(body.value);
        break;
      case 'health':
        handlers.health(body.value);
        break;
      case 'failure':
        handlers.failure(escapeForTerminal(body.value.code), escapeForTerminal(body.value.message));
        break;
      default:
        // A newer collector's words, or a second hello: not ours to judge.
        break;
    }
    if (waiting === undefined) return;
    this.#waiting.delete(inReplyTo);
    waiting.resolve(message);
  }

  async #ask(body: Body): Promise<FromCollector> {
    this.#lastId += 1n;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<FromCollector>();
    this.#waiting.set(id, { resolve, reject });
    if (this.#isOver) reject(new AgentError('COLLECTOR', 'the collector is gone'));
    try {
      await this.#send(body, id);
      return await inTime(promise, ANSWER_MS, 'it did not answer');
    } finally {
      promise.catch(() => undefined);
      this.#waiting.delete(id);
    }
  }

  async #send(body: Body, correlationId = 0n): Promise<void> {
    await this.#channel.writer.write(create(FromAgentSchema, { body, correlationId }));
  }
}

async function inTime<T>(work: Promise<T>, ms: number, complaint: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new AgentError('COLLECTOR', `${complaint} within ${ms / 1000} seconds`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
