import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { readChunks } from '../archive/file-chunks-io.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { BundleError } from './errors.ts';

/** What is used of it here; the compiler knows it only together with a browser. */
declare const WebAssembly: {
  readonly Memory: new (pages: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
};

/** Where the bytes came from that were compared: past the system's cache, or perhaps out of it. */
export type ReadBack = 'medium' | 'cache';

/** Pages of 64 KiB of the buffer for direct reads. */
const DIRECT_PAGES = 64;

/**
 * Reads a file that was just written and compares its digest. Past the system's cache where Linux and the file system
 * allow that (O_DIRECT): the cache would return what was written whatever the stick made of it.
 * @param out the name it is going to have; for messages @param expected hex
 * @throws BundleError PACK_MISMATCH when the medium doesn't return what was written; DurableError
 */
export async function assertReadsBack(path: string, out: string, expected: string): Promise<ReadBack> {
  try {
    const direct = await hashDirectly(path);
    if ((direct ?? (await hashCached(path))) === expected) return direct === undefined ? 'cache' : 'medium';
  } catch (cause) {
    throw durableErrorFrom(cause, 'read back', out);
  }
  throw new BundleError('PACK_MISMATCH', `"${escapeForTerminal(out)}" reads back differently: the medium is faulty`);
}

async function hashCached(path: string): Promise<string> {
  const hash = createHash('sha256');
  await using handle = await open(path, 'r');
  for await (const piece of readChunks(handle)) hash.update(piece);
  return hash.digest('hex');
}

/** @returns undefined where that can't be done: EINVAL says so, at opening or at reading (open(2), "O_DIRECT") */
async function hashDirectly(path: string): Promise<string | undefined> {
  if (constants.O_DIRECT === undefined) return undefined;
  try {
    await using handle = await open(path, constants.O_RDONLY | constants.O_DIRECT);
    return await hashAligned(handle);
  } catch (error) {
    if (errnoOf(error) === 'EINVAL' || errnoOf(error) === 'EOPNOTSUPP') return undefined;
    throw error;
  }
}

async function hashAligned(handle: FileHandle): Promise<string> {
  const { size } = await handle.stat();
  const hash = createHash('sha256');
  // Direct reads want memory that begins at a block's boundary: WebAssembly's begins at a page's.
  const { buffer } = new WebAssembly.Memory({ initial: DIRECT_PAGES, maximum: DIRECT_PAGES });
  const bytes = new Uint8Array(buffer);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, at);
    if (bytesRead === 0) break;
    hash.update(bytes.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex');
}
