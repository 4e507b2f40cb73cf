import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../core/errors.ts';
import type { EventData } from '../core/event-data.ts';
import type { PublicKey } from '../core/keys.ts';
import { RELEASE } from '../core/release.ts';
import { IpcError } from '../ipc/errors.ts';
import { procmondPaths } from '../ipc/procmond-launch.ts';
import type { Line } from '../ledger/line.ts';
import { createSandbox, type Sandbox } from '../sandbox/sandbox-io.ts';
import type { AgentLog } from './agent-log-io.ts';
import { Alerts } from './alerts/alerts-io.ts';
import type { AlertRecord } from './alerts/record.ts';
import { Delivery, fileSink } from './alerts/sinks-io.ts';
import { CollectorFeed } from './collectors/procmond-feed-io.ts';
import { superviseProcmond } from './collectors/procmond-supervisor-io.ts';
import type { CollectorSession } from './collectors/session-io.ts';
import type { Supervisor } from './collectors/supervisor-io.ts';
import { type ControlServer, listen } from './control/server-io.ts';
import { Detector } from './detect/detector-io.ts';
import type { LiveRule } from './detect/live-rule.ts';
import { RuleKeeper } from './detect/rule-keeper-io.ts';
import { AgentError } from './errors.ts';
import {
  AGENT,
  ANCHOR_MS,
  PROCMOND,
  PRUNE_MS,
  QUERY_DEADLINE_MS,
  RELOAD_MS,
  ROOM_MS,
  SEQUENCE_MS,
  SNAPSHOT_MS,
} from './format.ts';
import { agentLayout } from './layout.ts';
import type { Settled } from './options.ts';
import { answerRequest } from './requests.ts';
import type { Room } from './room-io.ts';
import type { AgentStatus } from './status.ts';
import { agentStatus } from './status-of.ts';
import type { EventStore } from './store/event-store-io.ts';
import type { StoredLine } from './store/rows.ts';
import type { VolatileStore } from './store/volatile-io.ts';
import { repeatedly } from './timers-io.ts';
import { Tracer } from './tracer-io.ts';

export type CoreOptions = Settled & {
  /** Of procmond's log. */
  readonly key: PublicKey;
  readonly host: string;
  /** Of procmond's log. */
  readonly origin: string;
  readonly log: AgentLog;
  readonly room: Room;
  readonly store: EventStore;
  readonly volatile: VolatileStore;
  /** What collectors wrote while no agent was there, as far as it is recent. */
  readonly missed: readonly StoredLine[];
};

const READY_POLL_MS = 25;

/** The agent with its stores open: who tells whom. */
export class AgentCore {
  readonly #options: CoreOptions;
  readonly #stopping = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  readonly #supervisor: Supervisor;
  readonly #detector: Detector;
  readonly #rules: RuleKeeper;
  readonly #alerts: Alerts;
  readonly #tracer: Tracer;
  readonly #feed: CollectorFeed;
  readonly #delivery: Delivery;
  /** Over the volatile store; and over events.db, for people. */
  readonly #detecting: Sandbox;
  readonly #questions: Sandbox;
  readonly #followers = new Set<(alert: AlertRecord) => void>();
  readonly #started: number;
  #state: AgentStatus['state'] = 'starting';
  #loaded: Promise<void> | undefined;

  constructor(options: CoreOptions) {
    this.#options = options;
    const { data, builtAt, log, room, store, volatile, surroundings, origin, host, key, missed } = options;
    const { now } = surroundings.clock;
    const fail = (error: unknown) => this.#failed.reject(error);
    this.#failed.promise.catch(() => undefined);
    this.#started = now();
    this.#stopping.signal.addEventListener('abort', () => room.close(), { once: true });
    this.#detecting = createSandbox({ database: volatile.path });
    this.#questions = createSandbox({ database: store.path, limits: { deadlineMs: QUERY_DEADLINE_MS } });
    this.#detector = new Detector({
      volatile,
      sandbox: this.#detecting,
      hit: (live, answer) => this.#alerts.hit(live, answer),
      quarantined: (live, code, reason) => void this.#rules.quarantined(live, code, reason).catch(fail),
      missed: (rules) => void log.append('collector.gap', missedGap(rules)).catch(fail),
      failed: fail,
    });
    const { hasClear } = volatile;
    this.#rules = new RuleKeeper({ data, builtAt, detector: this.#detector, log, hasClear, note: options.note });
    this.#feed = new CollectorFeed({
      ...{ name: PROCMOND, host, origin, directory: procmondPaths(data).log, key },
      ...{ log, room, store, volatile, detector: this.#detector, now, missed },
      failed: fail,
      rulesLoaded: async () => await this.#loaded,
    });
    this.#supervisor = superviseProcmond({
      ...options,
      feed: this.#feed,
      traceTold: (state) => this.#tracer.told(state),
      watching: (session, hello) => {
        this.#whenWatching(session, hello.capabilities).catch((error: unknown) => {
          // It went away while it was asked: the supervisor knows.
          if (!(error instanceof AgentError || error instanceof IpcError)) fail(error);
        });
      },
      parting: (session) => this.#handOver(session),
      ended: (reason) => this.#collectorEnded(reason),
    });
    this.#tracer = new Tracer({ supervisor: this.#supervisor, store, log, now, failed: fail });
    this.#alerts = new Alerts({
      ...{ log, store, volatile, now, failed: fail },
      planTrace: (live, process) => this.#tracer.plan(live, process),
      raised: (record, live) => this.#raised(record, live),
    });
    this.#delivery = new Delivery(fileSink(agentLayout(data).alerts), store, room, (alert, sink, error) => {
      log
        .append('alert.undelivered', { alert_id: alert.alert_id, sink, reason: messageOf(error).slice(0, 1024) })
        .catch(fail);
    });
  }

  /** Answers on the socket from now on. @throws AgentError CONTROL_UNAVAILABLE */
  listen(): Promise<ControlServer> {
    const { log, store, data } = this.#options;
    const context = {
      log,
      store,
      questions: this.#questions,
      status: () => this.status(),
      stop: () => this.#stopping.abort(),
      reload: () => this.#rules.load(),
      follow: (tell: (alert: AlertRecord) => void, gone: AbortSignal) => this.#follow(tell, gone),
    };
    return listen(agentLayout(data).socket, (method, params, tell, gone) =>
      answerRequest(context, method, params, tell, gone),
    );
  }

  /**
   * Until it is asked to stop.
   * @param before the last line of the agent's log from an earlier run
   */
  async run(before: Line | undefined): Promise<void> {
    const { signal } = this.#options;
    const stop = () => this.#stopping.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const work: Promise<void>[] = [];
    try {
      await this.#writeBeginning(before);
      void this.#delivery.run();
      // Watching doesn't wait for the rules: what is seen meanwhile is there for them when they come.
      this.#loaded = this.#rules.load();
      work.push(this.#loaded, this.#supervisor.run(this.#stopping.signal), ...this.#rounds());
      await Promise.race([Promise.all(work), this.#failed.promise]);
      await this.#finish();
    } finally {
      signal.removeEventListener('abort', stop);
      this.#stopping.abort();
      // What still runs after a failure ends before the stores are closed under it.
      await Promise.allSettled(work);
      await Promise.all([this.#detecting.close(), this.#questions.close()]);
    }
  }

  status(): AgentStatus {
    const { data, host, log, store, volatile } = this.#options;
    const state = this.#stopping.signal.aborted ? 'stopping' : this.#state;
    const parts = { detector: this.#detector, rules: this.#rules, supervisor: this.#supervisor, alerts: this.#alerts };
    return agentStatus({
      state,
      data,
      host,
      log,
      store,
      volatile,
      started: this.#started,
      traces: this.#tracer.ids,
      ...parts,
    });
  }

  async #whenWatching(session: CollectorSession, capabilities: readonly string[]): Promise<void> {
    await this.#rules.review(capabilities);
    await this.#anchor(session);
    for (;;) {
      const health = await session.health();
      if (health.sources.every(({ rounds }) => rounds > 0n) && health.queued === 0) break;
      await sleep(READY_POLL_MS);
    }
    // Answers come after the lines before them: what the first look saw is in the store.
    await this.#loaded;
    await this.#detector.settled();
    if (this.#state === 'ready') return;
    this.#state = 'ready';
    this.#options.onReady(this.status());
  }

  /** Each log keeps the other's head, so that neither can be rolled back alone. */
  async #anchor(session: CollectorSession): Promise<void> {
    await this.#handOver(session);
    await session.requestCheckpoint();
  }

  async #handOver(session: CollectorSession): Promise<void> {
    const { note } = await this.#options.log.head();
    await session.anchor(note);
  }

  async #anchorAgain(): Promise<void> {
    const { session } = this.#supervisor;
    try {
      if (session !== undefined) await this.#anchor(session);
    } catch (error) {
      // Gone meanwhile, or slow: it is asked again.
      if (!(error instanceof AgentError || error instanceof IpcError)) throw error;
    }
  }

  async #collectorEnded(reason: string): Promise<void> {
    const { log, note, surroundings } = this.#options;
    this.#tracer.reset();
    note(`procmond ${reason}; it is started again`);
    const data = { collector_name: PROCMOND, cause: 'stopped', from_ts: surroundings.clock.now() } as const;
    await log.append('collector.gap', { ...data, reason: `${reason}; it is started again` });
  }

  #raised(record: AlertRecord, live: LiveRule): void {
    this.#options.onAlert(record);
    for (const tell of this.#followers) tell(record);
    void this.#delivery.run();
    void this.#tracer.start(record, live);
  }

  async #follow(tell: (alert: AlertRecord) => void, gone: AbortSignal): Promise<void> {
    if (gone.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    gone.addEventListener('abort', () => resolve(), { once: true });
    this.#followers.add(tell);
    await promise;
    this.#followers.delete(tell);
  }

  #rounds(): Promise<void>[] {
    const { signal } = this.#stopping;
    const { room, store, volatile, surroundings, storeAgeMs, storeBytes } = this.#options;
    const { now } = surroundings.clock;
    const prune = () => {
      volatile.prune(now());
      room.ifAny(() => store.prune(now(), storeAgeMs, storeBytes));
    };
    return [
      repeatedly(() => this.#detector.look('snapshot'), SNAPSHOT_MS, signal),
      repeatedly(() => this.#detector.look('sequence'), SEQUENCE_MS, signal),
      repeatedly(() => this.#rules.check(), RELOAD_MS, signal),
      repeatedly(() => this.#anchorAgain(), ANCHOR_MS, signal),
      repeatedly(prune, PRUNE_MS, signal),
      repeatedly(() => room.look(), ROOM_MS, signal),
    ];
  }

  async #writeBeginning(before: Line | undefined): Promise<void> {
    const { log, surroundings } = this.#options;
    if (before !== undefined && before.type !== 'collector.stop') {
      const span = { from_ts: before.ts, to_ts: Math.max(before.ts, surroundings.clock.now()) };
      const reason = 'the agent did not end in good order; what collectors wrote meanwhile is taken from their logs';
      await log.append('collector.gap', { collector_name: AGENT, cause: 'stopped', ...span, reason });
    }
    await log.append('collector.start', {
      collector_name: AGENT,
      collector_version: RELEASE.version,
      capabilities: [],
      sources: [],
      process_pid: process.pid,
    });
  }

  /** The collector has ended, and its last lines are in; then ours. */
  async #finish(): Promise<void> {
    const { log, room } = this.#options;
    await this.#detector.settled();
    await this.#alerts.settle();
    await this.#delivery.run();
    await log.append('collector.stop', { collector_name: AGENT, cause: 'command' });
    room.assert();
  }
}

function missedGap(rules: readonly LiveRule[]): EventData['collector.gap'] {
  const ids = rules.map(({ rule }) => rule.id).join(', ');
  const reason = `this machine gave the detector no time; asked later about all that is there then: ${ids}`;
  return { collector_name: AGENT, cause: 'overrun', count: rules.length, reason: reason.slice(0, 1024) };
}
