import type { Medium } from '../../bundle/medium.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';

/** Of which nobody can take a part for the next fact. */
const PLAIN = /^[A-Za-z0-9._:-]+$/;

/** `vfat at /media/usb, device sdb1, serial 4C530001, label "PLANT 7", uuid 1A2B-3C4D`, harmless on a terminal. */
export function mediumText({ mountPoint, fileSystem, device, serial, label, uuid }: Medium): string {
  const facts = Object.entries({ label, uuid }).flatMap(([name, fact]) => (fact ? `${name} ${quoted(fact)}` : []));
  return [
    `${escapeForTerminal(fileSystem)} at ${escapeForTerminal(mountPoint)}`,
    ...(device === undefined ? [] : [`device ${quoted(device)}`]),
    serial === undefined ? 'no serial number' : `serial ${quoted(serial)}`,
    ...facts,
  ].join(', ');
}

/** A label may hold what looks like the end of it, and a serial number after that. */
function quoted(fact: string): string {
  return PLAIN.test(fact) ? fact : `"${escapeForTerminal(fact).replaceAll('"', '\\x22')}"`;
}
