import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Medium, mountOf, unescapeUdev } from './medium.ts';

/** Where Linux tells of itself; another place in tests. */
export type SystemPlaces = { readonly proc: string; readonly sys: string; readonly dev: string };

const SYSTEM: SystemPlaces = { proc: '/proc', sys: '/sys', dev: '/dev' };
/** Of what a device says of itself. */
const MAX_TEXT = 128;

/**
 * What the system says of the medium that a file lies on; undefined where it says nothing (not Linux, no /proc). Never
 * throws: it is for people and logs, nothing is decided by it.
 */
export function mediumOf(file: string, { proc, sys, dev }: SystemPlaces = SYSTEM): Medium | undefined {
  const mountinfo = readText(join(proc, 'self/mountinfo'));
  const path = realPath(file);
  const mount = mountinfo === undefined || path === undefined ? undefined : mountOf(mountinfo, path);
  if (mount === undefined) return undefined;
  const { mountPoint, fileSystem, device } = mount;
  const block = realPath(join(sys, 'dev/block', device));
  if (block === undefined) return { mountPoint, fileSystem };
  // A partition lies in the directory of its disk.
  const disk = readText(join(block, 'partition')) === undefined ? block : dirname(block);
  const removable = readText(join(disk, 'removable'));
  const facts = {
    serial: serialOf(disk),
    uuid: nameOf(join(dev, 'disk/by-uuid'), basename(block)),
    label: nameOf(join(dev, 'disk/by-label'), basename(block)),
  };
  const known = Object.entries(facts).filter(([, fact]) => fact !== undefined);
  return {
    mountPoint,
    fileSystem,
    ...(removable === undefined ? {} : { removable: removable === '1' }),
    ...Object.fromEntries(known),
  };
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
  return name === undefined ? undefined : bounded(unescapeUdev(name));
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
    return path.endsWith('mountinfo') ? text : bounded(text.trim());
  } catch {
    return undefined;
  }
}

function bounded(text: string): string | undefined {
  return text === '' ? undefined : text.slice(0, MAX_TEXT).toWellFormed();
}
