import { Command } from 'clipanion';
import { stopAgent } from '../../../agent/control/client-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class AgentStop extends DaemonCommand {
  static override paths = [['agent', 'stop']];
  static override usage = Command.Usage({
    description: 'End the agent of this data directory, and wait until it and its collector have ended.',
    examples: [['Here', '$0 agent stop']],
  });

  async run(): Promise<ExitCode> {
    const data = this.dataDirectory;
    await stopAgent(data);
    this.result({ data, stopped: true }, `the agent for ${escapeForTerminal(data)} has ended`);
    return EXIT.done;
  }
}
