import { closeSync, constants, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { durableErrorFrom } from '../../durable/errors.ts';
import { AgentError } from '../errors.ts';

/** sun_path of unix(7), with its final NUL. */
const MAX_PATH_BYTES = 107;
const NEWLINE = 0x0a;

/** A path of at most 107 bytes for a socket, good until it is closed. */
export type SocketAddress = { readonly path: string; readonly close: () => void };

/**
 * A socket's path may be shorter than those of files. On Linux a long one is named through a descriptor of its
 * directory, so that it always lies in the data directory, where nobody else can put one.
 * @throws AgentError CONTROL_UNAVAILABLE; DurableError when there is no such directory
 */
export function socketAddress(path: string): SocketAddress {
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return { path, close: () => undefined };
  if (process.platform !== 'linux') {
    const message = `the path of the agent's socket is over ${MAX_PATH_BYTES} bytes long; choose a data directory with a shorter path`;
    throw new AgentError('CONTROL_UNAVAILABLE', message);
  }
  try {
    const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    return { path: `/proc/self/fd/${directory}/${basename(path)}`, close: () => closeSync(directory) };
  } catch (cause) {
    throw durableErrorFrom(cause, 'open', dirname(path));
  }
}

/**
 * Lines as they come, without their newline.
 * @throws AgentError CONTROL_PROTOCOL for a line that is too long
 */
export async function* linesOf(socket: Socket, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  let pending: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of socket as AsyncIterable<Uint8Array>) {
    let rest = chunk;
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
      yield Buffer.concat([...pending, rest.subarray(0, end)]);
      pending = [];
      bytes = 0;
      rest = rest.subarray(end + 1);
    }
    bytes += rest.length;
    if (bytes > maxBytes) throw new AgentError('CONTROL_PROTOCOL', `a line is over ${maxBytes} bytes`);
    if (rest.length > 0) pending.push(rest);
  }
}

/**
 * The first line; what follows is read and dropped, so that the end of the stream is noticed.
 * @returns undefined if the stream ends before it
 * @throws AgentError CONTROL_PROTOCOL for a line that is too long
 */
export function firstLine(socket: Socket, maxBytes: number): Promise<Uint8Array | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let isDone = false;
  socket.on('data', (chunk: Uint8Array) => {
    if (isDone) return;
    const end = chunk.indexOf(NEWLINE);
    chunks.push(end === -1 ? chunk : chunk.subarray(0, end));
    bytes += chunk.length;
    isDone = end !== -1 || bytes > maxBytes;
    if (end !== -1) resolve(Buffer.concat(chunks));
    else if (isDone) reject(new AgentError('CONTROL_PROTOCOL', `a line is over ${maxBytes} bytes`));
  });
  socket.once('close', () => resolve(undefined));
  return promise;
}
