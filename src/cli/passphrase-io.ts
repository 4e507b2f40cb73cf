import { decodeUtf8 } from '../core/bytes.ts';
import type { CliContext } from './command.ts';
import { CliError } from './errors.ts';
import { readInputFile } from './files-io.ts';
import { askLine, canAsk } from './prompt-io.ts';

export type PassphraseOptions = {
  /** The command's `--passphrase-file`. */
  readonly file: string | undefined;
  /** What it opens or protects, for the question: `keys/alice.key.pem`. */
  readonly what: string;
  /** For a new passphrase: it must be typed twice and not be empty. */
  readonly isNew: boolean;
};

const MAX_PASSPHRASE_BYTES = 1024;
const HOW = 'give --passphrase-file FILE or set DAEMONEYE_PASSPHRASE_FILE';

/**
 * A passphrase, from the first of: `--passphrase-file`, DAEMONEYE_PASSPHRASE_FILE, the person at the terminal. Never
 * from an argument or a variable itself, which other processes can read.
 * @throws CliError PASSPHRASE_NEEDED, PASSPHRASE_EMPTY, PASSPHRASE_MISMATCH or INTERRUPTED; as `readInputFile`
 */
export async function obtainPassphrase(context: CliContext, options: PassphraseOptions): Promise<string> {
  const file = options.file ?? (context.env['DAEMONEYE_PASSPHRASE_FILE'] || undefined);
  const passphrase = file === undefined ? await askPassphrase(context, options) : fromFile(file);
  if (passphrase === '' && options.isNew) {
    throw new CliError('PASSPHRASE_EMPTY', `an empty passphrase protects nothing; ${HOW}, or type one`);
  }
  return passphrase;
}

/** The first line: editors and `echo` end it with a line break that is no part of it. */
function fromFile(path: string): string {
  const text = decodeUtf8(readInputFile(path, { maxBytes: MAX_PASSPHRASE_BYTES }));
  return /^[^\r\n]*/.exec(text)?.[0] ?? '';
}

async function askPassphrase(context: CliContext, { what, isNew }: PassphraseOptions): Promise<string> {
  if (!canAsk(context)) {
    throw new CliError('PASSPHRASE_NEEDED', `${what} needs a passphrase and there is no terminal to ask on; ${HOW}`, {
      fault: 'usage',
    });
  }
  const passphrase = await askLine(context, `Passphrase ${isNew ? 'to protect' : 'of'} ${what}: `, true);
  if (!isNew || passphrase === '') return passphrase;
  if ((await askLine(context, 'The same again: ', true)) !== passphrase) {
    throw new CliError('PASSPHRASE_MISMATCH', 'the two passphrases differ; nothing was written, try again');
  }
  return passphrase;
}
