/** What we read of /proc/PID/stat (proc_pid_stat(5); field numbers as there). */
export type StatLine = {
  readonly pid: number;
  /** (2) comm, at most 15 bytes (63 for some kernel threads): any bytes, spaces and parentheses included. */
  readonly comm: Uint8Array;
  /** (3) `Z` is a zombie, `X` is dead. */
  readonly state: string;
  readonly ppid: number;
  readonly group: number;
  readonly session: number;
  readonly tty: number;
  readonly isKernelThread: boolean;
  readonly threads: number;
  /** (22) clock ticks since boot, which never changes: with the pid, the identity. */
  readonly start: string;
  /**
   * (26) startcode and (28) startstack: chosen anew by every exec. `0 0` or `1 0` and the like when we may not look
   * (no ptrace access) or there is no program (kernel thread, zombie).
   */
  readonly image: string;
  /** Whether the image says anything. */
  readonly hasImage: boolean;
  /** (52) exit status as for waitpid; 0 when we may not look. */
  readonly exitStatus: number;
};

const OPEN = 0x28;
const CLOSE = 0x29;
const KERNEL_THREAD = 0x0020_0000;

/**
 * Parses a stat line. The name may contain anything, `) S 1` included: it ends at the last parenthesis.
 * @returns undefined for anything that isn't one (the read was cut short by the process's end)
 */
export function parseStatLine(line: Uint8Array): StatLine | undefined {
  const open = line.indexOf(OPEN);
  const close = line.lastIndexOf(CLOSE);
  if (open < 1 || close <= open) return undefined;
  const pid = Number(ascii(line.subarray(0, open - 1)));
  const fields = ascii(line.subarray(close + 2)).split(' ');
  const field = (number: number): string => fields[number - 3] ?? '';
  const start = field(22);
  if (!Number.isSafeInteger(pid) || !/^[0-9]+$/.test(start)) return undefined;
  const [startCode, startStack] = [field(26), field(28)];
  return {
    pid,
    comm: line.slice(open + 1, close),
    state: field(3),
    ppid: Number(field(4)),
    group: Number(field(5)),
    session: Number(field(6)),
    tty: Number(field(7)),
    isKernelThread: (Number(field(9)) & KERNEL_THREAD) !== 0,
    threads: Number(field(20)),
    start,
    image: `${startCode} ${startStack}`,
    hasImage: startStack !== '0' && startStack !== '',
    exitStatus: Number(field(52)) || 0,
  };
}

function ascii(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** `pts/3`, `tty1`; undefined for none, and for devices we have no name for. */
export function ttyName(device: number): string | undefined {
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  return major === 4 && minor < 64 ? `tty${minor}` : undefined;
}
