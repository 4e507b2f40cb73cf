/**
 * The fence of the operating system around a child that holds native code: its own file system with nothing in it but
 * what it was given to read, no network, no other processes. Pure: command lines in and out.
 */

export type FenceName = 'bubblewrap' | 'namespaces' | 'none';

/** In words, for `health`, the status line and reports. */
export const FENCE_WORDS: Readonly<Record<FenceName, string>> = {
  bubblewrap: 'fenced by bubblewrap',
  namespaces: 'fenced by namespaces',
  none: 'gate only: no fence of the operating system',
};

/** What this machine has to build fences with. */
export type FenceTools = {
  readonly isRoot: boolean;
  /** Absolute paths; absent when there is none. */
  readonly bwrap?: string;
  readonly unshare?: string;
  readonly setpriv?: string;
  /** Folders with the system's libraries: `/usr/lib`, `/lib64`. */
  readonly libraries: readonly string[];
  /** Links to those, as `/lib` is on most systems; path to target. */
  readonly links: Readonly<Record<string, string>>;
  /** Single files that the loader reads: `/etc/ld.so.cache`. */
  readonly files: readonly string[];
};

/** What the child may see, and run. */
export type Fenced = {
  /** Absolute paths of folders and files, read-only. */
  readonly folders: readonly string[];
  readonly files: readonly string[];
  readonly command: readonly string[];
};

/** Nobody: owns nothing, and is what no process of ours runs as. */
const NOBODY = '65534';

/** The fences to try here, best first; the last is none. */
export function fencesFor(platform: NodeJS.Platform, tools: FenceTools): readonly FenceName[] {
  if (platform !== 'linux') return ['none'];
  return [
    ...(tools.bwrap === undefined ? [] : (['bubblewrap'] as const)),
    ...(tools.unshare === undefined || tools.setpriv === undefined ? [] : (['namespaces'] as const)),
    'none',
  ];
}

/** The command that runs `fenced.command` behind that fence. Killing it kills everything behind it. */
export function fencedCommand(name: FenceName, tools: FenceTools, fenced: Fenced): readonly string[] {
  switch (name) {
    case 'none':
      return fenced.command;
    case 'bubblewrap':
      return bubblewrap(tools, fenced);
    case 'namespaces':
      return namespaces(tools, fenced);
  }
}

function bubblewrap({ bwrap = 'bwrap', libraries, links, files }: FenceTools, fenced: Fenced): readonly string[] {
  const seen = [...libraries, ...files, ...fenced.folders, ...fenced.files];
  return [
    bwrap,
    ...['--unshare-all', '--unshare-user', '--uid', NOBODY, '--gid', NOBODY, '--cap-drop', 'ALL'],
    ...['--die-with-parent', '--new-session', '--clearenv'],
    ...seen.flatMap((path) => ['--ro-bind', path, path]),
    ...Object.entries(links).flatMap(([path, target]) => ['--symlink', target, path]),
    ...['--chdir', '/', '--'],
    ...fenced.command,
  ];
}

/**
 * The same by hand, with util-linux: namespaces for mounts, network, processes and IPC; as root another user too, else
 * a user namespace without capabilities. `/sys` is where the new root is put together: it is always there, and nothing
 * that is given lies in it.
 *
 * chroot, because `umount` of the old root needs /proc, which containers don't let be mounted. Nobody gets out of it:
 * that takes CAP_SYS_CHROOT, which is gone, and the kernel refuses a chrooted process a user namespace to win it back.
 */
function namespaces(tools: FenceTools, fenced: Fenced): readonly string[] {
  const { unshare = 'unshare', setpriv = 'setpriv', isRoot } = tools;
  const asPerson = isRoot ? [] : ['--user', '--map-root-user'];
  const asNobody = isRoot ? ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups'] : [];
  // Last, since a change of user clears it: when `unshare` is killed, so is the child.
  const drop = [...asNobody, '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--pdeathsig', 'KILL'];
  const script = [
    'set -e',
    'mount -t tmpfs -o size=64k,mode=755,nosuid,nodev tmpfs /sys',
    ...[...tools.libraries, ...fenced.folders].map((path) => bind(path, `mkdir -p ${quote(`/sys${path}`)}`)),
    ...[setpriv, ...tools.files, ...fenced.files].map((path) => bind(path, makeFile(`/sys${path}`))),
    ...Object.entries(tools.links).map(([path, target]) => `ln -s ${quote(target)} ${quote(`/sys${path}`)}`),
    `exec chroot /sys ${[setpriv, ...drop].map(quote).join(' ')} "$@"`,
  ].join('\n');
  const apart = ['--mount', '--net', '--pid', '--ipc', '--uts', '--fork', '--kill-child=KILL'];
  // Whoever started it may be killed, too: then so is `unshare`, and with it everything behind it.
  const dying = [setpriv, '--pdeathsig', 'KILL', '--'];
  return [...dying, unshare, ...asPerson, ...apart, '--', '/bin/sh', '-c', script, 'fence', ...fenced.command];
}

function bind(path: string, make: string): string {
  return `${make} && mount -o bind,ro,nosuid,nodev ${quote(path)} ${quote(`/sys${path}`)}`;
}

function makeFile(path: string): string {
  return `mkdir -p ${quote(path.slice(0, path.lastIndexOf('/')))} && : > ${quote(path)}`;
}

/** For a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
