import { join } from 'node:path';
import { UntrustedDirectory } from '../archive/directory-io.ts';
import { asOwnTrouble } from '../archive/walk-io.ts';
import { encodeHex } from '../core/bytes.ts';
import { addDetachedSignature } from '../core/detached-signature.ts';
import { type Digest, sha256 } from '../core/digest.ts';
import {
  type Envelope,
  encodeEnvelope,
  mergeSignatures,
  parseEnvelope,
  payloadDigest,
  signEnvelope,
  signingKeys,
} from '../core/dsse.ts';
import type { KeyId, PrivateKey, PublicKey } from '../core/keys.ts';
import { writeFileDurably } from '../durable/files-io.ts';
import { untrusted } from './errors.ts';
import { BUNDLE_PAYLOAD_TYPE, ENVELOPE_NAME, INDEX_NAME, MAX_ENVELOPE } from './format.ts';
import { parseStatement } from './statement.ts';

export type SignResult = {
  readonly keyid: KeyId;
  /** What was signed: digest of the statement's payload. */
  readonly statement: Digest;
  /** False when this key's valid signature was there already; then nothing was written. */
  readonly added: boolean;
  /** Signatures in the envelope now. */
  readonly signatures: number;
};

/**
 * Signs a bundle directory. Several people sign one after the other; signing twice changes nothing.
 * @throws BundleError INDEX_MISMATCH or as `parseStatement`; ArchiveError; CoreError ENVELOPE_MALFORMED, …;
 *   DurableError
 */
export async function signBundle(directory: string, key: PrivateKey): Promise<SignResult> {
  const envelope = await readSignable(directory);
  return store(directory, envelope, signEnvelope(envelope, key), key.publicKey);
}

/**
 * Adds a signature made elsewhere, if it is one.
 * @param signature 64 bytes over the `preAuthEncoding` of {@link readSignable}
 * @throws CoreError BAD_SIGNATURE or SIGNATURE_DUPLICATE, and as {@link signBundle}
 */
export async function addSignature(directory: string, key: PublicKey, signature: Uint8Array): Promise<SignResult> {
  const envelope = await readSignable(directory);
  return store(directory, envelope, addDetachedSignature(envelope, key, signature), key);
}

/**
 * Takes in the signatures of copies of the bundle's envelope, which people signed apart from each other. Whose they are
 * is for the verifier to say.
 * @param copies envelopes' bytes
 * @returns the digest of what they signed, and how many signatures there are now
 * @throws CoreError PAYLOADS_DIFFER, and as {@link signBundle}
 */
export async function mergeIntoBundle(
  directory: string,
  copies: readonly Uint8Array[],
): Promise<Pick<SignResult, 'statement' | 'signatures'>> {
  const envelope = await readSignable(directory);
  const merged = mergeSignatures(
    envelope,
    copies.map((bytes) => parseEnvelope(bytes, BUNDLE_PAYLOAD_TYPE)),
  );
  write(directory, merged);
  return { statement: payloadDigest(merged), signatures: merged.signatures.length };
}

/**
 * The envelope of a bundle whose index is the one its statement names: nobody signs what he can't be shown.
 * A smart card or HSM signs the `preAuthEncoding` of it.
 * @throws as {@link signBundle}
 */
export async function readSignable(path: string): Promise<Envelope> {
  try {
    await using directory = await UntrustedDirectory.open(path);
    const envelope = parseEnvelope(await read(directory, ENVELOPE_NAME, MAX_ENVELOPE), BUNDLE_PAYLOAD_TYPE);
    const { index } = parseStatement(envelope.payload);
    if (encodeHex(sha256(await read(directory, INDEX_NAME, index.size))) !== index.sha256) {
      throw untrusted('INDEX_MISMATCH', 'index.jsonl is not the one the statement names: build the bundle again');
    }
    return envelope;
  } catch (thrown) {
    throw asOwnTrouble(thrown);
  }
}

async function read(directory: UntrustedDirectory, name: string, maxBytes: number): Promise<Uint8Array> {
  await using file = await directory.file(name);
  return await file.readAll(maxBytes);
}

function store(directory: string, before: Envelope, after: Envelope, key: PublicKey): SignResult {
  const added = signingKeys(before, [key]).length === 0;
  if (added) write(directory, after);
  const signatures = (added ? after : before).signatures.length;
  return { keyid: key.keyid, statement: payloadDigest(before), added, signatures };
}

function write(directory: string, envelope: Envelope): void {
  const bytes = encodeEnvelope(envelope);
  // What can't be read again (too many signatures) must not replace what can.
  parseEnvelope(bytes, BUNDLE_PAYLOAD_TYPE);
  writeFileDurably(join(directory, ENVELOPE_NAME), bytes, { mode: 0o644 });
}
