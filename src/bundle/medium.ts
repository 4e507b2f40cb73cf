/** What can be told of the medium that a file lies on. Whatever the system doesn't say is not there. */
export type Medium = {
  /** Where it is mounted. */
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** The system calls it removable; many sticks and all USB discs don't. */
  readonly removable?: boolean;
  /** Of the device, as its maker wrote it: anybody can make a stick that has another's. */
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
