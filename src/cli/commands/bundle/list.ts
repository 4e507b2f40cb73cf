import { Command } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { readInstall } from '../../../install/install-io.ts';
import { loadPinnedRoot } from '../../../install/root-store-io.ts';
import { revokedAt, revokedBundles } from '../../../install/standing.ts';
import type { HeldBundle } from '../../../install/state.ts';
import { judgeHeads, placeIn } from '../../../verify/heads.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { renderRevoked } from '../../render/revoked.ts';

export class BundleList extends DaemonCommand {
  static override paths = [['bundle', 'list']];
  static override usage = Command.Usage({
    description: 'List the channels: what is active, what was before, the highest seq ever accepted.',
    examples: [['What this enclave holds', '$0 bundle list']],
  });

  async run(): Promise<ExitCode> {
    const { layout, state } = await readInstall(this.dataDirectory, RELEASE.builtAt);
    const root = state.root && loadPinnedRoot(layout, state);
    const heads = root && judgeHeads(root, state.heads?.envelope, state.floor);
    const known = heads !== undefined && 'document' in heads ? heads.document : undefined;
    const standing = (channel: string, held: HeldBundle) => {
      const revoked = root && revokedAt(root, state, channel, held);
      return revoked === undefined ? held : { ...held, revoked };
    };
    const channels = [...state.channels].map(([channel, { highest, active, previous }]) => {
      const newest = placeIn(known, channel);
      return {
        channel,
        highest,
        active: standing(channel, active),
        ...(previous === undefined ? {} : { previous: standing(channel, previous) }),
        ...(newest === undefined ? {} : { newest: { ...newest, asOf: known?.issuedAt } }),
      };
    });
    const width = Math.max(0, ...channels.map(({ channel }) => channel.length));
    const lines = channels.map(({ channel, active, previous, highest, newest }) => {
      const fresh = newest === undefined ? '' : `, newest ${newest.seq} as of ${newest.asOf}`;
      const before = previous === undefined ? '' : `, before it seq ${previous.seq}${taken(previous)}`;
      return `${channel.padEnd(width)}  seq ${active.seq} active${taken(active)}${before}, highest ${highest.seq}${fresh}  ${active.payload}`;
    });
    const revoked = root === undefined ? [] : revokedBundles(root, state);
    const floor = `time floor ${state.floor}`;
    this.result(
      { floor: state.floor, root: state.root ?? null, channels, openReceipts: state.nonces.length },
      [
        ...(lines.length > 0 ? lines : ['no bundle has been applied yet']),
        floor,
        ...renderRevoked(revoked, this.style),
      ].join('\n'),
    );
    return EXIT.done;
  }
}

/** What is revoked may be active, but is not in use. */
function taken(held: HeldBundle): string {
  return 'revoked' in held ? ' (REVOKED)' : '';
}
