import { Command } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { count } from '../../../core/wording.ts';
import { readInstall } from '../../../install/install-io.ts';
import { type ChannelFreshness, type ListedChannel, overviewOf } from '../../../install/overview-io.ts';
import { loadPinnedRoot } from '../../../install/root-store-io.ts';
import { revokedBundles } from '../../../install/standing.ts';
import type { HeldBundle } from '../../../install/state.ts';
import type { WaitingBundle } from '../../../install/waiting-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { mediumText } from '../../render/medium.ts';
import { renderRevoked } from '../../render/revoked.ts';

export class BundleList extends DaemonCommand {
  static override paths = [['bundle', 'list']];
  static override usage = Command.Usage({
    description: 'What is active, waiting, stale, and to be carried out, on one screen.',
    details:
      'Of each channel the active bundle, the one before, the highest seq ever accepted, and how new it can be shown to ' +
      'be; a bundle whose apply was interrupted; receipts without an answer; the time floor.',
    examples: [['What this enclave holds', '$0 bundle list']],
  });

  async run(): Promise<ExitCode> {
    const { layout, state } = await readInstall(this.dataDirectory, RELEASE.builtAt);
    const root = state.root && loadPinnedRoot(layout, state);
    const { channels, waiting } = overviewOf(layout, state, root);
    const width = Math.max(0, ...channels.map(({ channel }) => channel.length));
    const lines = channels.flatMap(({ channel, active, previous, highest, newest, freshness }) => {
      const fresh = newest === undefined ? '' : `, newest ${newest.seq} as of ${newest.asOf}`;
      const before = previous === undefined ? '' : `, before it seq ${previous.seq}${taken(previous)}`;
      return [
        `${channel.padEnd(width)}  seq ${active.seq} active${taken(active)}${before}, highest ${highest.seq}${fresh}  ${active.payload}`,
        `${' '.repeat(width)}  ${freshnessText(freshness)}`,
        ...(active.media === undefined
          ? []
          : [`${' '.repeat(width)}  came on ${active.media.map(mediumText).join('; ')}`]),
      ];
    });
    const revoked = root === undefined ? [] : revokedBundles(root, state);
    const floor = `time floor ${state.floor}`;
    this.result(
      { floor: state.floor, root: state.root ?? null, channels, waiting, openReceipts: state.nonces.length },
      [
        ...(lines.length > 0 ? lines : ['no bundle has been applied yet']),
        ...waiting.map(waitingText),
        floor,
        ...carryText(state.nonces.length, channels),
        ...renderRevoked(revoked, this.style),
      ].join('\n'),
    );
    return EXIT.done;
  }
}

function freshnessText({ status, reason, asOf }: ChannelFreshness): string {
  if (status === 'expired') return `EXPIRED: ${reason}`;
  return status === 'fresh' ? `fresh as of ${asOf}` : `not provably fresh: ${reason}`;
}

function waitingText({ payload, bytes }: WaitingBundle): string {
  return `waiting: ${payload}, whose apply was interrupted; ${bytes} bytes of it are here, and the next apply goes on`;
}

/** What is to leave with the next courier. */
function carryText(open: number, channels: readonly ListedChannel[]): string[] {
  if (open > 0)
    return [`carry out: ${count(open, 'receipt')} that nobody has answered yet (a new one: bundle receipt)`];
  return channels.every(({ freshness }) => freshness.status === 'fresh')
    ? []
    : ['carry out: a receipt (bundle receipt), which the publisher answers with what is newest'];
}

/** What is revoked may be active, but is not in use. */
function taken(held: HeldBundle): string {
  return 'revoked' in held ? ' (REVOKED)' : '';
}
