import { Command, Option } from 'clipanion';
import type { AlertRecord } from '../../../agent/alerts/record.ts';
import { askAgent } from '../../../agent/control/client-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { parseWholeNumber } from '../../whole-number.ts';
import { alertLine } from './alert-text.ts';

export class AlertsList extends DaemonCommand {
  static override paths = [['alerts', 'list']];
  static override usage = Command.Usage({
    description: 'List what the rules found, newest first; with --follow, as it happens.',
    details: 'With --follow and --json each alert is one JSON object on a line. Arguments are masked.',
    examples: [
      ['The last hundred', '$0 alerts list'],
      ['Watch', '$0 alerts list --follow'],
    ],
  });

  limit = Option.String('--limit', '100', { description: 'at most `N` alerts' });
  follow = Option.Boolean('--follow', false, { description: 'wait for new ones until interrupted' });

  async run(): Promise<ExitCode> {
    const data = this.dataDirectory;
    if (this.follow) return await this.#follow(data);
    const params = { limit: parseWholeNumber(this.limit, '--limit') };
    const result = (await askAgent(data, 'alerts.list', { params, signal: this.signal })) as {
      readonly alerts: readonly AlertRecord[];
    };
    this.signal.throwIfAborted();
    const lines = result.alerts.map((alert) => alertLine(alert, this.style));
    this.result(result, lines.length === 0 ? 'no alerts' : lines.join('\n'));
    return EXIT.done;
  }

  async #follow(data: string): Promise<ExitCode> {
    const { output } = this.context;
    const onEvent = (event: unknown) => {
      const text = this.json ? JSON.stringify(event) : alertLine(event as AlertRecord, this.style);
      return output.stream(`${text}\n`);
    };
    await askAgent(data, 'alerts.follow', { onEvent, signal: this.signal });
    return EXIT.done;
  }
}
