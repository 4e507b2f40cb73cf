import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { mustWriteThrough, openWrittenThrough } from '../durable/write-through-io.ts';

/** A file a log writes. An interface, so that tests can make disks fail. */
export type LedgerFile = {
  /** Writes all the bytes at `position`, or throws with some of them written. */
  readonly write: (bytes: Uint8Array, position: number) => Promise<void>;
  /** fdatasync: when it returns, what was written survives a power cut. After it threw, nothing is known. */
  readonly sync: () => Promise<void>;
  readonly truncate: (length: number) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Opens for writing, and creates with mode 0600 where missing. Throws what node:fs throws. */
export type OpenLedgerFile = (path: string) => Promise<LedgerFile>;

const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants;

export const openLedgerFile: OpenLedgerFile = async (path) => {
  if (mustWriteThrough()) return await openWrittenThrough(path);
  const handle = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  return {
    write: async (bytes, position) => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
        done += bytesWritten;
      }
    },
    sync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
};
