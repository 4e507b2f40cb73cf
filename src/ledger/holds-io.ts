import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { LedgerError } from './errors.ts';
import { HOLDS_DIRECTORY } from './format.ts';

/**
 * A legal hold by hand: as long as anything at all lies in holds/, nothing of the log is destroyed.
 * @throws LedgerError LOG_HELD; DurableError when that can't be told
 */
export function assertNoHoldFile(directory: string): void {
  const path = join(directory, HOLDS_DIRECTORY);
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return;
    throw durableErrorFrom(cause, 'list', path);
  }
  if (names.length === 0) return;
  const name = escapeForTerminal(names.sort()[0] ?? '');
  const message = `${escapeForTerminal(path)} holds ${name}: a legal hold, nothing may be destroyed`;
  throw new LedgerError('LOG_HELD', message, { fault: 'refused' });
}
