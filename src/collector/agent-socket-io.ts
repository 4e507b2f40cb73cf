import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { AGENT_DESCRIPTOR } from '../ipc/format.ts';
import { CollectorError } from './errors.ts';

/**
 * The stream to the agent, on inherited descriptor 3: using it needs no permission, opening another would.
 * @throws CollectorError NO_AGENT
 */
export function agentSocket(): Socket {
  try {
    if (fstatSync(AGENT_DESCRIPTOR).isSocket()) return new Socket({ fd: AGENT_DESCRIPTOR });
  } catch {
    // Said below.
  }
  throw new CollectorError('NO_AGENT', 'descriptor 3 is not a socket to an agent; procmond is started by the agent');
}

/** An agent that hangs is not waited for. */
const GOODBYE_MS = 2000;

/**
 * After we have said all: resolves when the agent has closed its side too. Who closes a socket in which something waits to be read (the agent's
 * last acknowledgements) resets it, and what the other side has not read yet, our last words, is lost.
 */
export async function agentGone(stream: Socket): Promise<void> {
  if (!stream.writableEnded) return;
  try {
    await finished(stream, { writable: false, signal: AbortSignal.timeout(GOODBYE_MS) });
  } catch {
    // Broken, or out of time: either way there is nobody to wait for.
  }
}
