import { basename } from 'node:path';
import type { BundleReader } from '../bundle/read-io.ts';
import { openVolumes, volumeAt } from '../bundle/volumes/open-volumes-io.ts';
import type { Lacking, NextVolume } from '../bundle/volumes/volume-set.ts';
import { count } from '../core/wording.ts';
import type { CliContext } from './command.ts';
import { askLine, canAsk } from './prompt-io.ts';

/** What a report calls a bundle that was given as one path or several. */
export function volumesName(paths: readonly string[]): string {
  const [first = '', ...others] = paths;
  return others.length === 0 ? basename(first) : `${basename(first)} and ${count(others.length, 'more volume')}`;
}

/** Opens what was given; on a terminal, whoever has more sticks is asked for the next while something is lacking. */
export function openGiven(paths: readonly string[], context: CliContext): () => Promise<BundleReader> {
  return () => openVolumes(paths, canAsk(context) ? askNext(context) : undefined);
}

function askNext(context: CliContext): NextVolume {
  return async (lacking) => {
    context.output.note(lackingText(lacking));
    const path = (await askLine(context, 'Path of the next volume (Enter: there is none): ', false)).trim();
    return path === '' ? undefined : volumeAt(path);
  };
}

function lackingText({ blobs, bytes, problem }: Lacking): string {
  const why = problem === undefined ? '' : `${problem.message} [${problem.code}]\n`;
  return `${why}${count(blobs.length, 'piece')} of the bundle, ${bytes} bytes, are still lacking.`;
}
