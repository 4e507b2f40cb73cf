import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { dirname, relative } from 'node:path';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { BundleError } from './errors.ts';

/**
 * Refuses to overwrite anything, or to write the outcome into what it is made from.
 * @throws BundleError OUTPUT_EXISTS or OUTPUT_INSIDE_SOURCE; DurableError when the source or the place isn't there
 */
export function assertNewOutput(source: string, out: string): void {
  if (foundAt(out) !== undefined) throw outputExists(out);
  assertOutside(source, out);
}

/** Whatever has this name, not followed if it is a link. @throws DurableError */
export function foundAt(out: string): Stats | undefined {
  try {
    return lstatSync(out, { throwIfNoEntry: false });
  } catch (cause) {
    throw durableErrorFrom(cause, 'look for', out);
  }
}

export function outputExists(out: string): BundleError {
  const message = `"${escapeForTerminal(out)}" exists already; remove it or choose another name`;
  return new BundleError('OUTPUT_EXISTS', message);
}

/** @throws BundleError OUTPUT_INSIDE_SOURCE; DurableError when the source or the place isn't there */
export function assertOutside(source: string, out: string): void {
  const [from, to] = [realPathOf(source), realPathOf(dirname(out))];
  // It would become part of its own source. Outside, the relative path climbs, or names another drive.
  if (!/^(?:\.\.(?:[/\\]|$)|[A-Za-z]:)/.test(relative(from, to))) {
    throw new BundleError(
      'OUTPUT_INSIDE_SOURCE',
      `"${escapeForTerminal(out)}" lies inside the source; choose a place outside of it`,
    );
  }
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw durableErrorFrom(cause, 'open', path);
  }
}
