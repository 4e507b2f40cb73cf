import { lstatSync, realpathSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { BundleError } from './errors.ts';

/**
 * Refuses to overwrite anything, or to write the outcome into what it is made from.
 * @throws BundleError OUTPUT_EXISTS or OUTPUT_INSIDE_SOURCE; DurableError when the source or the place isn't there
 */
export function assertNewOutput(source: string, out: string): void {
  const shown = `"${escapeForTerminal(out)}"`;
  if (lstatSync(out, { throwIfNoEntry: false }) !== undefined) {
    throw new BundleError('OUTPUT_EXISTS', `${shown} exists already; remove it or choose another name`);
  }
  const [from, to] = [realPathOf(source), realPathOf(dirname(out))];
  // It would become part of its own source. Outside, the relative path climbs, or names another drive.
  if (!/^(?:\.\.(?:[/\\]|$)|[A-Za-z]:)/.test(relative(from, to))) {
    throw new BundleError('OUTPUT_INSIDE_SOURCE', `${shown} lies inside the source; choose a place outside of it`);
  }
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw durableErrorFrom(cause, 'open', path);
  }
}
