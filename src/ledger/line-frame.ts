import type { KeyId } from '../core/keys.ts';
import type { JsonObject } from '../core/strict-json.ts';
import type { Moment } from './clock.ts';
import { type Actor, actorText, assertBoot, assertMoment, assertType, dataText } from './line.ts';

/** What of a line the caller decides. */
export type LineContent = { readonly type: string; readonly actor: Actor; readonly data: JsonObject };

/** What of a line the log decides; all of it right by construction. */
export type LinePlace = { readonly seq: number; readonly prev: string; readonly n: string } & Moment;

/** A signature: without `sig` it is the text that is signed. */
export type LineSignature = { readonly kid: KeyId; readonly sig?: string };

/** Bounds a memory of what was checked; names of types are few. */
const MAX_KNOWN_TYPES = 256;

/**
 * Spells the lines of one writer as `encodeLine` does, for a fraction of its cost: what a writer repeats from line to
 * line is checked and spelled once.
 */
export class LineFrame {
  readonly #types = new Set<string>();
  #boot = '';
  #actor: { readonly id: string; readonly type: string; readonly text: string } | undefined;

  /** @throws LedgerError LINE_MALFORMED */
  text({ type, actor, data }: LineContent, place: LinePlace, signature?: LineSignature): string {
    const { seq, prev, n, ts, mono, boot } = place;
    this.#assertType(type);
    this.#assertBoot(boot);
    assertMoment(place);
    const kid = signature === undefined ? '' : `"kid":"${signature.kid}",`;
    const sig = signature?.sig === undefined ? '' : `"sig":"${signature.sig}",`;
    return `{"actor":${this.#actorText(actor)},"boot":"${boot}","data":${dataText(data)},${kid}"mono":${mono},"n":"${n}","prev":"${prev}","seq":${seq},${sig}"ts":${ts},"type":"${type}","v":1}`;
  }

  #actorText(actor: Actor): string {
    const known = this.#actor;
    if (known !== undefined && known.id === actor.id && known.type === actor.type && keyCount(actor) === 2) {
      return known.text;
    }
    const text = actorText(actor);
    this.#actor = { id: actor.id, type: actor.type, text };
    return text;
  }

  #assertType(type: string): void {
    if (this.#types.has(type)) return;
    assertType(type);
    if (this.#types.size < MAX_KNOWN_TYPES) this.#types.add(type);
  }

  #assertBoot(boot: string): void {
    if (this.#boot === boot) return;
    assertBoot(boot);
    this.#boot = boot;
  }
}

function keyCount(actor: Actor): number {
  return Object.keys(actor).length;
}
