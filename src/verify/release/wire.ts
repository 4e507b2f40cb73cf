import { decodeUtf8, equalBytes } from '../../core/bytes.ts';

/** Reads SSH's wire form (RFC 4251 section 5), and OpenPGP's, to its very end. `malformed` makes the error of whoever reads. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #malformed: (problem: string) => Error;
  #at = 0;

  constructor(bytes: Uint8Array, malformed: (problem: string) => Error) {
    this.#bytes = bytes;
    this.#malformed = malformed;
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw this.#malformed('it is cut short');
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  uint64(): bigint {
    return Buffer.from(this.take(8)).readBigUInt64BE();
  }

  uint32(): number {
    return Buffer.from(this.take(4)).readUInt32BE();
  }

  uint16(): number {
    return Buffer.from(this.take(2)).readUInt16BE();
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at);
  }

  /** OpenPGP's number (RFC 9580 section 3.2): its length in bits, then its bytes, of which the first is not zero. */
  multiprecision(): Uint8Array {
    const bits = this.uint16();
    const bytes = this.take(Math.ceil(bits / 8));
    const [first = 0] = bytes;
    if (bits === 0 || bytes.length * 8 - Math.clz32(first) + 24 !== bits) {
      throw this.#malformed('a number in it is not as long as it says');
    }
    return bytes;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** `string`: any bytes. */
  string(): Uint8Array {
    return this.take(this.uint32());
  }

  /** `string` of printable ASCII, as algorithms and curves are called. */
  name(): string {
    const bytes = this.string();
    if (!bytes.every((byte) => byte > 0x20 && byte < 0x7f))
      throw this.#malformed('a name in it is not printable ASCII');
    return decodeUtf8(bytes);
  }

  /** `string` of UTF-8 without NUL, as people and hosts are called. */
  text(): string {
    const bytes = this.string();
    if (bytes.includes(0)) throw this.#malformed('a text in it has a NUL byte');
    try {
      return decodeUtf8(bytes);
    } catch {
      throw this.#malformed('a text in it is not UTF-8');
    }
  }

  /** `mpint`, positive and in its one shortest form; without the leading zero. */
  unsigned(): Uint8Array {
    const bytes = this.string();
    const [first = 0, second = 0] = bytes;
    if (bytes.length === 0 || first >= 0x80) throw this.#malformed('a number in it is not positive');
    if (first !== 0) return bytes;
    if (bytes.length === 1 || second < 0x80) throw this.#malformed('a number in it is not in its shortest form');
    return bytes.slice(1);
  }

  expect(bytes: Uint8Array, problem: string): void {
    if (!equalBytes(this.take(bytes.length), bytes)) throw this.#malformed(problem);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw this.#malformed('bytes follow its end');
  }
}

/** `string` of RFC 4251 section 5. */
export function wireString(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return new Uint8Array(Buffer.concat([length, bytes]));
}
