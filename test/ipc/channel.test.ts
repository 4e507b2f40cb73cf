import { type Duplex, duplexPair } from 'node:stream';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { agentSide, collectorSide } from '../../src/ipc/channel.ts';
import { encodeFrame } from '../../src/ipc/frames.ts';
import { EventBatchSchema, FromAgentSchema, FromCollectorSchema, LoggedEventSchema } from '../../src/ipc/gen/ipc_pb.ts';
import { expectCodeAsync } from '../support/expect-code.ts';

/** Two ends of one stream, each holding back as a socket does. */
const pair = () => duplexPair({ highWaterMark: 1024 });

const start = create(FromAgentSchema, { body: { case: 'start', value: {} }, correlationId: 7n });

function batch(bytes: number) {
  const value = create(EventBatchSchema, {
    events: [create(LoggedEventSchema, { seq: 5n, line: new Uint8Array(bytes).fill(0x20) })],
    firstSeq: 5n,
    lastSeq: 5n,
  });
  return create(FromCollectorSchema, { body: { case: 'events', value } });
}

/** A stream whose other end says exactly this, then ends. */
function saying(bytes: Uint8Array): Duplex {
  const [here, there] = duplexPair();
  there.end(bytes);
  return here;
}

async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const message of messages) list.push(message);
  return list;
}

describe('a channel', () => {
  it('carries messages both ways, with their numbers', async () => {
    const [a, b] = pair();
    const [agent, collector] = [agentSide(a), collectorSide(b)];
    await agent.writer.write(start);
    const { value } = await collector.reader.messages().next();
    expect(value?.body.case).toBe('start');
    expect(value?.correlationId).toBe(7n);
  });

  it('makes a writer wait for a reader who is slow', async () => {
    const [a, b] = pair();
    const [agent, collector] = [agentSide(a), collectorSide(b)];
    let written = 0;
    const writing = (async () => {
      for (; written < 64; written += 1) await collector.writer.write(batch(4096));
      collector.end();
    })();
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    // Nobody read: a few messages filled the stream, and the rest was never made.
    expect(written).toBeLessThan(8);
    expect(await all(agent.reader.messages())).toHaveLength(64);
    await writing;
  });

  it('passes over what a newer version says', async () => {
    // Field 99, which this version doesn't know.
    const [message] = await all(
      collectorSide(saying(encodeFrame(Uint8Array.of(0x9a, 0x06, 0x01, 0x41)))).reader.messages(),
    );
    expect(message?.body.case).toBeUndefined();
  });

  it.each([
    ['bytes that are no message', encodeFrame(Uint8Array.of(0x0f, 0xff, 0xff)), 'MESSAGE_MALFORMED'],
    ['a message cut off', encodeFrame(toBinary(FromCollectorSchema, batch(50)).subarray(0, 20)), 'MESSAGE_MALFORMED'],
    ['a length over the limit', Uint8Array.of(0xff, 0xff, 0xff, 0x7f), 'FRAME_TOO_LARGE'],
    ['an end in the midst of a frame', encodeFrame(new Uint8Array(9)).subarray(0, 5), 'FRAME_TRUNCATED'],
  ])('refuses %s', async (_, stream, code) => {
    await expectCodeAsync(all(agentSide(saying(stream)).reader.messages()), code);
  });

  it('tells the writer that the other side is gone', async () => {
    const [a, b] = pair();
    const [agent, collector] = [agentSide(a), collectorSide(b)];
    const writing = (async () => {
      for (;;) await collector.writer.write(batch(4096));
    })();
    agent.destroy();
    collector.destroy();
    await expectCodeAsync(writing, 'CHANNEL_CLOSED');
    await expectCodeAsync(collector.writer.write(batch(1)), 'CHANNEL_CLOSED');
  });

  it('refuses to send what the other side would refuse', async () => {
    const [, b] = pair();
    await expectCodeAsync(collectorSide(b).writer.write(batch(4 * 1024 * 1024)), 'FRAME_TOO_LARGE');
  });
});
