import { Command } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { describeInstall } from '../../../install/describe-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { stepCommand, stepText } from '../../render/overview.ts';
import { renderStatus } from '../../render/status-screen.ts';

export class BundleStatus extends DaemonCommand {
  static override paths = [['bundle', 'status']];
  static override usage = Command.Usage({
    description: 'What is active, waiting, stale, and to be carried out, on one screen, with the next command of each.',
    details:
      'Words in capitals in a command are to be filled in: the path of a STICK, of a BUNDLE. What has no room is ' +
      'counted; bundle list and --json tell all of it. Changes nothing, and exits with 0 whatever there is to do.',
    examples: [['What is to be done here', '$0 bundle status']],
  });

  async run(): Promise<ExitCode> {
    const found = await describeInstall(this.dataDirectory, RELEASE.builtAt);
    const { state, root, overview, logs, steps } = found;
    const place = { data: this.data, enclave: root?.enclave };
    this.result(
      {
        ...(root?.enclave === undefined ? {} : { enclave: root.enclave }),
        floor: state.floor,
        root: root === undefined ? null : { version: root.version, payload: root.digest, expires: root.expires },
        ...overview,
        openReceipts: state.nonces.length,
        untold: state.untold,
        logs: logs.map(({ log, known }) => ({ log, ...(known ?? {}) })),
        steps: steps.map((step) => ({
          part: step.part,
          what: step.what,
          ...('channel' in step ? { channel: step.channel } : {}),
          ...('log' in step ? { log: step.log } : {}),
          text: stepText(step),
          command: stepCommand(step, place),
        })),
      },
      renderStatus(found, place, this.style),
    );
    return EXIT.done;
  }
}
