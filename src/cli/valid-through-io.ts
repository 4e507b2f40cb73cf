import { verifyCheckpoint } from '../core/checkpoint.ts';
import { formatDigest, type HashName } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import type { KeyId, PublicKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { LogHead } from '../verify/root-document.ts';
import type { KeyToRevoke } from './draft-keys-io.ts';
import { readInputFile } from './files-io.ts';

/** A signed note of a checkpoint is a few hundred bytes, with cosignatures a few thousand. */
const MAX_CHECKPOINT_BYTES = 64 * 1024;
const HASHES: readonly HashName[] = ['blake3', 'sha256'];

/**
 * The states of logs in checkpoint files, by the key among `named` that signed each: a checkpoint by any other key would
 * spare what nobody has seen.
 * @throws CoreError NOTE_SIGNATURE when none of the keys at hand signed one, NOTE_MALFORMED, CHECKPOINT_MALFORMED;
 *   CliError as `readInputFile`
 */
export function readLogHeads(paths: readonly string[], named: readonly KeyToRevoke[]): Map<KeyId, LogHead[]> {
  const heads = new Map<KeyId, LogHead[]>();
  for (const path of paths) {
    const note = readInputFile(path, { maxBytes: MAX_CHECKPOINT_BYTES });
    const found = named.flatMap(({ key }) => HASHES.flatMap((hash) => (key ? headUnder(note, key, hash) : [])))[0];
    if (found === undefined) {
      const message = `${escapeForTerminal(path)} is no checkpoint by a key that is revoked here; name that key by its file or enrolment`;
      throw new CoreError('NOTE_SIGNATURE', message, { fault: 'untrusted' });
    }
    heads.set(found.keyid, [...(heads.get(found.keyid) ?? []), found.head]);
  }
  return heads;
}

function headUnder(note: Uint8Array, key: PublicKey, hash: HashName): { keyid: KeyId; head: LogHead }[] {
  try {
    const { origin, size, root } = verifyCheckpoint(note, { key, hash });
    return [{ keyid: key.keyid, head: { origin, size, root: formatDigest(hash, root) } }];
  } catch (error) {
    if (error instanceof CoreError && error.code === 'NOTE_SIGNATURE') return [];
    throw error;
  }
}
