import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { MAX_ROOT_BYTES, ROOT_PAYLOAD_TYPE } from '../bundle/format.ts';
import { addDetachedSignature } from '../core/detached-signature.ts';
import { type Envelope, encodeEnvelope, parseEnvelope, signEnvelope } from '../core/dsse.ts';
import type { PrivateKey, PublicKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { writeFileDurably } from '../durable/files-io.ts';
import type { RootDocument, TrustRoot } from '../verify/root-document.ts';
import { sealDraft } from '../verify/root-draft.ts';
import { parseRootDocument } from '../verify/trust-root.ts';
import { CliError } from './errors.ts';
import { isDirectory } from './files-io.ts';
import {
  assertOfDraft,
  finishedFile,
  readDraft,
  readRootEnvelope,
  readTrustRoot,
  signingFile,
} from './trust-workspace-io.ts';

/** A draft that somebody is about to sign, and where its signatures are kept. */
export type DraftToSign = { readonly file: string; readonly envelope: Envelope; readonly document: RootDocument };

/**
 * The draft in a directory, or a copy of its envelope that was carried elsewhere.
 * @param path directory or envelope file
 * @throws VerifyError when the draft isn't a sound root yet: nobody signs what every enclave would refuse;
 *   CliError DRAFT_STALE
 */
export function openDraftToSign(path: string): DraftToSign {
  const file = isDirectory(path) ? signingFile(path) : path;
  const envelope = file === path ? readRootEnvelope(file) : openForSigning(path);
  const document = parseRootDocument(envelope.payload);
  sealDraft(document);
  return { file, envelope, document };
}

/** The envelope in a workspace, with the signatures it has; made from the draft for the first of them. */
function openForSigning(directory: string): Envelope {
  const signing = signingFile(directory);
  if (!existsSync(signing)) return sealDraft(readDraft(directory));
  const envelope = readRootEnvelope(signing);
  assertOfDraft(directory, signing, envelope);
  return envelope;
}

/** Adds (or renews) this key's signature. @returns the envelope as it is now stored */
export function signDraft({ file, envelope }: DraftToSign, key: PrivateKey): Envelope {
  return store(file, signEnvelope(envelope, key));
}

/** Adds a signature made elsewhere. @throws CoreError BAD_SIGNATURE or SIGNATURE_DUPLICATE */
export function addDraftSignature({ file, envelope }: DraftToSign, key: PublicKey, signature: Uint8Array): Envelope {
  return store(file, addDetachedSignature(envelope, key, signature));
}

function store(file: string, envelope: Envelope): Envelope {
  const bytes = encodeEnvelope(envelope);
  // What can't be read again (too many signatures) must not replace what can.
  parseEnvelope(bytes, ROOT_PAYLOAD_TYPE, MAX_ROOT_BYTES);
  writeFileDurably(file, bytes, { mode: 0o644 });
  return envelope;
}

/**
 * The version that a draft is to follow, so that what it takes back can be seen: the one a person names, else the one
 * beside the draft. Whoever brought both on one stick could have made up either, so its fingerprint has to be shown.
 * @param named file of that version, or a directory whose newest it is
 * @returns undefined for a first version, and when that version is not here
 * @throws CliError DRAFT_STALE when what is named is not the version before; as `readTrustRoot`
 */
export function previousVersion({ file, document }: DraftToSign, named: string | undefined): TrustRoot | undefined {
  if (document.version === 1) return undefined;
  const beside = finishedFile(dirname(file), document.version - 1);
  const path = named ?? (existsSync(beside) ? beside : undefined);
  if (path === undefined) return undefined;
  const previous = readTrustRoot(path);
  if (previous.version === document.version - 1) return previous;
  const message = `the draft is for version ${document.version}, but ${escapeForTerminal(path)} is version ${previous.version}`;
  throw new CliError('DRAFT_STALE', message);
}
