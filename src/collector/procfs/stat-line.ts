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
const SPACE = 0x20;
const MINUS = 0x2d;
const ZERO = 0x30;
const KERNEL_THREAD = 0x0020_0000;
/** The fields that are read behind the name and the state, by their numbers, ascending. */
const FIELDS: readonly number[] = [4, 5, 6, 7, 9, 20, 22, 26, 28, 52];

/**
 * Parses a stat line. The name may contain anything, `) S 1` included: it ends at the last parenthesis.
 * @returns undefined for anything that isn't one (the read was cut short by the process's end)
 */
export function parseStatLine(line: Uint8Array): StatLine | undefined {
  const open = line.indexOf(OPEN);
  const close = line.lastIndexOf(CLOSE);
  if (open < 1 || close <= open) return undefined;
  const pid = numberAt(line, 0);
  const [ppid = 0, group = 0, session = 0, tty = 0, flags = 0, threads = 0, start, code = 0, stack = 0, status = 0] =
    pick(line, close + 3);
  if (!Number.isSafeInteger(pid) || start === undefined || !Number.isSafeInteger(start)) return undefined;
  return {
    pid,
    comm: line.slice(open + 1, close),
    state: String.fromCharCode(line[close + 2] ?? SPACE),
    ppid,
    group,
    session,
    tty,
    isKernelThread: (flags & KERNEL_THREAD) !== 0,
    threads,
    start: String(start),
    image: `${code} ${stack}`,
    hasImage: stack !== 0,
    exitStatus: status || 0,
  };
}

/** @param from the space behind the state. Byte by byte: to cut a line into pieces costs ten times that. */
function pick(line: Uint8Array, from: number): number[] {
  const picked: number[] = [];
  for (let at = from, number = 3; at < line.length && picked.length < FIELDS.length; at += 1) {
    if (line[at] !== SPACE) continue;
    number += 1;
    if (number === FIELDS[picked.length]) picked.push(numberAt(line, at + 1));
  }
  return picked;
}

/** The decimal number that begins there; NaN if none does. */
function numberAt(line: Uint8Array, from: number): number {
  const isNegative = line[from] === MINUS;
  let at = isNegative ? from + 1 : from;
  let value = Number.NaN;
  for (; ; at += 1) {
    const digit = (line[at] ?? SPACE) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = (Number.isNaN(value) ? 0 : value) * 10 + digit;
  }
  return isNegative ? -value : value;
}

/** `pts/3`, `tty1`; undefined for none, and for devices we have no name for. */
export function ttyName(device: number): string | undefined {
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  return major === 4 && minor < 64 ? `tty${minor}` : undefined;
}
