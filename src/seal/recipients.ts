import type { Decrypter, Encrypter } from 'age-encryption';
import { messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { SealError } from './errors.ts';
import { KEY_BYTES } from './format.ts';
import { recordKeyOf, type SealedBatch, type SealedRecord } from './sealed-record.ts';

/**
 * Encryption of batch keys to people, by age (age-encryption.org/v1). The library is loaded when first needed: it
 * carries more than a collector without recipients wants in memory.
 */

const RECIPIENT = /^age1[0-9a-z]{20,4096}$/;
const IDENTITY = /^AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20,4096}$/;

/**
 * Checks the recipients that a trust root names.
 * @throws SealError RECIPIENT_MALFORMED
 */
export async function assertRecipients(recipients: readonly string[]): Promise<void> {
  await encrypterFor(recipients);
}

/**
 * @returns an age file with the batch key, for any one of the recipients to open
 * @throws SealError RECIPIENT_MALFORMED
 */
export async function wrapBatchKey(batchKey: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const encrypter = await encrypterFor(recipients);
  return await encrypter.encrypt(batchKey);
}

/** @throws SealError RECIPIENT_MALFORMED */
export async function encrypterFor(recipients: readonly string[]): Promise<Encrypter> {
  const age = await import('age-encryption');
  const encrypter = new age.Encrypter();
  for (const recipient of recipients) {
    try {
      if (!RECIPIENT.test(recipient)) throw new Error('it does not begin with age1');
      encrypter.addRecipient(recipient);
    } catch (cause) {
      const message = `"${escapeForTerminal(recipient)}" is not an age recipient (${messageOf(cause)}); age-keygen -y tells one`;
      throw new SealError('RECIPIENT_MALFORMED', message, { cause });
    }
  }
  return encrypter;
}

/** @param identities `AGE-SECRET-KEY-1…` @throws SealError IDENTITY_MALFORMED */
export async function decrypterFor(identities: readonly string[]): Promise<Decrypter> {
  const age = await import('age-encryption');
  const decrypter = new age.Decrypter();
  for (const identity of identities) {
    try {
      if (!IDENTITY.test(identity)) throw new Error('it does not begin with AGE-SECRET-KEY-1');
      decrypter.addIdentity(identity);
    } catch (cause) {
      const message = `not an age identity (${messageOf(cause)}); give the file that age-keygen wrote`;
      throw new SealError('IDENTITY_MALFORMED', message, { cause });
    }
  }
  return decrypter;
}

/**
 * The batch key, for one who holds an identity.
 * @param identity `AGE-SECRET-KEY-1…`
 * @throws SealError IDENTITY_MALFORMED, IDENTITY_UNSUITABLE (not one of the recipients) or SEALED_DAMAGED
 */
export async function unwrapBatchKey(batch: SealedBatch, identity: string): Promise<Uint8Array> {
  const decrypter = await decrypterFor([identity]);
  let key: Uint8Array;
  try {
    key = await decrypter.decrypt(batch.key);
  } catch (cause) {
    const message = `this identity does not open the sealed values (${messageOf(cause)}); they are for ${batch.recipients.join(', ')}`;
    throw new SealError('IDENTITY_UNSUITABLE', message, { cause });
  }
  if (key.length === KEY_BYTES) return key;
  throw new SealError('SEALED_DAMAGED', 'a batch of sealed values holds a key of the wrong size', {
    fault: 'untrusted',
  });
}

/**
 * The key of one value, for one who holds an identity. Opening a value is `openRecord` with it; whoever shows the value
 * logs that first (a reveal).
 * @throws SealError as {@link unwrapBatchKey} and `recordKeyOf`
 */
export async function revealRecordKey(
  { record, batch }: { readonly record: SealedRecord; readonly batch: SealedBatch },
  identity: string,
): Promise<Uint8Array> {
  return recordKeyOf(record, await unwrapBatchKey(batch, identity));
}
