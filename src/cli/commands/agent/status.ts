import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'clipanion';
import { askAgent } from '../../../agent/control/client-io.ts';
import { AgentError } from '../../../agent/errors.ts';
import type { AgentStatus as Status } from '../../../agent/status.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { statusText } from './status-text.ts';

const POLL_MS = 50;
const WAIT_MS = 60_000;

export class AgentStatus extends DaemonCommand {
  static override paths = [['agent', 'status']];
  static override usage = Command.Usage({
    description: "Tell how the agent of this data directory is doing: its collector, its rules, what it can't see.",
    examples: [
      ['Now', '$0 agent status'],
      ['When rules are live and the collector has looked at everything once', '$0 agent status --wait'],
    ],
  });

  wait = Option.Boolean('--wait', false, { description: 'wait until it is ready, for a minute at most' });

  async run(): Promise<ExitCode> {
    const data = this.dataDirectory;
    const status = this.wait ? await waitUntilReady(data, this.signal) : await ask(data, this.signal);
    this.result(status, statusText(status, this.style));
    return EXIT.done;
  }
}

async function ask(data: string, signal: AbortSignal): Promise<Status> {
  const status = (await askAgent(data, 'status', { signal })) as Status;
  signal.throwIfAborted();
  return status;
}

/** @throws AgentError AGENT_NOT_RUNNING when there is none, or none that becomes ready, within a minute */
export async function waitUntilReady(data: string, signal: AbortSignal): Promise<Status> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const status = await ask(data, signal).catch((error: unknown) => {
      const isAbsent = error instanceof AgentError && error.code === 'AGENT_NOT_RUNNING';
      if (!isAbsent || performance.now() > end) throw error;
      return undefined;
    });
    if (status?.state === 'ready') return status;
    if (performance.now() > end) {
      throw new AgentError('AGENT_NOT_RUNNING', 'the agent is not ready after a minute; see daemoneye agent status');
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}
