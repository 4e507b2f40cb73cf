import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { durableErrorFrom } from '../durable/errors.ts';
import { parseSealedFileName } from './format.ts';

/** A file of sealed values, which belong to lines from seq `from` on. */
export type SealedFile = { readonly path: string; readonly from: number };

/** The files of a store, oldest first. @throws DurableError */
export function sealedFiles(directory: string): SealedFile[] {
  try {
    return readdirSync(directory)
      .sort()
      .flatMap((name) => {
        const from = parseSealedFileName(name);
        return from === undefined ? [] : [{ path: join(directory, name), from }];
      });
  } catch (cause) {
    throw durableErrorFrom(cause, 'list', directory);
  }
}
