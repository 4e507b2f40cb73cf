import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf } from '../../core/errors.ts';
import type { JsonObject } from '../../core/strict-json.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { AgentError } from '../errors.ts';
import { errorReply, MAX_REQUEST_BYTES, type Method, parseRequest, type Reply } from './protocol.ts';
import { firstLine, socketAddress } from './socket-io.ts';

/**
 * Answers one request.
 * @param tell sends an event before the result
 * @param gone fires when whoever asked is gone
 */
export type Answer = (
  method: Method,
  params: JsonObject,
  tell: (event: unknown) => void,
  gone: AbortSignal,
) => Promise<unknown>;

export type ControlServer = {
  /** Takes no more requests, and takes the socket away: do it while the agent's lock is held. */
  readonly close: () => void;
  /** Lets go of those who are still connected: they learn by it that the agent has ended. */
  readonly release: () => Promise<void>;
};

const MAX_CONNECTIONS = 64;
const PRIVATE = 0o177;

/**
 * Listens on the socket, for this user alone. Call with the agent's lock held: what lies at the path is then left over.
 * @throws AgentError CONTROL_UNAVAILABLE
 */
export async function listen(path: string, answer: Answer): Promise<ControlServer> {
  const address = socketAddress(path);
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    void serve(socket, answer);
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await bind(server, address.path);
  } catch (cause) {
    address.close();
    const message = `the agent can't listen on ${escapeForTerminal(path)}: ${escapeForTerminal(messageOf(cause))}`;
    throw new AgentError('CONTROL_UNAVAILABLE', message, { cause });
  }
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  return {
    close: () => {
      server.close();
      rmSync(path, { force: true });
    },
    release: async () => {
      for (const socket of sockets) socket.destroySoon();
      await closed;
      address.close();
    },
  };
}

/** Nobody else may connect, not even between listening and a chmod. */
async function bind(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  const mask = process.umask(PRIVATE);
  try {
    server.listen(path, resolve);
  } finally {
    process.umask(mask);
  }
  await promise;
}

async function serve(socket: Socket, answer: Answer): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const send = (reply: Reply) => {
    if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`);
  };
  try {
    const line = await firstLine(socket, MAX_REQUEST_BYTES);
    if (line === undefined) return;
    const { method, params } = parseRequest(line);
    send({ result: await answer(method, params, (event) => send({ event }), gone.signal) });
  } catch (error) {
    send(errorReply(error));
  } finally {
    socket.end();
  }
}
