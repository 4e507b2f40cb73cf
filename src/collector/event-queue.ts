import type { Observation } from './source.ts';

export type QueueLimits = {
  readonly events: number;
  /** Of secrets in clear. */
  readonly bytes: number;
};

export const QUEUE_LIMITS: QueueLimits = { events: 16_384, bytes: 32 * 1024 * 1024 };

type Shed = { count: number; readonly types: Set<string>; readonly from: number; to: number };

/**
 * What was seen and not yet written, at most so much of it. A flood costs events, never memory: what finds no room is
 * counted, and a collector.gap takes its place in the order.
 *
 * Items that are not observations (orders to the pump) always find room: there are few, and they come from the agent.
 */
export class EventQueue<Order extends { readonly order: string }> {
  readonly #limits: QueueLimits;
  readonly #now: () => number;
  readonly #collector: string;
  #items: (Observation | Order)[] = [];
  #bytes = 0;
  #shed: Shed | undefined;
  #waiting: (() => void) | undefined;
  #closed = false;
  /** Since the start. */
  shedTotal = 0;

  /** @param now Unix milliseconds */
  constructor(collector: string, now: () => number, limits: QueueLimits = QUEUE_LIMITS) {
    this.#collector = collector;
    this.#now = now;
    this.#limits = limits;
  }

  get length(): number {
    return this.#items.length;
  }

  /** After {@link close} nothing is taken any more. */
  push(observation: Observation): void {
    if (this.#closed) return;
    const bytes = secretBytes(observation);
    if (this.#items.length >= this.#limits.events || this.#bytes + bytes > this.#limits.bytes) {
      this.#drop(observation.type);
      return;
    }
    this.#markGap();
    this.#bytes += bytes;
    this.#items.push(observation);
    this.#wake();
  }

  pushOrder(order: Order): void {
    this.#markGap();
    this.#items.push(order);
    this.#wake();
  }

  close(): void {
    this.#markGap();
    this.#closed = true;
    this.#wake();
  }

  /** Waits until there is something. @returns at most `most` items in order; none once it is closed and empty */
  async take(most: number): Promise<(Observation | Order)[]> {
    while (this.#items.length === 0 && !this.#closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      await promise;
    }
    const taken = this.#items.splice(0, most);
    for (const item of taken) this.#bytes -= 'order' in item ? 0 : secretBytes(item);
    if (this.#items.length === 0) this.#markGap();
    return taken;
  }

  #drop(type: string): void {
    const now = this.#now();
    this.#shed ??= { count: 0, types: new Set(), from: now, to: now };
    this.#shed.count += 1;
    this.#shed.types.add(type);
    this.#shed.to = now;
    this.shedTotal += 1;
  }

  #markGap(): void {
    const shed = this.#shed;
    if (shed === undefined) return;
    this.#shed = undefined;
    const { count, types, from, to } = shed;
    const data = { collector_name: this.#collector, types: [...types], count, from_ts: from, to_ts: to };
    this.#items.push({ type: 'collector.gap', data: { ...data, cause: 'shed' } });
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }
}

function secretBytes(observation: Observation): number {
  if (!('argv' in observation)) return 0;
  const { argv, env } = observation;
  const argvBytes = argv.state === 'captured' ? argv.bytes.length : 0;
  return argvBytes + (env?.state === 'captured' ? env.bytes.length : 0);
}
