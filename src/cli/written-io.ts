import type { Medium } from '../bundle/medium.ts';
import { mediumOf } from '../bundle/medium-io.ts';
import type { ReadBack } from '../bundle/read-back-io.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';

/** Where something was written, for the JSON of a command. */
export type Written = { readonly readBack: ReadBack; readonly medium?: Medium };

/** @param file one of those written; all lie beside it @param readBacks how each was read again */
export function writtenTo(file: string, readBacks: readonly ReadBack[]): Written {
  const readBack = readBacks.every((how) => how === 'medium') ? 'medium' : 'cache';
  const medium = mediumOf(file);
  return { readBack, ...(medium === undefined ? {} : { medium }) };
}

/** Lines for a person at the stick. What is not known to be so is not said. */
export function writtenText({ readBack, medium }: Written): string[] {
  const read =
    readBack === 'medium'
      ? "Written through, and read again from the medium itself, past the system's cache."
      : "Written through, and read again, though perhaps from the system's cache: look again on arrival.";
  // What lies on the system's own disk is not for carrying.
  if (medium === undefined || medium.mountPoint === '/') return [read];
  const { mountPoint, fileSystem, serial, label, uuid } = medium;
  const facts = Object.entries({ serial, label, uuid }).flatMap(([name, fact]) => (fact ? `${name} ${fact}` : []));
  const place = [`${fileSystem} at ${mountPoint}`, ...facts].map(escapeForTerminal).join(', ');
  return [read, `Medium: ${place}. Safe to remove once it is unmounted.`];
}
