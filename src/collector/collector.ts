import { create } from '@bufbuild/protobuf';
import { messageOf } from '../core/errors.ts';
import { formatEntity } from '../core/event.ts';
import type { CollectorStartData, EventData } from '../core/event-data.ts';
import { CheckpointSchema, type FromAgent, type FromCollector } from '../ipc/gen/ipc_pb.ts';
import type { Actor } from '../ledger/line.ts';
import { AnchorDesk } from './anchors.ts';
import { CollectorError } from './errors.ts';
import { EventQueue } from './event-queue.ts';
import { type HealthState, healthMessage } from './health.ts';
import { failureMessage, helloMessage, NOT_KEPT, stoppedMessage } from './messages.ts';
import type { CollectorOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import { type Order, Pump } from './pump.ts';
import { TraceDesk } from './trace-desk.ts';

const FULL_DISK_PAUSE_MS = 1000;
const HEALTH_MS = 10_000;

/**
 * Runs a collector: says what it can see, waits to be started, then watches, writes and sends until the agent says
 * stop, the agent is gone, or `signal` is aborted. What was seen by then is written.
 * @throws CollectorError SOURCE_FAILED; LedgerError; DurableError
 */
export async function runCollector(options: CollectorOptions): Promise<void> {
  await new Collector(options).run();
}

type StopCause = EventData['collector.stop']['cause'];
type End = {
  readonly cause: StopCause;
  readonly reason?: string;
  readonly error?: unknown;
  readonly inReplyTo?: bigint;
};

class Collector {
  readonly #options: CollectorOptions;
  readonly #queue: EventQueue<Order>;
  readonly #outbox: Outbox;
  readonly #pump: Pump;
  readonly #stopping = new AbortController();
  readonly #ended = Promise.withResolvers<End>();
  readonly #traces: TraceDesk;
  readonly #anchors: AnchorDesk;
  #pumping: Promise<void> | undefined;
  #watching: Promise<void> | undefined;
  #state: HealthState = 'starting';
  #acknowledged = -1;

  constructor(options: CollectorOptions) {
    this.#options = options;
    const { name, sources, writer, sealer, key, channel, surroundings } = options;
    const { clock, sleep } = surroundings;
    this.#queue = new EventQueue(name, clock.now);
    this.#outbox = new Outbox(channel);
    this.#traces = new TraceDesk({
      sources,
      sleep,
      order: (order) => this.#queue.pushOrder(order),
      answer: (body, inReplyTo) => this.#outbox.answer(body, inReplyTo),
    });
    this.#anchors = new AnchorDesk({
      own: writer.genesis,
      mono: clock.mono,
      order: (order) => this.#queue.pushOrder(order),
      answer: (body, inReplyTo) => this.#outbox.answer(body, inReplyTo),
      written: (correlationId) => void this.#answerCheckpoint(correlationId),
    });
    this.#pump = new Pump({
      queue: this.#queue,
      writer,
      sealer,
      key,
      actor: this.#actor(),
      written: (written) => this.#outbox.send(written),
      follow: (trace) => this.#traces.follow(trace),
      traceEnded: (trace, cause) => this.#traces.ended(trace, cause),
      pause: async () => {
        await sleep(FULL_DISK_PAUSE_MS, this.#stopping.signal);
        return !this.#stopping.signal.aborted;
      },
    });
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = () => this.#end({ cause: 'signal' });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    this.#sayHello();
    void this.#listen();
    const end = await this.#ended.promise;
    signal.removeEventListener('abort', onAbort);
    await this.#finish(end);
    if (end.error !== undefined) throw end.error;
  }

  #actor(): Actor {
    const { name, writer, surroundings } = this.#options;
    const { boot, pid, start } = surroundings;
    const { host } = writer.genesis;
    return { type: 'process', id: start === undefined ? name : formatEntity({ host, boot, pid, start }) };
  }

  #capabilities(): { readonly sees: readonly string[]; readonly limitations: readonly string[] } {
    const all = this.#options.sources.map((source) => source.capabilities());
    return {
      sees: [...new Set(all.flatMap(({ sees }) => sees))],
      limitations: [
        ...all.flatMap(({ limitations }) => limitations),
        ...(this.#options.sealer.keeps ? [] : [NOT_KEPT]),
      ],
    };
  }

  #sayHello(): void {
    this.#outbox.answer(helloMessage(this.#options, this.#capabilities()));
  }

  async #listen(): Promise<void> {
    try {
      for await (const message of this.#options.channel.reader.messages()) await this.#obey(message);
      this.#end({ cause: 'shutdown', reason: 'the agent closed the channel' });
    } catch (error) {
      // Whatever the agent says: the log is closed in good order.
      this.#end({ cause: 'shutdown', reason: `the channel to the agent broke: ${messageOf(error)}`.slice(0, 1024) });
    }
  }

  async #obey({ body, correlationId }: FromAgent): Promise<void> {
    switch (body.case) {
      case 'start':
        await this.#start();
        return;
      case 'stop':
        this.#end({
          cause: 'command',
          ...(body.value.reason === '' ? {} : { reason: body.value.reason.slice(0, 1024) }),
          inReplyTo: correlationId,
        });
        return;
      case 'ack':
        this.#acknowledged = Math.max(this.#acknowledged, Number(body.value.seq));
        return;
      case 'healthRequest':
        this.#outbox.answer(this.#health(), correlationId);
        return;
      case 'checkpointRequest':
        await this.#answerCheckpoint(correlationId);
        return;
      case 'traceStart':
        this.#traces.start(body.value, this.#state === 'watching', correlationId);
        return;
      case 'traceStop':
        this.#traces.stop(body.value.traceId);
        return;
      case 'anchor':
        this.#anchors.take(body.value.note, this.#state === 'watching', correlationId);
        return;
      default:
        // A newer agent's words: not ours to judge.
        return;
    }
  }

  /** Said twice, it is done once. */
  async #start(): Promise<void> {
    if (this.#state !== 'starting') return;
    this.#state = 'watching';
    try {
      await this.#writeBeginning();
      this.#pumping = this.#pump.run();
      this.#pumping.catch((error: unknown) => this.#end({ cause: 'failed', reason: messageOf(error), error }));
      this.#watching = this.#watch();
      void this.#reportHealth();
    } catch (error) {
      this.#end({ cause: 'failed', reason: messageOf(error), error });
    }
  }

  async #writeBeginning(): Promise<void> {
    const { name, version, sources, surroundings, lastSeen, writer, sealer } = this.#options;
    const { boot, pid, start, system, clock } = surroundings;
    const entity = start === undefined ? {} : { entity: formatEntity({ host: writer.genesis.host, boot, pid, start }) };
    const { sees, limitations } = this.#capabilities();
    await this.#pump.writeOwn('collector.start', {
      collector_name: name,
      collector_version: version,
      capabilities: [...sees] as CollectorStartData['capabilities'],
      sources: sources.map((source) => ({ name: source.name, state: 'active', ...reasonOf(limitations) })),
      ...entity,
      process_pid: pid,
      ...system,
    });
    if (lastSeen !== undefined) {
      const span = { from_ts: lastSeen, to_ts: Math.max(lastSeen, clock.now()) };
      await this.#pump.writeOwn('collector.gap', { collector_name: name, cause: 'stopped', ...span });
    }
    if (!sealer.keeps) {
      await this.#pump.writeOwn('collector.gap', { collector_name: name, cause: 'unavailable', reason: NOT_KEPT });
    }
  }

  async #watch(): Promise<void> {
    const { sources, surroundings, writer } = this.#options;
    const context = {
      host: writer.genesis.host,
      boot: surroundings.boot,
      emit: this.#queue.push.bind(this.#queue),
    };
    await Promise.all(
      sources.map(async (source) => {
        try {
          await source.start(context, this.#stopping.signal);
        } catch (cause) {
          const message = `the source ${source.name} failed: ${messageOf(cause)}`;
          this.#end({
            cause: 'failed',
            reason: message.slice(0, 1024),
            error: new CollectorError('SOURCE_FAILED', message, { cause }),
          });
        }
      }),
    );
  }

  #end(end: End): void {
    this.#ended.resolve(end);
  }

  /** Sources, then what they saw, then the last line, then its checkpoint, then goodbye. */
  async #finish({ cause, reason, error, inReplyTo }: End): Promise<void> {
    const { name, channel, writer } = this.#options;
    const hadStarted = this.#state === 'watching';
    this.#state = error === undefined ? 'stopping' : 'failed';
    this.#stopping.abort();
    this.#traces.close();
    await this.#watching;
    this.#queue.close();
    try {
      await this.#pumping;
      if (hadStarted) {
        const events = this.#pump.events;
        const why = reason === undefined || reason === '' ? {} : { reason: reason.slice(0, 1024) };
        await this.#pump.writeOwn('collector.stop', { collector_name: name, cause, ...why, events });
      }
      this.#outbox.answer(await this.#checkpoint());
      this.#outbox.answer(stoppedMessage(writer.size), inReplyTo);
    } catch (failure) {
      this.#outbox.answer(failureMessage(failure));
      if (error === undefined) throw failure;
    } finally {
      await this.#outbox.settled();
      channel.end();
    }
  }

  async #checkpoint(): Promise<FromCollector['body']> {
    const { checkpoint, note } = await this.#options.writer.head();
    return { case: 'checkpoint', value: create(CheckpointSchema, { note, size: BigInt(checkpoint.size) }) };
  }

  async #answerCheckpoint(correlationId: bigint): Promise<void> {
    try {
      this.#outbox.answer(await this.#checkpoint(), correlationId);
    } catch (error) {
      this.#end({ cause: 'failed', reason: messageOf(error), error });
    }
  }

  async #reportHealth(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await this.#options.surroundings.sleep(HEALTH_MS, signal);
      if (signal.aborted) return;
      this.#outbox.answer(this.#health());
    }
  }

  #health(): FromCollector['body'] {
    const { sources, surroundings } = this.#options;
    return healthMessage({
      state: this.#state,
      events: this.#pump.events,
      shed: this.#queue.shedTotal,
      queued: this.#queue.length,
      unacknowledged: Math.max(0, this.#outbox.lastSent - this.#acknowledged),
      ...surroundings.usage(),
      sources: sources.map((source) => ({ name: source.name, ...source.health() })),
    });
  }
}

function reasonOf(limitations: readonly string[]): { readonly reason?: string } {
  return limitations.length === 0 ? {} : { reason: limitations.join('; ').slice(0, 1024) };
}
