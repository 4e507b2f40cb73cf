import { statSync } from 'node:fs';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { KIND_WORDS, type SignatureKind, signatureKind } from '../../verify/release/signature-kind.ts';
import { CliError, usageError } from '../errors.ts';
import { readInputFile } from '../files-io.ts';

/** A file that may hold a signature, and what it holds. */
export type SignatureFile = { readonly path: string; readonly bytes: Uint8Array; readonly kind: SignatureKind };

/** What publishers append to a file's name. Only where to look: what it is, its content tells. */
const SUFFIXES = [
  '.minisig',
  '.sig',
  '.sign',
  '.signature',
  '.sshsig',
  '.sigstore.json',
  '.sigstore',
  '.bundle',
  '.cosign.bundle',
  '.intoto.jsonl',
  '.asc',
  '.gpg',
];
/** A signature with a list of checksums in it, or a bundle with many attestations, is the largest. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;

/**
 * Reads a file that is to be judged, or judged by. Too large is not a slip of whoever verifies, it is no such document.
 * @throws CliError as `readInputFile`, FILE_TOO_LARGE with the fault `untrusted`
 */
export function readMaterial(path: string): Uint8Array {
  try {
    return readInputFile(path, { maxBytes: MAX_FILE_BYTES });
  } catch (cause) {
    if (!(cause instanceof CliError) || cause.code !== 'FILE_TOO_LARGE') throw cause;
    throw new CliError(cause.code, cause.message, { cause, fault: 'untrusted' });
  }
}

/** @throws CliError USAGE_VALUE for a file that is no signature we know */
export function readSignature(path: string): SignatureFile {
  const bytes = readMaterial(path);
  const kind = signatureKind(bytes);
  if (kind === undefined) {
    throw usageError('USAGE_VALUE', `${escapeForTerminal(path)} is no signature of a kind that is known here`);
  }
  return { path, bytes, kind };
}

/** Signatures beside a file, by its name with something appended. */
export function signaturesBeside(path: string): SignatureFile[] {
  return SUFFIXES.map((suffix) => path + suffix)
    .filter((beside) => statSync(beside, { throwIfNoEntry: false })?.isFile() === true)
    .flatMap((beside) => {
      const bytes = readMaterial(beside);
      const kind = signatureKind(bytes);
      return kind === undefined ? [] : [{ path: beside, bytes, kind }];
    });
}

/** `x.sig (a minisign signature)`. */
export function describeSignature({ path, kind }: SignatureFile): string {
  return `${escapeForTerminal(path)} (${KIND_WORDS[kind]})`;
}
