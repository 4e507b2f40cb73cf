import type { Duplex } from 'node:stream';
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { messageOf } from '../core/errors.ts';
import { IpcError } from './errors.ts';
import { encodeFrame, FrameDecoder } from './frames.ts';
import { type FromAgent, FromAgentSchema, type FromCollector, FromCollectorSchema } from './gen/ipc_pb.ts';

/** Writes messages of one kind, and waits when the other side doesn't keep up. */
export class FrameWriter<Out extends DescMessage> {
  readonly #stream: Duplex;
  readonly #schema: Out;

  constructor(stream: Duplex, schema: Out) {
    this.#stream = stream;
    this.#schema = schema;
  }

  /**
   * Resolves when the stream wants more: whoever awaits it never fills the memory, however slow the reader. Messages
   * go out in the order of calls.
   * @throws IpcError FRAME_TOO_LARGE (nothing is written) or CHANNEL_CLOSED
   */
  async write(message: MessageShape<Out>): Promise<void> {
    const frame = encodeFrame(toBinary(this.#schema, message));
    if (!this.#stream.writable) throw closed();
    if (this.#stream.write(frame)) return;
    await drained(this.#stream);
  }
}

/** Reads messages of one kind; while nobody asks for the next, the other side is made to wait. */
export class FrameReader<In extends DescMessage> {
  readonly #stream: Duplex;
  readonly #schema: In;

  constructor(stream: Duplex, schema: In) {
    this.#stream = stream;
    this.#schema = schema;
  }

  /**
   * Ends when the other side has closed in good order.
   * @throws IpcError FRAME_TOO_LARGE, FRAME_MALFORMED, FRAME_TRUNCATED, MESSAGE_MALFORMED, or CHANNEL_CLOSED when the
   *   stream broke
   */
  async *messages(): AsyncGenerator<MessageShape<In>, void, undefined> {
    const decoder = new FrameDecoder();
    for await (const chunk of chunksOf(this.#stream)) {
      for (const bytes of decoder.push(chunk)) yield this.#parse(bytes);
    }
    decoder.end();
  }

  #parse(bytes: Uint8Array): MessageShape<In> {
    try {
      return fromBinary(this.#schema, bytes);
    } catch (cause) {
      const message = `a message is not a ${this.#schema.name} of the protocol: ${messageOf(cause)}`;
      throw new IpcError('MESSAGE_MALFORMED', message, { cause });
    }
  }
}

/** Both directions of one stream. */
export type Channel<In extends DescMessage, Out extends DescMessage> = {
  readonly reader: FrameReader<In>;
  readonly writer: FrameWriter<Out>;
  /** Closes in good order: what was written still arrives. */
  readonly end: () => void;
  /** Closes at once. */
  readonly destroy: () => void;
};

export type AgentSide = Channel<typeof FromCollectorSchema, typeof FromAgentSchema>;
export type CollectorSide = Channel<typeof FromAgentSchema, typeof FromCollectorSchema>;

/** What the agent holds: it reads what collectors say. */
export function agentSide(stream: Duplex): AgentSide {
  return channel(stream, FromCollectorSchema, FromAgentSchema);
}

/** What a collector holds. */
export function collectorSide(stream: Duplex): CollectorSide {
  return channel(stream, FromAgentSchema, FromCollectorSchema);
}

function channel<In extends DescMessage, Out extends DescMessage>(
  stream: Duplex,
  incoming: In,
  outgoing: Out,
): Channel<In, Out> {
  // Every failure is seen by whoever reads or writes; without a listener it would end the process.
  stream.on('error', () => undefined);
  return {
    reader: new FrameReader(stream, incoming),
    writer: new FrameWriter(stream, outgoing),
    end: () => stream.end(),
    destroy: () => stream.destroy(),
  };
}

async function* chunksOf(stream: Duplex): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (cause) {
    throw closed(cause);
  }
}

async function drained(stream: Duplex): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onClose = () => reject(closed());
  stream.once('drain', resolve);
  stream.once('close', onClose);
  try {
    await promise;
  } finally {
    stream.off('drain', resolve);
    stream.off('close', onClose);
  }
}

function closed(cause?: unknown): IpcError {
  return new IpcError('CHANNEL_CLOSED', 'the other side is gone; start it again', { cause });
}

export type { FromAgent, FromCollector };
