import { basename } from 'node:path';
import type { BundleReader, Decrypt } from '../bundle/read-io.ts';
import { openVolumes, type VolumeOptions, volumeAt } from '../bundle/volumes/open-volumes-io.ts';
import type { Lacking, NextVolume } from '../bundle/volumes/volume-set.ts';
import { decodeUtf8 } from '../core/bytes.ts';
import { count } from '../core/wording.ts';
import type { CliContext } from './command.ts';
import { readInputFile } from './files-io.ts';
import { askLine, canAsk } from './prompt-io.ts';

/** What a report calls a bundle that was given as one path or several. */
export function volumesName(paths: readonly string[]): string {
  const [first = '', ...others] = paths;
  return others.length === 0 ? basename(first) : `${basename(first)} and ${count(others.length, 'more volume')}`;
}

/** Opens what was given; on a terminal, whoever has more sticks is asked for the next while something is lacking. */
export function openGiven(
  paths: readonly string[],
  context: CliContext,
  options: VolumeOptions,
): () => Promise<BundleReader> {
  return () => openVolumes(paths, canAsk(context) ? askNext(context, options) : undefined, options);
}

/** Small: one line an identity, and comments. */
const MAX_IDENTITY_BYTES = 64 * 1024;

/**
 * What opens bundles that were encrypted, by files as age-keygen writes them.
 * @returns undefined when there are none @throws CliError as `readInputFile`
 */
export function decryptionBy(files: readonly string[]): Decrypt | undefined {
  if (files.length === 0) return undefined;
  const identities = files.flatMap((file) =>
    decodeUtf8(readInputFile(file, { maxBytes: MAX_IDENTITY_BYTES }))
      .split(/\r?\n/)
      .filter((line) => line !== '' && !line.startsWith('#')),
  );
  return async function* (pieces) {
    const { decryptWith } = await import('../seal/age-files.ts');
    yield* decryptWith(pieces, identities);
  };
}

function askNext(context: CliContext, options: VolumeOptions): NextVolume {
  return async (lacking) => {
    context.output.note(lackingText(lacking));
    const path = (await askLine(context, 'Path of the next volume (Enter: there is none): ', false)).trim();
    return path === '' ? undefined : volumeAt(path, options);
  };
}

function lackingText({ blobs, bytes, problem }: Lacking): string {
  const why = problem === undefined ? '' : `${problem.message} [${problem.code}]\n`;
  return `${why}${count(blobs.length, 'piece')} of the bundle, ${bytes} bytes, are still lacking.`;
}
