import { equalBytes } from '../../../core/bytes.ts';
import type { Malformed } from '../text.ts';
import { SUBPACKET } from './format.ts';
import { readLength } from './packets.ts';

export type Subpacket = { readonly type: number; readonly isCritical: boolean; readonly body: Uint8Array };

/** Of these a second one would be a second truth. */
const ONCE: readonly number[] = [
  SUBPACKET.created,
  SUBPACKET.expires,
  SUBPACKET.keyExpires,
  SUBPACKET.keyFlags,
  SUBPACKET.embeddedSignature,
  SUBPACKET.issuerFingerprint,
];

/** Section 5.2.3.7. */
export function splitSubpackets(area: Uint8Array, malformed: Malformed): Subpacket[] {
  const found: Subpacket[] = [];
  let at = 0;
  while (at < area.length) {
    const { length, start } = readLength(area, at, malformed, true);
    if (length === 0 || start + length > area.length) throw malformed('a subpacket is empty or cut short');
    const first = area[start] ?? 0;
    const body = area.slice(start + 1, start + length);
    found.push({ type: first & 0x7f, isCritical: (first & 0x80) !== 0, body });
    at = start + length;
  }
  return found;
}

/** What a signature says of itself, both areas together. */
export class Subpackets {
  readonly hashed: readonly Subpacket[];
  readonly unhashed: readonly Subpacket[];
  readonly #malformed: Malformed;

  constructor(hashed: Uint8Array, unhashed: Uint8Array, malformed: Malformed) {
    this.#malformed = malformed;
    this.hashed = splitSubpackets(hashed, malformed);
    this.unhashed = splitSubpackets(unhashed, malformed);
    for (const type of ONCE) {
      if (this.hashed.filter((one) => one.type === type).length > 1) throw malformed('it says one thing twice');
    }
  }

  /** The one in the part that is signed; undefined without one. */
  signed(type: number, bytes?: number): Uint8Array | undefined {
    const body = this.hashed.find((one) => one.type === type)?.body;
    if (body !== undefined && bytes !== undefined && body.length !== bytes) {
      throw this.#malformed(`a subpacket of type ${type} is not ${bytes} bytes long`);
    }
    return body;
  }

  /** The same, as a number of four bytes. */
  number(type: number): number | undefined {
    const body = this.signed(type, 4);
    return body === undefined ? undefined : Buffer.from(body).readUInt32BE();
  }

  /**
   * From either part, for what proves itself: an issuer is only a hint at the key, and an embedded signature is one of
   * its own. All that are there must be the same.
   */
  either(type: number): Uint8Array | undefined {
    const [first, ...others] = [...this.hashed, ...this.unhashed].filter((one) => one.type === type);
    if (others.some(({ body }) => !equalBytes(body, first?.body ?? new Uint8Array()))) {
      throw this.#malformed('it says one thing in two ways');
    }
    return first?.body;
  }
}
