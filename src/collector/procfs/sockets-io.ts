import { readdirSync, readlinkSync, statSync } from 'node:fs';
import type { Observation } from '../source.ts';
import { parseSocketTable, type SocketLine } from './net-table.ts';
import type { Known, ProcessTable } from './process-table.ts';
import { readProc, unread } from './read-io.ts';

/** What a socket was when it was told of; its end is told in the same words. */
type Told = { readonly opening: PlainNetwork; readonly state: SocketLine['state'] };
type Namespace = { readonly sockets: Map<string, Told> };
type Held = { count: number; readonly inodes: Set<string> };
type PlainNetwork = Extract<Observation, { readonly type: `network.${string}` }>;

const MAX_TABLE_BYTES = 16 * 1024 * 1024;
const SOCKET = /^socket:\[([0-9]+)\]$/;

/**
 * TCP sockets by polling: the tables of each network namespace once, through any process in it, joined to processes by
 * their descriptors. What opens and closes between two looks is not seen: the capability is `network`, not
 * `network-events`.
 */
export class SocketScanner {
  readonly #table: ProcessTable;
  readonly #emit: (observation: Observation) => void;
  readonly #namespaces = new Map<string, Namespace>();
  /** Of each process, by identity: its namespace (undefined: denied), and the sockets it held at the last look. */
  readonly #namespaceOf = new Map<string, string | undefined>();
  readonly #held = new Map<string, Held>();

  constructor(table: ProcessTable, emit: (observation: Observation) => void) {
    this.#table = table;
    this.#emit = emit;
  }

  /** @param among only the sockets of these processes' namespaces, and holders looked for only there; default all */
  scan(among?: readonly Known[]): void {
    if (among === undefined) this.#forgetEnded();
    const candidates = [...(among ?? this.#table.values())].filter(
      ({ isKernelThread, exited }) => !isKernelThread && !exited,
    );
    for (const [inode, members] of this.#byNamespace(candidates))
      this.#scanNamespace(inode, members, among === undefined);
  }

  /** Tells again of the sockets that these processes hold, for who began to listen after they were told of. */
  retell(holders: readonly Known[]): void {
    const entities = new Set<string | undefined>(holders.map(({ entity }) => entity));
    for (const { sockets } of this.#namespaces.values())
      for (const { opening } of sockets.values()) if (entities.has(opening.data.entity)) this.#emit(opening);
  }

  #byNamespace(candidates: readonly Known[]): Map<string, Known[]> {
    const members = new Map<string, Known[]>();
    for (const known of candidates) {
      const namespace = this.#namespace(known);
      if (namespace === undefined) continue;
      const list = members.get(namespace);
      if (list === undefined) members.set(namespace, [known]);
      else list.push(known);
    }
    return members;
  }

  #namespace({ pid, entity }: Known): string | undefined {
    if (this.#namespaceOf.has(entity)) return this.#namespaceOf.get(entity);
    let namespace: string | undefined;
    try {
      namespace = String(statSync(`/proc/${pid}/ns/net`).ino);
    } catch (error) {
      // Gone is no answer to remember; denied is.
      if (unread(error) === 'lost') return undefined;
    }
    this.#namespaceOf.set(entity, namespace);
    return namespace;
  }

  #scanNamespace(inode: string, members: readonly Known[], isComplete: boolean): void {
    const lines = readTables(members);
    if (lines === undefined) return;
    let namespace = this.#namespaces.get(inode);
    if (namespace === undefined) {
      namespace = { sockets: new Map() };
      this.#namespaces.set(inode, namespace);
    }
    const { sockets } = namespace;
    const fresh = lines.filter((line) => isNews(sockets.get(line.inode)?.state, line.state));
    const holders = fresh.length === 0 ? new Map<string, Known>() : this.#findHolders(fresh, members);
    const listening = new Set(lines.filter(({ state }) => state === 'listening').map(({ local }) => local.port));
    for (const line of fresh) {
      const holder = holders.get(line.inode);
      // Looked for among some only: the complete look will find whose it is.
      if (holder === undefined && !isComplete) continue;
      this.#opened(sockets, inode, line, holder, listening);
    }
    if (!isComplete) return;
    const present = new Set(lines.map((line) => line.inode));
    for (const [socket, told] of sockets) if (!present.has(socket)) this.#closed(sockets, socket, told);
  }

  #opened(
    sockets: Map<string, Told>,
    namespace: string,
    line: SocketLine,
    holder: Known | undefined,
    listening: ReadonlySet<number>,
  ): void {
    const event = networkEvent(line, listening);
    const subject =
      holder === undefined
        ? { lost: ['entity'] }
        : { entity: holder.entity, process_pid: holder.pid, ...holder.subject };
    const more = { event_provider: 'procfs', ...subject, network_namespace: namespace, socket_inode: line.inode };
    const told = { ...event, data: { ...event.data, ...more } } as PlainNetwork;
    // Answered now, and told of when it was asked for.
    const isRepeated = sockets.has(line.inode);
    sockets.set(line.inode, { opening: told, state: line.state });
    if (!isRepeated) this.#emit(told);
  }

  #closed(sockets: Map<string, Told>, inode: string, { opening }: Told): void {
    sockets.delete(inode);
    this.#emit({ type: 'network.close', data: opening.data });
  }

  /** Looks through descriptors only where their number has changed since the last look, then everywhere. */
  #findHolders(fresh: readonly SocketLine[], members: readonly Known[]): Map<string, Known> {
    const wanted = new Set(fresh.map(({ inode }) => inode));
    const holders = new Map<string, Known>();
    const isChanged = (known: Known) => this.#held.get(known.entity)?.count !== countDescriptors(known.pid);
    const [changed, same] = partition(members, isChanged);
    for (const group of [changed, same]) {
      if (holders.size === wanted.size) break;
      for (const known of group) {
        for (const inode of this.#readDescriptors(known).inodes) {
          // Of several holders the youngest: the one that a server forked for this connection.
          const other = holders.get(inode);
          const isYounger = other === undefined || BigInt(known.start) > BigInt(other.start);
          if (wanted.has(inode) && isYounger) holders.set(inode, known);
        }
      }
    }
    return holders;
  }

  #readDescriptors({ pid, entity }: Known): Held {
    const held: Held = { count: countDescriptors(pid), inodes: new Set() };
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const inode = SOCKET.exec(readLink(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode !== undefined) held.inodes.add(inode);
      }
    } catch {
      // Gone, or not ours to see: the socket stays without a holder.
    }
    this.#held.set(entity, held);
    return held;
  }

  #forgetEnded(): void {
    const living = new Set(Array.from(this.#table.values(), ({ entity }) => entity));
    for (const map of [this.#namespaceOf, this.#held]) {
      for (const entity of map.keys()) if (!living.has(entity)) map.delete(entity);
    }
  }
}

function isNews(before: SocketLine['state'] | undefined, now: SocketLine['state']): boolean {
  return before === undefined || (before === 'connecting' && now === 'open');
}

/** Through the first process that can be read: any of a namespace shows the whole of it. */
function readTables(members: readonly Known[]): SocketLine[] | undefined {
  for (const { pid } of members) {
    const tcp = readProc(`/proc/${pid}/net/tcp`, MAX_TABLE_BYTES);
    if (typeof tcp === 'string') continue;
    const tcp6 = readProc(`/proc/${pid}/net/tcp6`, MAX_TABLE_BYTES);
    const texts = typeof tcp6 === 'string' ? [tcp] : [tcp, tcp6];
    return texts.flatMap((bytes) => parseSocketTable(Buffer.from(bytes).toString('latin1')));
  }
  return undefined;
}

/** Source is who asked: with a listening socket on the local port, the other side did. */
function networkEvent({ type, local, remote, state }: SocketLine, listening: ReadonlySet<number>): PlainNetwork {
  const common = { network_transport: 'tcp', network_type: type } as const;
  const here = { destination_ip: local.ip, destination_port: local.port };
  if (state === 'listening') return { type: 'network.listen', data: { ...common, ...here } };
  if (state === 'open' && listening.has(local.port)) {
    const from = { source_ip: remote.ip, source_port: remote.port };
    return { type: 'network.accept', data: { ...common, network_direction: 'ingress', ...from, ...here } };
  }
  const data = {
    ...common,
    network_direction: 'egress',
    source_ip: local.ip,
    source_port: local.port,
    destination_ip: remote.ip,
    destination_port: remote.port,
  } as const;
  return { type: 'network.connect', data };
}

/** The number of open descriptors, where the kernel tells it as the size of the directory (Linux 6.2 and later). */
function countDescriptors(pid: number): number {
  try {
    return statSync(`/proc/${pid}/fd`).size || Number.NaN;
  } catch {
    return Number.NaN;
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function partition<T>(items: readonly T[], is: (item: T) => boolean): [T[], T[]] {
  const groups: [T[], T[]] = [[], []];
  for (const item of items) groups[is(item) ? 0 : 1].push(item);
  return groups;
}
