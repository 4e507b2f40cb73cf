import type { Entity } from '../../core/event-data.ts';
import { textFields } from './read-io.ts';
import type { StatLine } from './stat-line.ts';

/** What is remembered of a process between two looks. */
export type Known = {
  readonly pid: number;
  readonly start: string;
  readonly entity: Entity;
  /** The parent when it was first seen: its line of descent, which later reparenting doesn't change. */
  readonly ancestor: Entity | undefined;
  readonly isKernelThread: boolean;
  /** Name, user and container, as every event of it has them. */
  subject: Subject;
  image: string;
  program: { readonly path: string | undefined; readonly raw: string | undefined };
  /** Of its arguments, where its image may not be looked at. */
  argvDigest: string | undefined;
  /** Of its program file, if it may be looked at. */
  version: string | undefined;
  /** A zombie: its exit has been told. */
  exited: boolean;
};

export type Subject = {
  readonly process_name?: string;
  readonly process_name_raw?: string;
  readonly user_id?: string;
  readonly container_id?: string;
};

/** Lines of descent that are remembered after a process has ended. */
const REMEMBERED_DEAD = 8192;

/** The processes as they were at the last look. */
export class ProcessTable {
  readonly #living = new Map<number, Known>();
  /** entity → its ancestor, of processes that have ended. */
  readonly #dead = new Map<Entity, Entity | undefined>();

  get size(): number {
    return this.#living.size;
  }

  get(pid: number): Known | undefined {
    return this.#living.get(pid);
  }

  values(): IterableIterator<Known> {
    return this.#living.values();
  }

  add(known: Known): void {
    this.#living.set(known.pid, known);
  }

  remove(known: Known): void {
    this.#living.delete(known.pid);
    this.#dead.set(known.entity, known.ancestor);
    const [oldest] = this.#dead.keys();
    if (this.#dead.size > REMEMBERED_DEAD && oldest !== undefined) this.#dead.delete(oldest);
  }

  /** How far below the root a process is: 0 for the root itself, undefined for any that does not descend from it. */
  distance(entity: Entity, root: Entity, ancestors: ReadonlyMap<Entity, Entity | undefined>): number | undefined {
    let at: Entity | undefined = entity;
    // Bounded: nothing that was read is trusted to be free of rings.
    for (let distance = 0; at !== undefined && distance < MAX_DESCENT; distance += 1) {
      if (at === root) return distance;
      at = ancestors.get(at) ?? this.#dead.get(at);
    }
    return undefined;
  }

  ancestors(): Map<Entity, Entity | undefined> {
    return new Map(Array.from(this.#living.values(), ({ entity, ancestor }) => [entity, ancestor]));
  }
}

const MAX_DESCENT = 4096;

/**
 * Whether a process may have become another program since. Where we may not look at its image, its name has to do,
 * which a program can change without exec: then it is read again, and only changed arguments count.
 */
export function mayHaveExeced(known: Known, stat: StatLine): boolean {
  if (stat.hasImage) return stat.image !== known.image;
  return textFields('process_name', stat.comm).process_name !== known.subject.process_name;
}
