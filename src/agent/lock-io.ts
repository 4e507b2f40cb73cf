import { DurableError } from '../durable/errors.ts';
import { acquireLock, type Lock } from '../durable/lock-io.ts';
import { AgentError } from './errors.ts';
import { agentLayout } from './layout.ts';

/** One agent a data directory. @throws AgentError AGENT_RUNNING; DurableError */
export function lockAgent(data: string): Lock {
  return lockOr(data, (cause) => {
    const message = 'an agent is running for this data directory already; see daemoneye agent status';
    return new AgentError('AGENT_RUNNING', message, { cause });
  });
}

/**
 * Keeps the agent, and with it procmond, from running while something is done to their logs.
 * @throws AgentError AGENT_RUNNING (refused); DurableError
 */
export function holdAgentOff(data: string): Lock {
  return lockOr(data, (cause) => {
    const message =
      'the agent is running, and it and procmond have their logs open; stop it (daemoneye agent stop) and try again';
    return new AgentError('AGENT_RUNNING', message, { cause, fault: 'refused' });
  });
}

function lockOr(data: string, running: (cause: DurableError) => AgentError): Lock {
  try {
    return acquireLock(agentLayout(data).lock);
  } catch (cause) {
    throw cause instanceof DurableError && cause.code === 'LOCKED' ? running(cause) : cause;
  }
}
