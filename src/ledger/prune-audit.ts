import type { Envelope } from '../core/dsse.ts';
import { parseEmbeddedEnvelope } from '../core/embedded-envelope.ts';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { validateEvent } from '../core/event.ts';
import { LOG_PRUNE } from './format.ts';
import type { Genesis } from './genesis.ts';
import type { Line } from './line.ts';
import { assertOrderOf, type Order, type PruneOrder } from './orders.ts';

/** The order in the document of a `log.prune` entry, if who signed it may. @throws our errors */
export type Prunes = (document: Envelope) => Order<PruneOrder>;

/** Up to where lines may be gone by the `log.prune` entries of a log. */
export class PruneAudit {
  readonly #genesis: Genesis;
  readonly #prunes: Prunes | undefined;
  /** The first seq that must be there. */
  to = 0;
  /** Why an entry does not count. */
  unapproved: string | undefined;

  /** @param prunes without it an entry counts by itself: the log's key signed it */
  constructor(genesis: Genesis, prunes: Prunes | undefined) {
    this.#genesis = genesis;
    this.#prunes = prunes;
  }

  take(line: Line): void {
    const to = line.data['to'];
    if (typeof to !== 'number' || to > line.seq || to <= this.to) return;
    try {
      if (this.#prunes !== undefined) this.#assertApproved(this.#prunes, line, to);
      this.to = to;
    } catch (cause) {
      if (!(cause instanceof DaemonEyeError)) throw cause;
      this.unapproved = `entry ${line.seq}: ${messageOf(cause)}`;
    }
  }

  /** By what was signed, for this log; the line around it says nothing. */
  #assertApproved(prunes: Prunes, { data }: Line, to: number): void {
    const { order } = prunes(parseEmbeddedEnvelope(validateEvent(LOG_PRUNE, data).document));
    assertOrderOf(this.#genesis, order, to);
  }
}
