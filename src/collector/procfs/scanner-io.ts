import { hash } from 'node:crypto';
import { formatEntity } from '../../core/event.ts';
import type { Entity, ProcessExitData } from '../../core/event-data.ts';
import type { Followed, Observation, ProcessEventType, Secret } from '../source.ts';
import type { HashCache } from './executable-hashes-io.ts';
import { type ReadOptions, type ReadProcess, readProcess, readStat } from './process-io.ts';
import { childrenOf, listProcesses, readCensus } from './process-list-io.ts';
import { type Known, mayHaveExeced, ProcessTable, type Subject } from './process-table.ts';
import type { StatLine } from './stat-line.ts';
import { Turns } from './turns.ts';

export type ScannerOptions = {
  readonly host: string;
  readonly boot: string;
  readonly hashes: HashCache;
  readonly environment: boolean;
  readonly bootTime: number;
  readonly emit: (observation: Observation) => void;
};

/** Processes in a slice of the first look. */
const SLICE = 256;
/** Rounds of which at least one lists what there is. */
const LISTED_EVERY = 8;

/** Parents of parents that are told first. */
const MAX_PENDING = 64;

/** Looks at /proc and tells what is new since the last look: starts, then new programs, then exits. */
export class Scanner {
  readonly table = new ProcessTable();
  readonly #options: ScannerOptions;
  readonly #read: ReadOptions;
  #isFirst = true;
  readonly #turns = new Turns();
  /** As the kernel counted them before the last listing; undefined where it doesn't. */
  #census: string | undefined;
  /** Rounds since that. */
  #unlisted = 0;
  /** What a process is told as that the present look finds. */
  #type: ProcessEventType = 'process.start';
  /** Looked at since the present look listed what there is. */
  readonly #looked = new Set<number>();
  /** Being told: their parents are told first. */
  readonly #pending = new Set<number>();
  /** Processes of which something was denied, at the last reading of each. */
  readonly #denied = new Set<Entity>();

  constructor(options: ScannerOptions) {
    this.#options = options;
    const { host, boot, hashes, environment, bootTime } = options;
    // Checked once: what follows it are digits.
    const machine = formatEntity({ host, boot, pid: 0, start: '0' }).slice(0, -'0:0'.length);
    this.#read = {
      hashes,
      environment,
      bootTime,
      entityOf: (pid, start) => `${machine}${pid}:${start}`,
      parentOf: (ppid, start) => this.#parentOf(ppid, start),
    };
  }

  get denied(): number {
    return this.#denied.size;
  }

  /**
   * Looks at every process. What the first look finds was there before: process.snapshot.
   * @throws CollectorError PROCFS_UNAVAILABLE
   */
  scan(): void {
    this.#round(() => true);
  }

  /**
   * The first {@link scan} in slices, between which others get their turn: what ten thousand processes tell at once
   * would be much to hold in memory, and nobody would be answered meanwhile.
   */
  *scanInSlices(): Generator<void, void, undefined> {
    this.#census = readCensus();
    const pids = listProcesses();
    for (let from = 0; from < pids.length; from += SLICE) {
      this.#options.hashes.newRound();
      this.#looked.clear();
      this.#type = this.#isFirst ? 'process.snapshot' : 'process.start';
      for (const pid of pids.slice(from, from + SLICE)) this.#look(pid);
      this.#type = 'process.start';
      yield;
    }
    this.#isFirst = false;
  }

  /**
   * As {@link scan}, but of what is known looks only at the young, who are about to become another program, and in turn
   * at some of the old: listing costs a microsecond a process, looking fifteen. While the kernel's own count says that
   * nothing began or ended, nothing is listed either, except every few rounds.
   */
  scanLightly(): void {
    const isDue = this.#turns.begin(this.table.size);
    if (this.#isUnchanged()) this.#revisit(isDue);
    else this.#round(isDue);
    this.#turns.end((pid) => this.table.get(pid) !== undefined);
  }

  #isUnchanged(): boolean {
    this.#unlisted += 1;
    return this.#unlisted < LISTED_EVERY && this.#census !== undefined && readCensus() === this.#census;
  }

  #revisit(isDue: (pid: number) => boolean): void {
    this.#options.hashes.newRound();
    this.#looked.clear();
    for (const { pid } of this.table.values()) if (isDue(pid)) this.#look(pid);
  }

  #round(isDue: (pid: number) => boolean): void {
    this.#options.hashes.newRound();
    // Counted before it is listed: what begins in between is found by the next look.
    this.#census = readCensus();
    this.#unlisted = 0;
    const pids = listProcesses();
    this.#type = this.#isFirst ? 'process.snapshot' : 'process.start';
    this.#isFirst = false;
    this.#looked.clear();
    for (const pid of pids) if (this.table.get(pid) === undefined || isDue(pid)) this.#look(pid);
    this.#type = 'process.start';
    const present = new Set(pids);
    for (const known of this.table.values()) {
      if (!present.has(known.pid) && !this.#looked.has(known.pid)) this.#ended(known);
    }
  }

  /** Looks only at these and at what they have started since; cheap enough for every few milliseconds. */
  scanDescent(roots: Iterable<Known>): void {
    this.#options.hashes.newRound();
    this.#looked.clear();
    const pending = [...roots];
    for (let known = pending.pop(); known !== undefined; known = pending.pop()) {
      const stat = readStat(known.pid);
      if (typeof stat === 'string' || stat.start !== known.start) {
        if (stat !== 'denied') this.#ended(known);
        continue;
      }
      this.#compare(known, stat);
      for (const child of childrenOf(known.pid, stat.threads)) {
        if (this.table.get(child) !== undefined) continue;
        this.#look(child);
        const born = this.table.get(child);
        if (born !== undefined) pending.push(born);
      }
    }
  }

  /** The living that descend from the root, nearest first, the root included if it lives. */
  descendants(root: Entity, depth: number): (Followed & { readonly known: Known })[] {
    const ancestors = this.table.ancestors();
    const found = [...this.table.values()].flatMap((known) => {
      const distance = known.exited ? undefined : this.table.distance(known.entity, root, ancestors);
      return distance === undefined || distance > depth ? [] : [{ entity: known.entity, depth: distance, known }];
    });
    return found.sort((a, b) => a.depth - b.depth);
  }

  /** Tells anew what a process is. */
  snapshot(known: Known): void {
    const read = readProcess(known.pid, this.#read);
    if (read !== undefined && read.stat.start === known.start) this.#tell('process.snapshot', read, known);
  }

  /** A program's hashes are known now: told of those that run it. */
  hashed(version: string): void {
    for (const known of this.table.values()) if (known.version === version && !known.exited) this.snapshot(known);
  }

  #look(pid: number): void {
    if (this.#looked.has(pid)) return;
    this.#looked.add(pid);
    const known = this.table.get(pid);
    if (known === undefined) {
      this.#started(pid);
      return;
    }
    const stat = readStat(pid);
    if (typeof stat === 'string') {
      if (stat === 'lost') this.#ended(known);
    } else if (stat.start === known.start) {
      this.#compare(known, stat);
    } else {
      // The pid was used again between two looks.
      this.#ended(known);
      this.#started(pid);
    }
  }

  #started(pid: number): void {
    const type = this.#type;
    this.#pending.add(pid);
    const read = readProcess(pid, this.#read);
    this.#pending.delete(pid);
    if (read === undefined) return;
    const { stat, data } = read;
    const known: Known = {
      pid,
      start: stat.start,
      entity: data.entity,
      ancestor: data.parent_entity,
      isKernelThread: stat.isKernelThread,
      subject: {},
      image: '',
      program: { path: undefined, raw: undefined },
      argvDigest: undefined,
      version: undefined,
      exited: false,
    };
    this.table.add(known);
    if (type === 'process.start') this.#turns.add(pid);
    this.#tell(type, read, known);
    this.#noticeExit(known, stat);
  }

  #compare(known: Known, stat: StatLine): void {
    if (known.exited) return;
    const isZombie = stat.state === 'Z' || stat.state === 'X';
    if (!isZombie && mayHaveExeced(known, stat)) this.#reread(known, stat);
    this.#noticeExit(known, stat);
  }

  #reread(known: Known, stat: StatLine): void {
    const read = readProcess(known.pid, this.#read);
    if (read === undefined || read.stat.start !== known.start) return;
    const { program } = known;
    if (!stat.hasImage && digestOf(read.argv) === known.argvDigest) {
      // Renamed itself: the same program, as far as we may look.
      known.subject = subjectOf(read.data);
      return;
    }
    const previous = {
      ...(program.path === undefined ? {} : { process_previous_executable: program.path }),
      ...(program.raw === undefined ? {} : { process_previous_executable_raw: program.raw }),
    };
    this.#tell('process.exec', { ...read, data: { ...read.data, ...previous } }, known);
  }

  #tell(type: ProcessEventType, { data, argv, env, stat, version }: ReadProcess, known: Known): void {
    known.subject = subjectOf(data);
    known.image = stat.image;
    known.argvDigest = stat.hasImage ? undefined : digestOf(argv);
    known.program = { path: data.process_executable, raw: data.process_executable_raw };
    known.version = version;
    if (data.denied === undefined) this.#denied.delete(known.entity);
    else this.#denied.add(known.entity);
    this.#options.emit({ type, data, argv, ...(env === undefined ? {} : { env }) });
  }

  /** A zombie has ended, and still says how. */
  #noticeExit(known: Known, stat: StatLine): void {
    if (stat.state !== 'Z' && stat.state !== 'X') return;
    known.exited = true;
    const signal = stat.exitStatus & 0x7f;
    // Where we may not look the status is 0, which would also mean success.
    const isTold = stat.exitStatus !== 0 || known.version !== undefined;
    const how = signal === 0 ? { process_exit_code: stat.exitStatus >>> 8 } : { process_exit_signal: signal };
    this.#tellExit(known, isTold ? how : { denied: ['process_exit_code', 'process_exit_signal'] });
  }

  #ended(known: Known): void {
    this.table.remove(known);
    this.#denied.delete(known.entity);
    if (known.exited) return;
    this.#tellExit(known, { lost: ['process_exit_code', 'process_exit_signal'] });
  }

  #tellExit({ entity, pid, subject }: Known, how: Partial<ProcessExitData>): void {
    const data = { event_provider: 'procfs', entity, process_pid: pid, ...subject, ...how };
    this.#options.emit({ type: 'process.exit', data });
  }

  /** A parent is never younger than its child: then the pid was used again, or the child was adopted. */
  #parentOf(ppid: number, start: string): Entity | undefined {
    if (ppid <= 0) return undefined;
    // Told before its child, as what it was when it had it: its pid may be the higher one, and it may have become
    // another program since it was last looked at. Who reads the events in order then knows who started whom.
    const before = this.table.get(ppid);
    if (this.#pending.size < MAX_PENDING && !this.#pending.has(ppid)) this.#look(ppid);
    for (const known of [this.table.get(ppid), before]) {
      if (known !== undefined && BigInt(known.start) <= BigInt(start)) return known.entity;
    }
    const stat = readStat(ppid);
    if (typeof stat === 'string' || BigInt(stat.start) > BigInt(start)) return undefined;
    return this.#read.entityOf(ppid, stat.start);
  }
}

/** Arguments are not kept, only what tells them from others. */
function digestOf(argv: Secret): string {
  return argv.state === 'captured' ? hash('sha256', argv.bytes) : argv.state;
}

function subjectOf({ process_name, process_name_raw, user_id, container_id }: ReadProcess['data']): Subject {
  return {
    ...(process_name === undefined ? {} : { process_name }),
    ...(process_name_raw === undefined ? {} : { process_name_raw }),
    ...(user_id === undefined ? {} : { user_id }),
    ...(container_id === undefined ? {} : { container_id }),
  };
}
