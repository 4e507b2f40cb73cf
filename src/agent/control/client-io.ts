import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { DaemonEyeError, messageOf } from '../../core/errors.ts';
import type { JsonObject } from '../../core/strict-json.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { errnoOf } from '../../durable/errors.ts';
import { AgentError } from '../errors.ts';
import { agentLayout } from '../layout.ts';
import { encodeRequest, MAX_RESPONSE_BYTES, type Method, parseReply, RemoteError } from './protocol.ts';
import { linesOf, socketAddress } from './socket-io.ts';

export type AskOptions = {
  readonly params?: JsonObject;
  readonly onEvent?: (event: unknown) => Promise<void> | void;
  readonly signal?: AbortSignal;
};

/**
 * Asks the agent of a data directory.
 * @returns its result, as it came; undefined if `signal` ended the asking
 * @throws AgentError AGENT_NOT_RUNNING, CONTROL_PROTOCOL; RemoteError with the agent's own code
 */
export async function askAgent(data: string, method: Method, options: AskOptions = {}): Promise<unknown> {
  const { params = {}, onEvent, signal } = options;
  await using connection = await connectTo(data);
  const { socket } = connection;
  const abort = () => socket.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    socket.write(encodeRequest(method, params));
    for await (const line of linesOf(socket, MAX_RESPONSE_BYTES)) {
      const reply = parseReply(line);
      if ('result' in reply) return reply.result;
      if ('error' in reply) {
        const { code, message, fault } = reply.error;
        throw new RemoteError(code, escapeForTerminal(message), { fault });
      }
      await onEvent?.(reply.event);
    }
  } catch (cause) {
    if (signal?.aborted === true) return undefined;
    if (cause instanceof DaemonEyeError || errnoOf(cause) === undefined) throw cause;
    throw new AgentError('AGENT_NOT_RUNNING', `the agent went away: ${escapeForTerminal(messageOf(cause))}`, { cause });
  } finally {
    signal?.removeEventListener('abort', abort);
  }
  if (signal?.aborted === true) return undefined;
  throw new AgentError('AGENT_NOT_RUNNING', 'the agent ended before it answered; start it again: daemoneye agent run');
}

/** Asks the agent to end, and waits until it has. @throws AgentError AGENT_NOT_RUNNING */
export async function stopAgent(data: string): Promise<void> {
  await using connection = await connectTo(data);
  const { socket } = connection;
  socket.write(encodeRequest('stop', {}));
  // It closes its sockets last of all.
  for await (const _ of linesOf(socket, MAX_RESPONSE_BYTES));
}

async function connectTo(data: string): Promise<AsyncDisposable & { readonly socket: Socket }> {
  const { socket: path } = agentLayout(data);
  if (!existsSync(data)) throw notRunning(data);
  const address = socketAddress(path);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect(address.path, resolve);
    socket.once('error', reject);
    await promise;
    socket.off('error', reject);
    const close = async () => {
      socket.destroy();
      address.close();
    };
    return { socket, [Symbol.asyncDispose]: close };
  } catch (cause) {
    address.close();
    throw notRunning(data, cause);
  }
}

function notRunning(data: string, cause?: unknown): AgentError {
  const message = `no agent is running for ${escapeForTerminal(data)}; start one: daemoneye agent run`;
  return new AgentError('AGENT_NOT_RUNNING', message, { cause });
}
