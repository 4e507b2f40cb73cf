import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { SealError } from './errors.ts';
import { decrypterFor, encrypterFor } from './recipients.ts';

/**
 * Whole files encrypted to people, by age (age-encryption.org/v1), as they stream by. Confidentiality only: who wrote a
 * file is for the signatures inside to say.
 */

/** A header with room for hundreds of recipients; the library would gather one of any length. */
const MAX_HEADER_BYTES = 64 * 1024;
/** The line that ends a header (age-encryption.org/v1, "Header"). */
const HEADER_END = '\n--- ';

/**
 * @param pieces each valid until the next is asked for @param recipients `age1…`
 * @returns an age file for any one of them to open
 * @throws SealError RECIPIENT_MALFORMED; whatever the source throws
 */
export async function* encryptTo(
  pieces: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
): AsyncGenerator<Uint8Array> {
  const encrypter = await encrypterFor(recipients);
  yield* await encrypter.encrypt(ReadableStream.from(copies(pieces)));
}

/**
 * @param pieces of an age file, each valid until the next is asked for @param identities `AGE-SECRET-KEY-1…`
 * @returns what was encrypted. Not all of it is there until the last piece: what came before an error is a part of it
 * @throws SealError IDENTITY_MALFORMED, IDENTITY_UNSUITABLE (none of the recipients), SEALED_DAMAGED (fault `untrusted`)
 *   when it is not an age file, was cut short or changed; whatever the source throws
 */
export async function* decryptWith(
  pieces: AsyncIterable<Uint8Array>,
  identities: readonly string[],
): AsyncGenerator<Uint8Array> {
  const decrypter = await decrypterFor(identities);
  let source: DaemonEyeError | undefined;
  const bounded = async function* () {
    try {
      yield* withShortHeader(copies(pieces));
    } catch (thrown) {
      // The library turns everything into errors of its own.
      if (thrown instanceof DaemonEyeError) source = thrown;
      throw thrown;
    }
  };
  try {
    yield* await decrypter.decrypt(ReadableStream.from(bounded()));
  } catch (cause) {
    if (source !== undefined) throw source;
    if (cause instanceof DaemonEyeError || isAbort(cause)) throw cause;
    if (/no identity matched/.test(messageOf(cause))) {
      const message = 'it is encrypted to others: none of the identities opens it';
      throw new SealError('IDENTITY_UNSUITABLE', message, { cause });
    }
    throw damaged(`it was cut short or changed (${messageOf(cause)})`, cause);
  }
}

function isAbort(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'AbortError';
}

async function* withShortHeader(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let start = Buffer.alloc(0);
  let isOver = false;
  for await (const piece of pieces) {
    if (!isOver) {
      start = Buffer.concat([start, piece.subarray(0, MAX_HEADER_BYTES)]);
      isOver = start.indexOf(HEADER_END) !== -1;
      if (!isOver && start.length >= MAX_HEADER_BYTES) throw damaged('its header does not end');
    }
    yield piece;
  }
}

/** A stream may hold what it was given while it asks for more. */
async function* copies(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield new Uint8Array(piece);
}

function damaged(why: string, cause?: unknown): SealError {
  return new SealError('SEALED_DAMAGED', `not a whole age file: ${why}`, { cause, fault: 'untrusted' });
}
