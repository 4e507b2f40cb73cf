import { Command } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { describeInstall } from '../../../install/describe-io.ts';
import type { ListedChannel } from '../../../install/overview-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { mediumText } from '../../render/medium.ts';
import { freshnessText, stepText, takenText, waitingText } from '../../render/overview.ts';
import { renderRevoked } from '../../render/revoked.ts';

export class BundleList extends DaemonCommand {
  static override paths = [['bundle', 'list']];
  static override usage = Command.Usage({
    description: 'All that this enclave holds, channel by channel.',
    details:
      'Of each channel the active bundle, the one before, the highest seq ever accepted, how new it can be shown to be, ' +
      'and what it came on; a bundle whose apply was interrupted; the time floor. What is to be done: bundle status.',
    examples: [['What this enclave holds', '$0 bundle list']],
  });

  async run(): Promise<ExitCode> {
    const { state, overview, revoked, steps } = await describeInstall(this.dataDirectory, RELEASE.builtAt);
    const { channels, waiting } = overview;
    const width = Math.max(0, ...channels.map(({ channel }) => channel.length));
    const carried = steps.filter(({ part }) => part === 'carry-out');
    this.result(
      { floor: state.floor, root: state.root ?? null, channels, waiting, openReceipts: state.nonces.length },
      [
        ...(channels.length > 0 ? channels.flatMap((one) => lines(one, width)) : ['no bundle has been applied yet']),
        ...waiting.map(
          (bundle) => `waiting: ${[bundle.payload, ...waitingText(bundle, Number.POSITIVE_INFINITY)].join('\n  ')}`,
        ),
        `time floor ${state.floor}`,
        ...carried.map((step) => `carry out: ${stepText(step)}`),
        ...renderRevoked(revoked, this.style),
      ].join('\n'),
    );
    return EXIT.done;
  }
}

function lines({ channel, active, previous, highest, newest, freshness }: ListedChannel, width: number): string[] {
  const fresh = newest === undefined ? '' : `, newest ${newest.seq} as of ${newest.asOf}`;
  const before = previous === undefined ? '' : `, before it seq ${previous.seq}${takenText(previous)}`;
  const beside = ' '.repeat(width);
  return [
    `${channel.padEnd(width)}  seq ${active.seq} active${takenText(active)}${before}, highest ${highest.seq}${fresh}  ${active.payload}`,
    `${beside}  ${freshnessText(freshness)}`,
    ...(active.media === undefined ? [] : [`${beside}  came on ${active.media.map(mediumText).join('; ')}`]),
  ];
}
