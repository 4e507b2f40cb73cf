import { gunzipSync } from 'node:zlib';
import { messageOf } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { MAX_PACKAGES_BYTES, PackagesFile } from '../../verify/release/debian/packages-file.ts';
import { ReleaseError } from '../../verify/release/errors.ts';
import { messageOfBytes } from '../../verify/release/message.ts';
import type { PackagesIndex } from '../../verify/release/signed-list.ts';
import { usageError } from '../errors.ts';
import { readInputFile } from '../files-io.ts';

const GZIP = '1f8b';
const XZ = 'fd377a';

/**
 * An index of packages, plain or compressed with gzip.
 * @throws CliError as `readInputFile`, USAGE_VALUE for one compressed with xz, which this runtime can't open
 */
export function readPackages(path: string): PackagesIndex {
  const bytes = readInputFile(path, { maxBytes: MAX_PACKAGES_BYTES });
  const magic = Buffer.from(bytes.subarray(0, 3)).toString('hex');
  const shown = escapeForTerminal(path);
  if (magic === XZ) {
    const message = `${shown} is compressed with xz, which can't be opened here; give what xz -dk makes of it, which is listed too`;
    throw usageError('USAGE_VALUE', message);
  }
  const open = () => new PackagesFile(magic.startsWith(GZIP) ? decompressed(bytes, shown) : bytes);
  return { message: messageOfBytes(path, bytes), open };
}

/** Only what a list vouches for is ever decompressed, and not without a limit. */
function decompressed(bytes: Uint8Array, shown: string): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_PACKAGES_BYTES });
  } catch (cause) {
    throw new ReleaseError('PACKAGES_MALFORMED', `${shown} can't be decompressed: ${messageOf(cause)}`, { cause });
  }
}
