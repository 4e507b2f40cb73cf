import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_BYTES } from '../../src/ipc/format.ts';
import { encodeFrame, FrameDecoder } from '../../src/ipc/frames.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

/** Cuts a stream at these places. */
function cut(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => stream.subarray(from, at[i] ?? stream.length));
}

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 12 });
    const places = fc.array(fc.nat(8000), { maxLength: 40 });
    fc.assert(
      fc.property(messages, places, (sent, cuts) => {
        const decoder = new FrameDecoder();
        const stream = Buffer.concat(sent.map(encodeFrame));
        const received = cut(stream, cuts).flatMap((chunk) => decoder.push(chunk));
        decoder.end();
        expect(received.map((message) => Buffer.from(message))).toEqual(sent.map((message) => Buffer.from(message)));
      }),
      { numRuns: runs(200, 5000) },
    );
  });

  it('have the length in its shortest form, seven bits a byte', () => {
    expect([...encodeFrame(new Uint8Array())]).toEqual([0]);
    expect([...encodeFrame(bytes(7))]).toEqual([1, 7]);
    expect([...encodeFrame(new Uint8Array(300)).subarray(0, 2)]).toEqual([0xac, 0x02]);
  });

  it('may have the largest size, and not one byte more', () => {
    const largest = new Uint8Array(MAX_MESSAGE_BYTES).fill(3);
    expect(new FrameDecoder().push(encodeFrame(largest))[0]).toHaveLength(MAX_MESSAGE_BYTES);
    expectCode(() => encodeFrame(new Uint8Array(MAX_MESSAGE_BYTES + 1)), 'FRAME_TOO_LARGE');
    // 4 MiB + 1, refused before a byte of it is there.
    expectCode(() => new FrameDecoder().push(bytes(0x81, 0x80, 0x80, 0x02)), 'FRAME_TOO_LARGE');
  });

  it('never take whatever bytes for more than they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (stream) => {
        const decoder = new FrameDecoder();
        let messages: Uint8Array[] = [];
        try {
          messages = decoder.push(stream);
          decoder.end();
        } catch (error) {
          expect(['FRAME_TOO_LARGE', 'FRAME_MALFORMED', 'FRAME_TRUNCATED']).toContain((error as { code: string }).code);
          return;
        }
        expect(Buffer.concat(messages.map(encodeFrame))).toEqual(Buffer.from(stream));
      }),
      { numRuns: runs(500, 20_000) },
    );
  });

  it.each([
    ['a length of five bytes', [0x80, 0x80, 0x80, 0x80, 0x01], 'FRAME_TOO_LARGE'],
    ['a length that never ends', Array.from({ length: 64 }, () => 0xff), 'FRAME_TOO_LARGE'],
    ['a length with a needless zero byte', [0x81, 0x00, 7], 'FRAME_MALFORMED'],
    ['zero in two bytes', [0x80, 0x00], 'FRAME_MALFORMED'],
  ])('refuse %s', (_, stream, code) => {
    expectCode(() => new FrameDecoder().push(Uint8Array.from(stream)), code);
  });

  it.each([
    ['in the length', [0x80]],
    ['in the message', [3, 1, 2]],
    ['before the message', [3]],
  ])('say so when the stream ends %s', (_, stream) => {
    const decoder = new FrameDecoder();
    expect(decoder.push(Uint8Array.from(stream))).toEqual([]);
    expectCode(() => decoder.end(), 'FRAME_TRUNCATED');
  });
});
