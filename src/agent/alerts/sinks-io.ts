import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { durableErrorFrom } from '../../durable/errors.ts';
import type { Room } from '../room-io.ts';
import type { EventStore } from '../store/event-store-io.ts';
import type { AlertRecord } from './record.ts';

/** Where alerts go; each at least once. What it can't deliver it throws. */
export type Sink = { readonly name: string; readonly deliver: (alert: AlertRecord) => Promise<void> };

/** One JSON object a line, appended and synced. Names in it are as they are: whoever prints them escapes them. */
export function fileSink(path: string): Sink {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
  return {
    name: 'file',
    deliver: async (alert) => {
      try {
        await using file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
        await file.appendFile(`${JSON.stringify(alert)}\n`);
        await file.datasync();
      } catch (cause) {
        throw durableErrorFrom(cause, 'write the alert to', path);
      }
    },
  };
}

/**
 * Delivers alerts to one sink in order, and remembers how far it came: what was raised before a crash is delivered
 * after it. The log is the truth; this only says who has been told.
 */
export class Delivery {
  readonly #sink: Sink;
  readonly #store: EventStore;
  readonly #room: Room;
  readonly #failed: (alert: AlertRecord, sink: string, error: unknown) => void;
  #running: Promise<void> = Promise.resolve();
  #complained: string | undefined;

  constructor(
    sink: Sink,
    store: EventStore,
    room: Room,
    failed: (alert: AlertRecord, sink: string, error: unknown) => void,
  ) {
    this.#sink = sink;
    this.#store = store;
    this.#room = room;
    this.#failed = failed;
  }

  /** Delivers all that is not delivered yet. Never rejects: a sink that fails is tried again at the next alert. */
  run(): Promise<void> {
    this.#running = this.#running.then(() => this.#deliver());
    return this.#running;
  }

  async #deliver(): Promise<void> {
    const name = `delivered.${this.#sink.name}`;
    for (const alert of this.#store.alertsAfter(this.#store.number(name) ?? -1)) {
      try {
        await this.#sink.deliver(alert);
      } catch (error) {
        if (this.#complained !== alert.alert_id) this.#failed(alert, this.#sink.name, error);
        this.#complained = alert.alert_id;
        return;
      }
      // Without room it is delivered again: at least once.
      this.#room.ifAny(() => this.#store.setNumber(name, alert.event_sequence));
    }
  }
}
