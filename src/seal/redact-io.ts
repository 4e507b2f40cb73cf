import { closeSync, constants, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { concatBytes, utf8 } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { writeFileDurably } from '../durable/files-io.ts';
import { sealedFiles } from './files-io.ts';
import { readSealedFile } from './reader-io.ts';
import { encodeSealedLine, parseSealedLine, type SealedRecord } from './sealed-record.ts';

const NEWLINE = 0x0a;
const ZERO_BASE64 = 'A'.charCodeAt(0);
const { O_NOFOLLOW, O_RDWR } = constants;

/** Whether the store still has the key of this value. @throws SealError SEALED_MALFORMED; DurableError */
export function hasSealed(directory: string, commit: Digest): boolean {
  return sealedFiles(directory).some(({ path }) => {
    return readSealedFile(path).some(({ record }) => record.commit === commit && record.key !== undefined);
  });
}

/**
 * Destroys a sealed value: its key and its box, wherever they stand. First the bytes are overwritten at their place,
 * then the file is replaced by one whose record has no key and an empty box. Each step leaves a file that reads, so the
 * other values are never at risk; killed anywhere, the same call again finishes. What a disk keeps of overwritten blocks
 * (copy-on-write, flash, snapshots, backups) is beyond reach.
 * Nobody may be sealing meanwhile: hold the lock of the log.
 * @throws SealError SEALED_MALFORMED; DurableError
 */
export function destroySealed(directory: string, commit: Digest): void {
  for (const { path } of sealedFiles(directory)) {
    // All of it before anything is written: a file that doesn't read is nothing to edit.
    const found = [...readSealedFile(path)].some(({ record }) => record.commit === commit && isWhole(record));
    if (found) destroyIn(path, commit);
  }
}

function isWhole({ key, box }: SealedRecord): boolean {
  return key !== undefined || box.length > 0;
}

function destroyIn(path: string, commit: Digest): void {
  const fd = openForChange(path);
  try {
    const bytes = readFileSync(fd);
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; at = end + 1, end = bytes.indexOf(NEWLINE, at)) {
      const line = bytes.subarray(at, end);
      const parsed = parseSealedLine(line);
      if ('recipients' in parsed || parsed.commit !== commit || !isWhole(parsed)) {
        pieces.push(bytes.subarray(at, end + 1));
        continue;
      }
      for (const field of ['key', 'box']) overwrite(fd, line, at, field);
      const { batch, kind } = parsed;
      pieces.push(encodeSealedLine({ batch, kind, commit, box: new Uint8Array() }), Uint8Array.of(NEWLINE));
    }
    fsyncSync(fd);
    // What a crash left of a last line stays as it is.
    writeFileDurably(path, concatBytes(...pieces, bytes.subarray(at)));
  } catch (cause) {
    throw durableErrorFrom(cause, 'redact in', path);
  } finally {
    closeSync(fd);
  }
}

/** Puts zeros for what a field holds in base64; its length and padding stay, so the line still reads. */
function overwrite(fd: number, line: Uint8Array, at: number, field: string): void {
  const start = Buffer.from(line).indexOf(utf8(`"${field}":"`));
  if (start < 0) return;
  const from = start + field.length + 4;
  const to = line.findIndex((byte, i) => i >= from && (byte === 0x22 || byte === 0x3d));
  const zeros = new Uint8Array(to - from).fill(ZERO_BASE64);
  for (let done = 0; done < zeros.length; ) {
    done += writeSync(fd, zeros, done, zeros.length - done, at + from + done);
  }
}

function openForChange(path: string): number {
  try {
    return openSync(path, O_RDWR | O_NOFOLLOW);
  } catch (cause) {
    throw durableErrorFrom(cause, 'open', path);
  }
}
