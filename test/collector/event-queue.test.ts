import { describe, expect, it } from 'vitest';
import { EventQueue } from '../../src/collector/event-queue.ts';
import type { Observation } from '../../src/collector/source.ts';
import { validateEvent } from '../../src/core/event.ts';

type Order = { readonly order: 'stop' };

const exit = (pid: number): Observation => ({ type: 'process.exit', data: { process_pid: pid } });
const started = (bytes: number): Observation => ({
  type: 'process.start',
  data: { entity: 'h:b:1:1', process_pid: 1 },
  argv: { state: 'captured', bytes: new Uint8Array(bytes) },
});

function queue(limits = { events: 3, bytes: 1000 }) {
  let now = 100;
  return new EventQueue<Order>('procmond', () => now++, limits);
}

describe('the queue', () => {
  it('keeps the order', async () => {
    const q = queue();
    for (const pid of [1, 2, 3]) q.push(exit(pid));
    expect(await q.take(2)).toEqual([exit(1), exit(2)]);
    expect(await q.take(2)).toEqual([exit(3)]);
  });

  it('counts what finds no room, and puts the gap where it was', async () => {
    const q = queue();
    for (const pid of [1, 2, 3, 4, 5]) q.push(exit(pid));
    expect(q.shedTotal).toBe(2);
    expect(await q.take(3)).toEqual([exit(1), exit(2), exit(3)]);
    q.push(exit(6));
    const [gap, next] = await q.take(9);
    const data = {
      collector_name: 'procmond',
      cause: 'shed',
      types: ['process.exit'],
      count: 2,
      from_ts: 100,
      to_ts: 101,
    };
    expect(gap).toEqual({ type: 'collector.gap', data });
    expect(validateEvent('collector.gap', data)).toEqual(data);
    expect(next).toEqual(exit(6));
  });

  it('has a limit on secrets too, and gives it back', async () => {
    const q = queue({ events: 100, bytes: 1000 });
    q.push(started(600));
    q.push(started(600));
    expect(q.shedTotal).toBe(1);
    await q.take(1);
    await q.take(1);
    q.push(started(600));
    expect(q.shedTotal).toBe(1);
  });

  it('always has room for an order', async () => {
    const q = queue();
    for (const pid of [1, 2, 3, 4]) q.push(exit(pid));
    q.pushOrder({ order: 'stop' });
    const items = await q.take(9);
    expect(items.at(-1)).toEqual({ order: 'stop' });
    expect(items).toHaveLength(5);
  });

  it('ends when it is closed and empty, and wakes who waits', async () => {
    const q = queue();
    const waiting = q.take(5);
    q.push(exit(1));
    expect(await waiting).toEqual([exit(1)]);
    const last = q.take(5);
    q.close();
    expect(await last).toEqual([]);
    q.push(exit(2));
    expect(await q.take(1)).toEqual([]);
  });

  it('does not lose the last gap when it closes', async () => {
    const q = queue();
    for (const pid of [1, 2, 3, 4]) q.push(exit(pid));
    q.close();
    expect((await q.take(9)).at(-1)).toMatchObject({ type: 'collector.gap', data: { count: 1 } });
  });
});
