import { join } from 'node:path';

/** Where things lie in a data directory (docs/formats.md, "State on disk"). */
export type DataLayout = {
  readonly data: string;
  readonly trust: string;
  /** Every verified version of the trust root. */
  readonly roots: string;
  /** Files that the trust root pins for judging releases, by their digest. */
  readonly releases: string;
  /** The newest checkpoint of the install log, kept apart from the log: a log cut back to an older state shows. */
  readonly anchor: string;
  readonly keys: string;
  readonly logKey: string;
  readonly logPublicKey: string;
  readonly receiptKey: string;
  readonly receiptPublicKey: string;
  readonly bundles: string;
  readonly staging: string;
  readonly installLog: string;
};

export function dataLayout(data: string): DataLayout {
  const trust = join(data, 'trust');
  const keys = join(data, 'keys');
  return {
    data,
    trust,
    roots: join(trust, 'roots'),
    releases: join(trust, 'releases'),
    anchor: join(trust, 'install.checkpoint'),
    keys,
    logKey: join(keys, 'log.key.pem'),
    logPublicKey: join(keys, 'log.pub.pem'),
    receiptKey: join(keys, 'receipt.key.pem'),
    receiptPublicKey: join(keys, 'receipt.pub.pem'),
    bundles: join(data, 'bundles'),
    staging: join(data, 'staging'),
    installLog: join(data, 'logs', 'install'),
  };
}

/**
 * The directory of a channel: `/` becomes `~`, which no channel may contain. Nested directories would let the channel
 * `rules/5` collide with seq 5 of the channel `rules`.
 */
export function channelDirectory(layout: DataLayout, channel: string): string {
  return join(layout.bundles, channel.replaceAll('/', '~'));
}

/** Inside an activated bundle: the files at their install paths. */
export const FILES_DIRECTORY = 'files';
export const ACTIVE_LINK = 'active';
export const PREVIOUS_LINK = 'previous';
