import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { answerJobs } from '../threads/answer-io.ts';

/** A stretch of a file that the thread that asks keeps open until the answer. */
export type HashJob = { readonly fd: number; readonly from: number; readonly size: number };

const buffer = new Uint8Array(1024 * 1024);

/** SHA-256 in hex of the stretch; of what there is, when the file ends before it. */
export function hashStretch({ fd, from, size }: HashJob): string {
  const hash = createHash('sha256');
  for (let done = 0; done < size; ) {
    const count = readSync(fd, buffer, 0, Math.min(buffer.length, size - done), from + done);
    if (count === 0) break;
    hash.update(buffer.subarray(0, count));
    done += count;
  }
  return hash.digest('hex');
}

answerJobs(hashStretch);
