import { decodeUtf8 } from '../core/bytes.ts';
import { CoreError } from '../core/errors.ts';
import { type PrivateKey, type PublicKey, parsePrivateKey, parsePublicKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { CliContext } from './command.ts';
import { readInputFile } from './files-io.ts';
import { obtainPassphrase } from './passphrase-io.ts';

/** A PEM key file is a few hundred bytes. */
const MAX_KEY_FILE_BYTES = 64 * 1024;

/** @throws CliError as `readInputFile`; CoreError as `parsePublicKey`, naming the file */
export function loadPublicKey(path: string): PublicKey {
  return namingFile(path, () => parsePublicKey(readPem(path)));
}

/**
 * Loads a private key; an encrypted one asks for its passphrase (see `obtainPassphrase`).
 * @throws CliError as `readInputFile` and `obtainPassphrase`; CoreError as `parsePrivateKey`, naming the file
 */
export async function loadPrivateKey(
  path: string,
  context: CliContext,
  passphraseFile: string | undefined,
): Promise<PrivateKey> {
  return openPrivateKey(path, readPem(path), context, passphraseFile);
}

async function openPrivateKey(
  path: string,
  pem: string,
  context: CliContext,
  passphraseFile: string | undefined,
): Promise<PrivateKey> {
  try {
    return namingFile(path, () => parsePrivateKey(pem));
  } catch (error) {
    if (!(error instanceof CoreError && error.code === 'KEY_ENCRYPTED')) throw error;
  }
  const what = escapeForTerminal(path);
  const passphrase = await obtainPassphrase(context, { file: passphraseFile, what, isNew: false });
  return namingFile(path, () => parsePrivateKey(pem, passphrase));
}

/** The public key of either half's file. @throws as {@link loadPublicKey} and {@link loadPrivateKey} */
export async function loadEitherKey(
  path: string,
  context: CliContext,
  passphraseFile: string | undefined,
): Promise<{ readonly half: 'public' | 'private'; readonly publicKey: PublicKey }> {
  const pem = readPem(path);
  if (pem.includes('PRIVATE KEY-----')) {
    return { half: 'private', publicKey: (await openPrivateKey(path, pem, context, passphraseFile)).publicKey };
  }
  return { half: 'public', publicKey: namingFile(path, () => parsePublicKey(pem)) };
}

function readPem(path: string): string {
  return namingFile(path, () => decodeUtf8(readInputFile(path, { maxBytes: MAX_KEY_FILE_BYTES })));
}

/** core knows no files, so the sentence gets its "where" here. */
function namingFile<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    const code = cause.code === 'UTF8_MALFORMED' ? 'KEY_MALFORMED' : cause.code;
    throw new CoreError(code, `${escapeForTerminal(path)}: ${cause.message}`, { cause, fault: cause.fault });
  }
}
