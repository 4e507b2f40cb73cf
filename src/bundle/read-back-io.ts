import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { readChunks } from '../archive/file-chunks-io.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { BundleError } from './errors.ts';

/**
 * Reads a file that was just written and compares its digest.
 * @param out the name it is going to have; for messages @param expected hex
 * @throws BundleError PACK_MISMATCH when the medium doesn't return what was written; DurableError
 */
export async function assertReadsBack(path: string, out: string, expected: string): Promise<void> {
  const hash = createHash('sha256');
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw durableErrorFrom(cause, 'read back', out);
  });
  try {
    for await (const piece of readChunks(handle)) hash.update(piece);
  } catch (cause) {
    throw durableErrorFrom(cause, 'read back', out);
  } finally {
    await handle.close();
  }
  if (hash.digest('hex') !== expected) {
    throw new BundleError('PACK_MISMATCH', `"${escapeForTerminal(out)}" reads back differently: the medium is faulty`);
  }
}
