import { type BigIntStats, statSync } from 'node:fs';
import { equalBytes } from '../../core/bytes.ts';
import type { Entity, Milliseconds, ProcessExecData } from '../../core/event-data.ts';
import type { ProcessObservation, Secret } from '../source.ts';
import { fileVersion, type HashCache } from './executable-hashes-io.ts';
import { ProcFile, readProc, readProcLink, readProcText, textFields, type Unread } from './read-io.ts';
import { parseStatLine, type StatLine, ttyName } from './stat-line.ts';
import { cgroupPath, containerId, parseStatusFile } from './status-file.ts';

export type ReadOptions = {
  readonly hashes: HashCache;
  readonly environment: boolean;
  /** When the machine started, Unix milliseconds. */
  readonly bootTime: Milliseconds;
  readonly entityOf: (pid: number, start: string) => Entity;
  /** The process of that pid, if it is old enough to be the parent of one that started then. */
  readonly parentOf: (ppid: number, start: string) => Entity | undefined;
};

/** All that is read of one process at once. */
export type ReadProcess = {
  readonly stat: StatLine;
  readonly data: ProcessObservation['data'];
  readonly argv: Secret;
  readonly env: Secret | undefined;
  /** Of its program file; undefined if it has none or we may not look. */
  readonly version: string | undefined;
};

/** Bytes of arguments or environment that are kept; the kernel allows megabytes. */
export const MAX_SECRET_BYTES = 256 * 1024;
/** USER_HZ, which the kernel shows to programs as 100 whatever its own clock. */
export const TICKS_PER_SECOND = 100;
const ATTEMPTS = 3;
const DELETED = Buffer.from(' (deleted)');

export function readStat(pid: number): StatLine | Unread {
  const line = readProc(`/proc/${pid}/stat`);
  return typeof line === 'string' ? line : (parseStatLine(line) ?? 'lost');
}

/**
 * Reads a process. Everything between two looks at its stat line belongs to one process only if the second, through the
 * descriptor of the first, still finds it: if the pid was reused meanwhile, what was read is somebody else's and thrown
 * away; if it became another program, it is read again.
 * @returns undefined if there is no such process any more
 */
export function readProcess(pid: number, options: ReadOptions): ReadProcess | undefined {
  const file = ProcFile.open(`/proc/${pid}/stat`);
  if (typeof file === 'string') return undefined;
  using _ = file;
  let line = file.read();
  let last: ReadProcess | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const before = typeof line === 'string' ? undefined : parseStatLine(line);
    if (typeof line === 'string' || before === undefined) return last;
    const read = readAll(before, options);
    const again = file.read();
    // Gone: whoever has its pid now is another.
    if (typeof again === 'string') return typeof readStat(pid) === 'string' ? read : lostProcess(before, options);
    if (equalBytes(again, line)) return read;
    const after = parseStatLine(again);
    if (after === undefined || after.image === before.image || after.state === 'Z') return read;
    last = read;
    line = again;
  }
  return last;
}

function readAll(stat: StatLine, options: ReadOptions): ReadProcess {
  const { pid } = stat;
  const unreadable = { lost: new Set<string>(), denied: new Set<string>() };
  const program = stat.isKernelThread ? { fields: KERNEL_THREAD } : readProgram(pid, options.hashes, unreadable);
  const isGone = stat.state === 'Z' || stat.state === 'X';
  const argv: Secret = stat.isKernelThread
    ? { state: 'captured', bytes: new Uint8Array() }
    : readSecret(`/proc/${pid}/cmdline`, isGone);
  const env = options.environment && !stat.isKernelThread ? readSecret(`/proc/${pid}/environ`, isGone) : undefined;
  const data = {
    ...identityFields(stat, options),
    ...program.fields,
    ...readWorkingDirectory(stat, unreadable),
    ...readStatus(pid, unreadable),
    ...readCgroup(pid, unreadable),
    ...listed('lost', unreadable.lost),
    ...listed('denied', unreadable.denied),
  };
  return { stat, data, argv, env, version: program.version };
}

const KERNEL_THREAD = { process_executable_state: 'none' } as const;

/** Only what the first stat line said: the rest could be another process's. */
function lostProcess(stat: StatLine, options: ReadOptions): ReadProcess {
  const data = { ...identityFields(stat, options), lost: ['process_executable', 'process_cgroup', 'user_id'] };
  const env: Secret | undefined = options.environment ? { state: 'lost' } : undefined;
  return { stat, data, argv: { state: 'lost' }, env, version: undefined };
}

function identityFields(stat: StatLine, { bootTime, entityOf, parentOf }: ReadOptions) {
  const { pid, start, ppid, session, group } = stat;
  const parent = parentOf(ppid, start);
  const tty = ttyName(stat.tty);
  return {
    event_provider: 'procfs',
    entity: entityOf(pid, start),
    process_pid: pid,
    ...textFields('process_name', stat.comm),
    process_start: Math.round(bootTime + (Number(start) * 1000) / TICKS_PER_SECOND),
    ...(parent === undefined ? {} : { parent_entity: parent }),
    process_parent_pid: ppid,
    // 0 and -1 stand for none, and for one outside of our pid namespace.
    ...(session > 0 ? { process_session_leader_pid: session } : {}),
    ...(group > 0 ? { process_group_leader_pid: group } : {}),
    ...(tty === undefined ? {} : { process_tty: tty }),
  } satisfies Partial<ProcessExecData>;
}

type Unreadable = { readonly lost: Set<string>; readonly denied: Set<string> };

function note(unreadable: Unreadable, why: Unread, ...fields: readonly string[]): void {
  for (const field of fields) unreadable[why].add(field);
}

function listed<N extends string>(name: N, fields: ReadonlySet<string>): { readonly [K in N]?: readonly string[] } {
  return fields.size === 0 ? {} : ({ [name]: [...fields] } as { [K in N]: string[] });
}

function readProgram(pid: number, hashes: HashCache, unreadable: Unreadable) {
  const link = readProcLink(`/proc/${pid}/exe`);
  if (typeof link === 'string') {
    note(unreadable, link, 'process_executable', 'process_hash_sha256', 'process_hash_blake3');
    return { fields: {} };
  }
  const stats = statProgram(`/proc/${pid}/exe`);
  const { path, state } = judgeLink(pid, link, stats);
  const named = { ...textFields('process_executable', path), process_executable_state: state };
  if (stats === undefined) {
    note(unreadable, 'lost', 'process_hash_sha256', 'process_hash_blake3');
    return { fields: named };
  }
  const hashed = hashes.of(pid, stats);
  if (hashed === undefined) note(unreadable, 'lost', 'process_hash_sha256', 'process_hash_blake3');
  const fields = {
    ...named,
    process_executable_inode: String(stats.ino),
    process_executable_device: String(stats.dev),
    ...(hashed === undefined ? {} : { process_hash_sha256: hashed.sha256, process_hash_blake3: hashed.blake3 }),
  };
  return { fields, version: fileVersion(stats) };
}

function statProgram(path: string | Buffer): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/**
 * What the kernel's link says. " (deleted)" is its own addition unless the file is really called so, which its inode
 * tells; the path is looked up in the process's own mount namespace.
 */
function judgeLink(pid: number, link: Uint8Array, stats: BigIntStats | undefined) {
  const text = Buffer.from(link);
  if (text.toString('latin1', 0, 7) === '/memfd:') return { path: withoutMark(text), state: 'memory' } as const;
  if (!text.subarray(-DELETED.length).equals(DELETED)) return { path: link, state: 'file' } as const;
  if (isFileAt(pid, text, stats)) return { path: link, state: 'file' } as const;
  const path = withoutMark(text);
  const there = statProgram(Buffer.concat([Buffer.from(`/proc/${pid}/root`), path]));
  return { path, state: there === undefined ? 'deleted' : 'replaced' } as const;
}

function withoutMark(link: Buffer): Uint8Array {
  const marked = link.subarray(-DELETED.length).equals(DELETED);
  return new Uint8Array(marked ? link.subarray(0, -DELETED.length) : link);
}

function isFileAt(pid: number, path: Buffer, stats: BigIntStats | undefined): boolean {
  const there = statProgram(Buffer.concat([Buffer.from(`/proc/${pid}/root`), path]));
  return there !== undefined && there.ino === stats?.ino && there.dev === stats.dev;
}

function readSecret(path: string, isGone: boolean): Secret {
  const bytes = readProc(path, MAX_SECRET_BYTES);
  if (typeof bytes === 'string') return { state: bytes };
  // A program always has a name for itself; nothing at all means that it has ended.
  if (bytes.length === 0 && (isGone || path.endsWith('cmdline'))) return { state: 'lost' };
  if (bytes.length <= MAX_SECRET_BYTES) return { state: 'captured', bytes };
  return { state: 'captured', bytes: bytes.slice(0, MAX_SECRET_BYTES), truncated: true };
}

function readWorkingDirectory({ pid, isKernelThread }: StatLine, unreadable: Unreadable) {
  if (isKernelThread) return {};
  const link = readProcLink(`/proc/${pid}/cwd`);
  if (typeof link !== 'string') return textFields('process_working_directory', link);
  note(unreadable, link, 'process_working_directory');
  return {};
}

function readStatus(pid: number, unreadable: Unreadable) {
  const text = readProcText(`/proc/${pid}/status`);
  const status = text === 'lost' || text === 'denied' ? undefined : parseStatusFile(text);
  if (status === undefined) {
    note(unreadable, text === 'denied' ? 'denied' : 'lost', 'user_id', 'real_user_id', 'group_id', 'real_group_id');
    return {};
  }
  return {
    user_id: status.uid,
    real_user_id: status.realUid,
    group_id: status.gid,
    real_group_id: status.realGid,
    process_tracer_pid: status.tracer,
  };
}

type CgroupFields = Pick<ProcessExecData, 'process_cgroup' | 'process_cgroup_raw' | 'container_id'>;

/** By the file's content, since many processes share theirs; emptied when it has grown. */
const cgroups = new Map<string, CgroupFields>();
const MAX_CGROUPS = 1024;

function readCgroup(pid: number, unreadable: Unreadable): CgroupFields {
  const file = readProcText(`/proc/${pid}/cgroup`);
  if (file === 'lost' || file === 'denied') {
    note(unreadable, file, 'process_cgroup');
    return {};
  }
  let fields = cgroups.get(file);
  if (fields === undefined) {
    const bytes = file.includes('\ufffd') ? readProc(`/proc/${pid}/cgroup`) : Buffer.from(file);
    fields = typeof bytes === 'string' ? {} : parseCgroup(bytes);
    // Two names that are no text may look the same as text.
    if (file.includes('\ufffd')) return fields;
    if (cgroups.size >= MAX_CGROUPS) cgroups.clear();
    cgroups.set(file, fields);
  }
  return fields;
}

function parseCgroup(file: Uint8Array): CgroupFields {
  const path = cgroupPath(file);
  if (path === undefined) return { process_cgroup: '/' };
  const fields = textFields('process_cgroup', path);
  const container = containerId(fields.process_cgroup ?? '');
  return { ...fields, ...(container === undefined ? {} : { container_id: container }) };
}
