import { createHmac, randomBytes } from 'node:crypto';
import type { Rule } from '../../rules/rule.ts';
import type { Answer, Cell } from '../../sandbox/protocol.ts';
import type { ShownRow } from './shown.ts';

/** dedup_key of the event contract. */
const MAX_KEY = 1024;

/**
 * Names hits. A key made of what may be shown is that, readable and the same after a restart; one that holds anything
 * else is a keyed hash, so that nobody can try out secrets against it, and lasts as long as this agent runs.
 */
export class HitNames {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array = randomBytes(32)) {
    this.#secret = secret;
  }

  /** What hits have in common that count as one alert. */
  keyOf({ dedup }: Rule, answer: Answer, row: readonly Cell[], shown: ShownRow): string {
    const values = dedup.key.map((column) => row[answer.columns.indexOf(column)] ?? null);
    const isShown = dedup.key.every((column) => Object.hasOwn(shown, column));
    const text = values.map((value) => encodeURIComponent(String(value ?? ''))).join('|');
    return isShown && text.length <= MAX_KEY ? text : this.#hash(values);
  }

  /** The hit itself: the same row again is no second hit. */
  rowOf(row: readonly Cell[]): string {
    return this.#hash(row);
  }

  #hash(values: readonly Cell[]): string {
    return createHmac('sha256', this.#secret).update(JSON.stringify(values)).digest('hex');
  }
}
