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
  /** The keys of this host's logs, a pair for each; see {@link logKeyFiles}. */
  readonly logKeys: string;
  readonly receiptKey: string;
  readonly receiptPublicKey: string;
  readonly bundles: string;
  readonly staging: string;
  /** This host's own logs, a directory each. */
  readonly logs: string;
  readonly installLog: string;
};

/** The log that is the state of this data directory. */
export const INSTALL_LOG = 'install';

export function dataLayout(data: string): DataLayout {
  const trust = join(data, 'trust');
  const keys = join(data, 'keys');
  const logs = join(data, 'logs');
  return {
    data,
    trust,
    roots: join(trust, 'roots'),
    releases: join(trust, 'releases'),
    anchor: join(trust, 'install.checkpoint'),
    keys,
    logKeys: join(keys, 'logs'),
    receiptKey: join(keys, 'receipt.key.pem'),
    receiptPublicKey: join(keys, 'receipt.pub.pem'),
    bundles: join(data, 'bundles'),
    staging: join(data, 'staging'),
    logs,
    installLog: join(logs, INSTALL_LOG),
  };
}

/** The files of one log's key. */
export type LogKeyFiles = {
  readonly privateKey: string;
  readonly publicKey: string;
  /** While its key is being changed: the new private key, which may have taken over already. */
  readonly next: string;
  /** Held while its key is being changed. */
  readonly lock: string;
};

/** @param log the name of its directory */
export function logKeyFiles({ logKeys }: DataLayout, log: string): LogKeyFiles {
  const at = (ending: string) => join(logKeys, `${log}.${ending}`);
  return { privateKey: at('key.pem'), publicKey: at('pub.pem'), next: at('next.pem'), lock: at('lock') };
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
