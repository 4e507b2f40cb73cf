import { concatBytes } from '../core/bytes.ts';
import { IpcError } from './errors.ts';
import { MAX_MESSAGE_BYTES } from './format.ts';

/** Seven bits a byte, the lowest first; the high bit says that more follow (protobuf encoding, "Base 128 Varints"). */
const CONTINUES = 0x80;
const PAYLOAD_BITS = 7;
/** A varint of MAX_MESSAGE_BYTES (23 bits) has four bytes; a longer one is too large or not in its shortest form. */
const MAX_LENGTH_BYTES = 4;

/**
 * A message with its length before it, as protobuf's "delimited" streams have it.
 * @throws IpcError FRAME_TOO_LARGE over 4 MiB
 */
export function encodeFrame(message: Uint8Array): Uint8Array {
  if (message.length > MAX_MESSAGE_BYTES) throw tooLarge(message.length);
  const length: number[] = [];
  let rest = message.length;
  for (; rest >= CONTINUES; rest >>>= PAYLOAD_BITS) length.push((rest & (CONTINUES - 1)) | CONTINUES);
  length.push(rest);
  return concatBytes(Uint8Array.from(length), message);
}

/**
 * Takes a stream apart into messages, however it was cut into chunks. Keeps no more than one message of the allowed
 * size. After an error the stream has no meaning any more: close it.
 */
export class FrameDecoder {
  #chunks: Uint8Array[] = [];
  /** Of the frame being received: its length if known, and the bytes there are of it. */
  #expected: number | undefined;
  #received = 0;
  #length = 0;
  #lengthBytes = 0;

  /**
   * @param chunk not copied: the messages may share its memory
   * @returns the messages that are complete now
   * @throws IpcError FRAME_TOO_LARGE, as soon as a length says so, or FRAME_MALFORMED for one not in its shortest form
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#expected === undefined) {
        this.#takeLengthByte(chunk[at] ?? 0);
        at += 1;
      } else {
        const part = chunk.subarray(at, at + this.#expected - this.#received);
        this.#chunks.push(part);
        this.#received += part.length;
        at += part.length;
      }
      if (this.#expected === this.#received) messages.push(this.#finish());
    }
    return messages;
  }

  /** The stream has ended. @throws IpcError FRAME_TRUNCATED in the midst of a message */
  end(): void {
    if (this.#expected === undefined && this.#lengthBytes === 0) return;
    throw new IpcError('FRAME_TRUNCATED', 'the stream ended in the midst of a message; the other side died');
  }

  #takeLengthByte(byte: number): void {
    this.#length |= (byte & (CONTINUES - 1)) << (PAYLOAD_BITS * this.#lengthBytes);
    this.#lengthBytes += 1;
    const continues = (byte & CONTINUES) !== 0;
    if (continues && this.#lengthBytes === MAX_LENGTH_BYTES) throw tooLarge(undefined);
    if (continues) return;
    if (byte === 0 && this.#lengthBytes > 1) {
      throw new IpcError('FRAME_MALFORMED', 'a message has a length that is not in its shortest form');
    }
    if (this.#length > MAX_MESSAGE_BYTES) throw tooLarge(this.#length);
    this.#expected = this.#length;
  }

  #finish(): Uint8Array {
    const [only] = this.#chunks;
    const message = this.#chunks.length === 1 && only !== undefined ? only : concatBytes(...this.#chunks);
    this.#chunks = [];
    this.#expected = undefined;
    this.#received = 0;
    this.#length = 0;
    this.#lengthBytes = 0;
    return message;
  }
}

function tooLarge(bytes: number | undefined): IpcError {
  const size = bytes === undefined ? '' : ` of ${bytes} bytes`;
  return new IpcError('FRAME_TOO_LARGE', `a message${size} is over the limit of ${MAX_MESSAGE_BYTES} bytes`);
}
