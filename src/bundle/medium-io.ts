import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { boundedText, MAX_PLACE, type Medium, mountOf, unescapeUdev } from './medium.ts';

/** Where Linux tells of itself; another place in tests. */
export type SystemPlaces = { readonly proc: string; readonly sys: string; readonly dev: string };

const SYSTEM: SystemPlaces = { proc: '/proc', sys: '/sys', dev: '/dev' };
/** A file system on a volume on an encrypted partition: there are no more floors than that. */
const MAX_FLOORS = 8;

/**
 * What the system says of the medium that a file lies on; undefined where it says nothing (not Linux, no /proc). Never
 * throws: it is for people and logs, nothing is decided by it.
 */
export function mediumOf(file: string, { proc, sys, dev }: SystemPlaces = SYSTEM): Medium | undefined {
  const mountinfo = readText(join(proc, 'self/mountinfo'));
  const path = realPath(file);
  const mount = mountinfo === undefined || path === undefined ? undefined : mountOf(mountinfo, path);
  if (mount === undefined) return undefined;
  const { device } = mount;
  const place = {
    mountPoint: boundedText(mount.mountPoint, MAX_PLACE) ?? '/',
    fileSystem: boundedText(mount.fileSystem) ?? '?',
  };
  const block = realPath(join(sys, 'dev/block', device));
  if (block === undefined) return place;
  const disk = diskOf(block);
  const removable = readText(join(disk, 'removable'));
  const facts = {
    device: boundedText(basename(block)),
    serial: serialOf(disk),
    uuid: nameOf(join(dev, 'disk/by-uuid'), basename(block)),
    label: nameOf(join(dev, 'disk/by-label'), basename(block)),
  };
  const known = Object.entries(facts).filter(([, fact]) => fact !== undefined);
  return {
    ...place,
    ...(removable === undefined ? {} : { removable: removable === '1' }),
    ...Object.fromEntries(known),
  };
}

/** The disk behind it: under an encrypted or mapped device lies what it is made of, when that is one thing. */
function diskOf(block: string): string {
  let device = block;
  for (let floor = 0; floor < MAX_FLOORS; floor += 1) {
    const [below, ...others] = listed(join(device, 'slaves'));
    const found = below === undefined || others.length > 0 ? undefined : realPath(join(device, 'slaves', below));
    if (found === undefined) break;
    device = found;
  }
  // A partition lies in the directory of its disk.
  return readText(join(device, 'partition')) === undefined ? device : dirname(device);
}

/** Of the disk (virtio; NVMe, memory cards), or of the USB device that it is a part of. */
function serialOf(disk: string): string | undefined {
  const own = readText(join(disk, 'serial')) ?? readText(join(disk, 'device/serial'));
  if (own !== undefined) return own;
  for (let place = dirname(disk); place !== dirname(place); place = dirname(place)) {
    // The first one upwards is the stick; above it come hubs, which have serial numbers too.
    if (readText(join(place, 'idVendor')) !== undefined) return readText(join(place, 'serial'));
  }
  return undefined;
}

/** The link in a directory of udev's that leads to this device. */
function nameOf(directory: string, device: string): string | undefined {
  const name = listed(directory).find((link) => basename(realPath(join(directory, link)) ?? '') === device);
  return name === undefined ? undefined : boundedText(unescapeUdev(name));
}

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return path.endsWith('mountinfo') ? text : boundedText(text);
  } catch {
    return undefined;
  }
}

/** Files, and the media that they lie on, each told once, in the order they were met. */
export class MediaSeen {
  readonly #media = new Map<string, Medium>();
  readonly #files = new Set<string>();

  /** @param file one that is about to be read, or where one is about to be written; what is on no mount of its own is passed over */
  note(file: string): void {
    this.#files.add(basename(file));
    const medium = mediumOf(file);
    // What lies on the system's own disk is not for carrying.
    if (medium !== undefined && medium.mountPoint !== '/') this.#media.set(JSON.stringify(medium), medium);
  }

  /** Their names. */
  get files(): readonly string[] {
    return [...this.#files];
  }

  get media(): readonly Medium[] {
    return [...this.#media.values()];
  }
}
