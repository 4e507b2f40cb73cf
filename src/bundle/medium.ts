import { utf8 } from '../core/bytes.ts';
import type { CarriedData, MediumData } from '../core/event-data.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';

/**
 * What can be told of the medium that a file lies on. Whatever the system doesn't say is not there. A device says what
 * it likes, and so does who formatted it: every text is as {@link boundedText} leaves it.
 */
export type Medium = {
  /** Where it is mounted. */
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** The kernel's name for it until it is pulled: `sdb1`. */
  readonly device?: string;
  /** The system calls it removable; many sticks and all USB discs don't. */
  readonly removable?: boolean;
  /** Of the device, as its maker wrote it: anybody can make a stick that has another's. Absent: it has none. */
  readonly serial?: string;
  /** Of the file system. */
  readonly uuid?: string;
  readonly label?: string;
};

export type Mount = {
  /** `major:minor`. */
  readonly device: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
};

/**
 * The mount that a path lies on.
 * @param mountinfo `/proc/self/mountinfo` (proc_pid_mountinfo(5)) @param path absolute, without links
 * @returns undefined if no line covers it
 */
export function mountOf(mountinfo: string, path: string): Mount | undefined {
  const covering = mountinfo
    .split('\n')
    .flatMap((line) => parseMount(line) ?? [])
    .filter(({ mountPoint }) => mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`));
  // Of two in one place the later one hides the earlier.
  return covering.reduce<Mount | undefined>(
    (best, mount) => (best !== undefined && best.mountPoint.length > mount.mountPoint.length ? best : mount),
    undefined,
  );
}

function parseMount(line: string): Mount | undefined {
  const [place = '', source = ''] = line.split(' - ');
  const [, , device, , mountPoint] = place.split(' ');
  const [fileSystem] = source.split(' ');
  if (device === undefined || mountPoint === undefined || fileSystem === undefined || fileSystem === '') {
    return undefined;
  }
  return { device, mountPoint: unescapeOctal(mountPoint), fileSystem };
}

/** Space, tab, newline and backslash stand there as `\040` and so on. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Names in /dev/disk/by-label: bytes that udev finds unsafe stand there as `\x20`. */
export function unescapeUdev(name: string): string {
  const bytes = name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => `%${hex}`);
  try {
    return decodeURIComponent(bytes);
  } catch {
    return name;
  }
}

/** Of anything that a device says of itself; a serial number of USB has at most 126 characters. */
export const MAX_FACT = 128;
/** Of a path or a kind of file system, which the system's owner chose, or what mounted it by its label. */
export const MAX_PLACE = 256;

/**
 * Text from a device, fit for a log and a terminal: what is not drawn is written out (`\x1b`), and what is longer ends
 * in `…`, so that nobody takes it for all of it.
 * @returns undefined when there is nothing
 */
export function boundedText(text: string, most = MAX_FACT): string | undefined {
  const shown = escapeForTerminal(text.trim());
  if (shown === '') return undefined;
  return shown.length <= most ? shown : `${shown.slice(0, most - 1).toWellFormed()}…`;
}

/** As many as a log line can name; a set of discs, read one after another, has one each. */
const MAX_MEDIA = 64;
/** Of all of them together, as JSON: a line of a log holds 65,535 bytes, and other things. */
const MAX_MEDIA_BYTES = 24 * 1024;

/**
 * What the log says of media.
 * @param media in the order they were met; those that a line has no room for are counted
 */
export function encodeMedia(media: readonly Medium[]): CarriedData {
  const told: MediumData[] = [];
  let bytes = 0;
  for (const medium of media) {
    const data = encodeMedium(medium);
    bytes += utf8(JSON.stringify(data)).length;
    if (told.length === MAX_MEDIA || bytes > MAX_MEDIA_BYTES) break;
    told.push(data);
  }
  const omitted = media.length - told.length;
  return {
    ...(told.length === 0 ? {} : { media: told }),
    ...(omitted === 0 ? {} : { media_omitted: omitted }),
  };
}

function encodeMedium({ mountPoint, fileSystem, serial, ...facts }: Medium): MediumData {
  return { mount_point: mountPoint, file_system: fileSystem, serial: serial ?? null, ...facts };
}

/** What a log entry says, as it was met. */
export function parseMedium({ mount_point, file_system, serial, ...facts }: MediumData): Medium {
  return { mountPoint: mount_point, fileSystem: file_system, ...facts, ...(serial === null ? {} : { serial }) };
}
