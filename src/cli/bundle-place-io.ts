import type { BundleKind } from '../bundle/format.ts';
import { inspectBundle } from '../bundle/inspect-io.ts';
import type { BundleStatement } from '../bundle/statement.ts';
import { usageError } from './errors.ts';

/**
 * Where a bundle that is built belongs: the first of a channel, or the next after another bundle.
 * @param channel of `--channel` @param after of `--after`: a bundle, of which nothing is verified
 * @throws CliError USAGE_OPTION; as `inspectBundle`
 */
export async function placeToBuild(
  kind: BundleKind,
  channel: string | undefined,
  after: string | undefined,
): Promise<Pick<BundleStatement, 'channel' | 'seq' | 'prev'>> {
  if (after !== undefined) {
    const { statement, payload } = await inspectBundle(after);
    if (channel !== undefined && channel !== statement.channel) {
      throw usageError('USAGE_OPTION', `--after is on ${statement.channel}, --channel says ${channel}`);
    }
    return { channel: statement.channel, seq: statement.seq + 1, prev: payload };
  }
  if (channel === undefined) throw usageError('USAGE_OPTION', 'say where it belongs: --channel, or --after');
  if (channel.split('/')[0] !== kind) {
    const message = `--channel ${channel}: a bundle of kind ${kind} belongs on a channel ${kind}/…`;
    throw usageError('USAGE_OPTION', message);
  }
  return { channel, seq: 1, prev: null };
}
