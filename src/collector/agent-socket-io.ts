import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
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
