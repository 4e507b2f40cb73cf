/** What we read of /proc/PID/status. */
export type StatusFile = {
  readonly realUid: string;
  readonly uid: string;
  readonly realGid: string;
  readonly gid: string;
  /** 0: nobody traces it. */
  readonly tracer: number;
};

/** @returns undefined if it was cut short by the process's end */
export function parseStatusFile(text: string): StatusFile | undefined {
  // Each at the start of a line: a process may call itself "Uid:\t0", but not with a newline (the kernel escapes it).
  const uid = /^Uid:\t([0-9]+)\t([0-9]+)/m.exec(text);
  const gid = /^Gid:\t([0-9]+)\t([0-9]+)/m.exec(text);
  const tracer = /^TracerPid:\t([0-9]+)/m.exec(text)?.[1];
  if (uid?.[1] === undefined || uid[2] === undefined) return undefined;
  if (gid?.[1] === undefined || gid[2] === undefined || tracer === undefined) return undefined;
  return { realUid: uid[1], uid: uid[2], realGid: gid[1], gid: gid[2], tracer: Number(tracer) };
}

/** Effective capabilities (CapEff) as a bit set; undefined if there are none to be read. */
export function parseCapabilities(status: string): bigint | undefined {
  const hex = /^CapEff:\t([0-9a-f]{1,16})$/m.exec(status)?.[1];
  return hex === undefined ? undefined : BigInt(`0x${hex}`);
}

/** The path in the unified hierarchy, or in the first one that isn't the root; bytes after two colons. */
export function cgroupPath(file: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  let found: Uint8Array | undefined;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(0x0a, at);
    const line = text.subarray(at, end === -1 ? text.length : end);
    at += line.length + 1;
    const first = line.indexOf(0x3a);
    const second = line.indexOf(0x3a, first + 1);
    const path = second > first ? line.subarray(second + 1) : line.subarray(0, 0);
    if (line.toString('latin1', 0, 3) === '0::' && path.length > 1) return new Uint8Array(path);
    if (path.length > 1) found ??= new Uint8Array(path);
  }
  return found;
}

/** The id that Docker, containerd, CRI-O and Podman put into the cgroup of a container. */
export function containerId(cgroup: string): string | undefined {
  return /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:\/|$)/.exec(cgroup)?.[1];
}
