import { type Envelope, encodeEnvelope, payloadDigest, signEnvelope } from '../core/dsse.ts';
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

/** A signed document in a file. */
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

/** How files of one kind of signed document are read. */
export type FileFormat<D> = {
  readonly maxBytes: number;
  /** @throws when it is no such document */
  readonly parse: (bytes: Uint8Array) => { readonly envelope: Envelope; readonly document: D };
};

export function fileFormatOf<D>(format: DocumentFormat<D>): FileFormat<D> {
  return {
    maxBytes: MAX_DOCUMENT_BYTES,
    parse: (bytes) => {
      const envelope = parseDocumentEnvelope(format, bytes);
      return { envelope, document: parseDocument(format, envelope.payload) };
    },
  };
}

/** The document in a file, parsed: nobody signs what can't be read back to him. */
export function readSignable<D>(format: FileFormat<D>, path: string): DocumentFile<D> {
  return { file: path, ...format.parse(readInputFile(path, { maxBytes: format.maxBytes })) };
}

/**
 * Writes a document with other signatures.
 * @param out another file to write; default the same
 */
export function storeSigned<D>(
  format: FileFormat<D>,
  path: string,
  out: string | undefined,
  change: (envelope: Envelope) => Envelope,
): DocumentFile<D> {
  const { envelope: before, document } = readSignable(format, path);
  const envelope = change(before);
  const bytes = encodeEnvelope(envelope);
  // What can't be read again (too many signatures) must not replace what can.
  format.parse(bytes);
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
