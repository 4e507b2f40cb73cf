import { type Envelope, encodeEnvelope, payloadDigest, signEnvelope, signingKeys } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import type { PrivateKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { count } from '../core/wording.ts';
import { writeFileDurably } from '../durable/files-io.ts';
import {
  type DocumentFormat,
  MAX_DOCUMENT_BYTES,
  parseDocument,
  parseDocumentEnvelope,
  sealDocument,
} from '../verify/signed-document.ts';
import { usageError } from './errors.ts';
import { createFilesDurably, readInputFile } from './files-io.ts';

/** A heads statement, downgrade or floor reset in a file. */
export type DocumentFile<D> = { readonly file: string; readonly envelope: Envelope; readonly document: D };

/** The file's bytes, whatever they hold. @throws CliError as `readInputFile` */
export function readDocumentFile(path: string): Uint8Array {
  return readInputFile(path, { maxBytes: MAX_DOCUMENT_BYTES });
}

/** Writes a new document, with a first signature if there is a key. @throws CliError USAGE_VALUE, FILE_EXISTS, … */
export function createDocumentFile<D>(
  format: DocumentFormat<D>,
  document: D,
  file: string,
  key: PrivateKey | undefined,
): DocumentFile<D> {
  const unsigned = sealed(format, document);
  const envelope = key === undefined ? unsigned : signEnvelope(unsigned, key);
  createFilesDurably([{ path: file, bytes: encodeEnvelope(envelope), mode: 0o644 }]);
  return { file, envelope, document };
}

/** What nobody would accept can only come from the options it was made of. */
function sealed<D>(format: DocumentFormat<D>, document: D): Envelope {
  try {
    return sealDocument(format, document);
  } catch (cause) {
    throw Object.assign(usageError('USAGE_VALUE', messageOf(cause)), { cause });
  }
}

/**
 * Adds a signature. Nobody signs what can't be read back to him, so it is parsed first; signing twice changes nothing.
 * @param out another file to write; default the same
 */
export function signDocumentFile<D>(
  format: DocumentFormat<D>,
  path: string,
  key: PrivateKey,
  out: string | undefined,
): DocumentFile<D> {
  const unsigned = parseDocumentEnvelope(format, readDocumentFile(path));
  const document = parseDocument(format, unsigned.payload);
  const isSigned = signingKeys(unsigned, [key.publicKey]).length > 0;
  const envelope = isSigned ? unsigned : signEnvelope(unsigned, key);
  const bytes = encodeEnvelope(envelope);
  // What can't be read again (too many signatures) must not replace what can.
  parseDocumentEnvelope(format, bytes);
  const file = out ?? path;
  writeFileDurably(file, bytes, { mode: 0o644 });
  return { file, envelope, document };
}

export function documentJson<D>({ file, envelope, document }: DocumentFile<D>) {
  const { signatures } = envelope;
  return { file, fingerprint: payloadDigest(envelope), signatures: signatures.length, document };
}

/** What it says, for who signs it, then the file. @param lines the document in words, already escaped */
export function renderDocumentFile<D>({ file, envelope }: DocumentFile<D>, lines: readonly string[]): string {
  const signed = `${escapeForTerminal(file)}: ${count(envelope.signatures.length, 'signature')}`;
  return [...lines, `  fingerprint ${payloadDigest(envelope)}`, signed].join('\n');
}
