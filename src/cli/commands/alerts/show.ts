import { Command, Option } from 'clipanion';
import type { AlertRecord } from '../../../agent/alerts/record.ts';
import { askAgent } from '../../../agent/control/client-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { alertText } from './alert-text.ts';

export class AlertsShow extends DaemonCommand {
  static override paths = [['alerts', 'show']];
  static override usage = Command.Usage({
    description: 'Tell all of one alert: what hit, what was not seen, and the lines of the logs it rests on.',
    examples: [['One of those that alerts list names', '$0 alerts show 5d0827c7-e24d-48fd-a0f1-1bc11ae88d06']],
  });

  id = Option.String({ name: 'ALERT' });

  async run(): Promise<ExitCode> {
    const params = { id: this.id };
    const result = (await askAgent(this.dataDirectory, 'alerts.show', { params, signal: this.signal })) as {
      readonly alert: AlertRecord & { readonly trace_lines?: number };
    };
    this.signal.throwIfAborted();
    this.result(result.alert, alertText(result.alert, this.style));
    return EXIT.done;
  }
}
