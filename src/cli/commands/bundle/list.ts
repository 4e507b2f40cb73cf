import { Command } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { readInstall } from '../../../install/install-io.ts';
import { loadPinnedRoot } from '../../../install/root-store-io.ts';
import { judgeHeads, placeIn } from '../../../verify/heads.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class BundleList extends DaemonCommand {
  static override paths = [['bundle', 'list']];
  static override usage = Command.Usage({
    description: 'List the channels: what is active, what was before, the highest seq ever accepted.',
    examples: [['What this enclave holds', '$0 bundle list']],
  });

  async run(): Promise<ExitCode> {
    const { layout, state } = await readInstall(this.dataDirectory, RELEASE.builtAt);
    const heads = state.heads && judgeHeads(loadPinnedRoot(layout, state), state.heads.envelope, state.floor);
    const known = heads !== undefined && 'document' in heads ? heads.document : undefined;
    const channels = [...state.channels].map(([channel, held]) => {
      const newest = placeIn(known, channel);
      return { channel, ...held, ...(newest === undefined ? {} : { newest: { ...newest, asOf: known?.issuedAt } }) };
    });
    const width = Math.max(0, ...channels.map(({ channel }) => channel.length));
    const lines = channels.map(({ channel, active, previous, highest, newest }) => {
      const fresh = newest === undefined ? '' : `, newest ${newest.seq} as of ${newest.asOf}`;
      const before = previous === undefined ? '' : `, before it seq ${previous.seq}`;
      return `${channel.padEnd(width)}  seq ${active.seq} active${before}, highest ${highest.seq}${fresh}  ${active.payload}`;
    });
    const floor = `time floor ${state.floor}`;
    this.result(
      { floor: state.floor, root: state.root ?? null, channels, openReceipts: state.nonces.length },
      [...(lines.length > 0 ? lines : ['no bundle has been applied yet']), floor].join('\n'),
    );
    return EXIT.done;
  }
}
