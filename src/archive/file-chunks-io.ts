import type { FileHandle } from 'node:fs/promises';

/** Large enough that the cost of a call vanishes, small enough that two of them are nothing. */
export const READ_BYTES = 1024 * 1024;

/**
 * The bytes of an open file from its start to its end, each read once. One piece is read ahead while the consumer
 * works (hashing and the disk overlap), so a piece is valid only until the next is asked for.
 * @param size what the file is expected to have; only buffers depend on it
 * @param stretch only this part of the file
 */
export async function* readChunks(
  handle: FileHandle,
  size = Number.POSITIVE_INFINITY,
  stretch: { readonly from: number; readonly size: number } = { from: 0, size: Number.POSITIVE_INFINITY },
): AsyncGenerator<Uint8Array> {
  // One byte more than expected, so that a growing file shows at once.
  const length = Math.min(READ_BYTES, size + 1);
  let current = takeBytes(length);
  let spare = length < READ_BYTES ? current : takeBytes(length);
  let position = stretch.from;
  const end = stretch.from + stretch.size;
  let pending = readAt(handle, current, position, end);
  try {
    for (;;) {
      const bytesRead = await pending;
      if (bytesRead === 0) return;
      position += bytesRead;
      const piece = current.subarray(0, bytesRead);
      if (spare === current) spare = takeBytes(length);
      [current, spare] = [spare, current];
      pending = readAt(handle, current, position, end);
      yield piece;
    }
  } finally {
    // Whoever closes the handle next must not do so under a running read.
    await pending.catch(() => 0);
    for (const buffer of new Set([current, spare])) giveBack(buffer);
  }
}

/**
 * Large buffers that wait for the next file: otherwise a thousand files leave a thousand of them to the garbage
 * collector, which lets tens of megabytes of such memory gather first.
 */
const waiting: Uint8Array[] = [];
const MOST_WAITING = 4;

/** Not zeroed, and not a Buffer, whose `slice` would be a view where a copy is meant. */
function takeBytes(length: number): Uint8Array {
  const kept = length === READ_BYTES ? waiting.pop() : undefined;
  return kept ?? new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

function giveBack(buffer: Uint8Array): void {
  if (buffer.length === READ_BYTES && waiting.length < MOST_WAITING) waiting.push(buffer);
}

function readAt(handle: FileHandle, buffer: Uint8Array, position: number, end: number): Promise<number> {
  const length = Math.min(buffer.length, end - position);
  if (length === 0) return Promise.resolve(0);
  const reading = handle.read(buffer, 0, length, position).then(({ bytesRead }) => bytesRead);
  // Awaited a turn later; until then a failure is not unhandled.
  reading.catch(() => 0);
  return reading;
}
