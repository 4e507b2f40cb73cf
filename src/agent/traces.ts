import { MAX_ACTIVE_TRACES, MAX_OLD_TRACES, MAX_TRACES_PER_HOUR } from './format.ts';

const HOUR_MS = 3_600_000;
/** Steps up a line of descent: nothing that was read is trusted to be free of rings. */
const MAX_STEPS = 256;

export type TracePlan = {
  readonly id: string;
  readonly entity: string;
  readonly depth: number;
  /** It ran before anybody watched. */
  readonly isOld: boolean;
};
/** `follows`: a trace that runs already sees this process. */
export type TraceVerdict =
  | { readonly go: true }
  | { readonly go: false; readonly follows?: string; readonly reason: string };

/** Which processes are being traced: one lineage once, and no more than the machine should bear. */
export class ActiveTraces {
  readonly #active = new Map<string, TracePlan>();
  #started: number[] = [];

  get ids(): readonly string[] {
    return [...this.#active.keys()];
  }

  /** @param parentOf one step up the line of descent */
  judge(
    { entity, isOld }: Pick<TracePlan, 'entity' | 'isOld'>,
    now: number,
    parentOf: (entity: string) => string | undefined,
  ): TraceVerdict {
    const follows = this.#following(entity, parentOf);
    if (follows !== undefined) return { go: false, follows, reason: 'its lineage is being traced already' };
    if (this.#active.size >= MAX_ACTIVE_TRACES) return { go: false, reason: `${MAX_ACTIVE_TRACES} traces run already` };
    const old = [...this.#active.values()].filter((plan) => plan.isOld).length;
    if (isOld && old >= MAX_OLD_TRACES) {
      return { go: false, reason: `${MAX_OLD_TRACES} traces of processes that ran before run already` };
    }
    this.#started = this.#started.filter((ts) => ts > now - HOUR_MS);
    if (this.#started.length >= MAX_TRACES_PER_HOUR) {
      return { go: false, reason: `rules started ${MAX_TRACES_PER_HOUR} traces in the last hour` };
    }
    return { go: true };
  }

  begin(plan: TracePlan, now: number): void {
    this.#active.set(plan.id, plan);
    this.#started.push(now);
  }

  end(id: string): void {
    this.#active.delete(id);
  }

  /** The collector that traced is gone. */
  endAll(): void {
    this.#active.clear();
  }

  #following(entity: string, parentOf: (entity: string) => string | undefined): string | undefined {
    let at: string | undefined = entity;
    for (let distance = 0; at !== undefined && distance < MAX_STEPS; distance += 1) {
      const root = at;
      const trace = [...this.#active.values()].find((plan) => plan.entity === root && distance <= plan.depth);
      if (trace !== undefined) return trace.id;
      at = parentOf(at);
    }
    return undefined;
  }
}
