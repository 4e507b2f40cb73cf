import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { BundleError } from './errors.ts';

/** `f_type` of FAT file systems (Linux, include/uapi/linux/magic.h, MSDOS_SUPER_MAGIC). */
const FAT = 0x4d44;
const FAT_LARGEST = 2 ** 32 - 1;

/**
 * Before anything is written: a stick that fills up after an hour helps nobody.
 * @param out where it is going to be @param bytes in all @param largest of one file @param advice when there is no room
 * @throws BundleError OUTPUT_SPACE; DurableError when the directory isn't there
 */
export function assertRoom(out: string, bytes: number, largest = bytes, advice = 'make room, or split it'): void {
  const directory = dirname(out);
  const { bavail, bsize, type } = statOf(directory);
  const shown = `"${escapeForTerminal(directory)}"`;
  if (bavail * bsize < bytes) {
    const message = `${bytes} bytes are needed in ${shown}, where ${bavail * bsize} are free: ${advice}`;
    throw new BundleError('OUTPUT_SPACE', message);
  }
  if (type === FAT && largest > FAT_LARGEST) {
    const message = `${shown} is a FAT file system, whose files end at 4 GiB: split it (bundle split --size fat32)`;
    throw new BundleError('OUTPUT_SPACE', message);
  }
}

function statOf(directory: string): { readonly bavail: number; readonly bsize: number; readonly type: number } {
  try {
    return statfsSync(directory);
  } catch (cause) {
    throw durableErrorFrom(cause, 'open', directory);
  }
}
