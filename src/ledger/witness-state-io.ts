import { MAX_ENVELOPE_BYTES } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import { parseCanonicalJson } from '../core/jcs.ts';
import { MAX_NOTE_BYTES } from '../core/signed-note.ts';
import { isJsonObject } from '../core/strict-json.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { LedgerError } from './errors.ts';
import { MAX_EPOCHS_BYTES } from './format.ts';
import { readPlainFile } from './scan-io.ts';

export const STATE_VERSION = 1;
/** Holds a genesis in base64, a note and the changes of a key, all bounded. */
const MAX_STATE_BYTES = 2 * MAX_ENVELOPE_BYTES + 2 * MAX_NOTE_BYTES + 2 * MAX_EPOCHS_BYTES;

/**
 * A canonical JSON object of exactly `v` and these fields; the optional ones may be absent.
 * @throws LedgerError WITNESS_STATE; DurableError
 */
export function readState<Name extends string, Maybe extends string = never>(
  path: string,
  names: readonly Name[],
  optional: readonly Maybe[] = [],
): Readonly<Record<Name, unknown> & Partial<Record<Maybe, unknown>>> {
  return readParsed(path, MAX_STATE_BYTES, (bytes) => {
    const json = parseCanonicalJson(bytes, { maxBytes: MAX_STATE_BYTES });
    const known: readonly string[] = [...names, ...optional, 'v'];
    const isWhole =
      isJsonObject(json) &&
      names.every((name) => Object.hasOwn(json, name)) &&
      Object.keys(json).every((name) => known.includes(name)) &&
      json['v'] === STATE_VERSION;
    if (!isWhole) throw damaged(path, 'it is not what this version writes');
    return json as Record<Name, unknown> & Partial<Record<Maybe, unknown>>;
  });
}

export function readParsed<T>(path: string, maxBytes: number, parse: (bytes: Uint8Array) => T): T {
  const bytes = readPlainFile(path, maxBytes);
  try {
    return parse(bytes);
  } catch (cause) {
    throw cause instanceof LedgerError ? cause : damaged(path, messageOf(cause), cause);
  }
}

export function damaged(path: string, problem: string, cause?: unknown): LedgerError {
  const message = `the witness' own file ${escapeForTerminal(path)} is damaged: ${escapeForTerminal(problem)}; restore it from a backup`;
  return new LedgerError('WITNESS_STATE', message, { cause, fault: 'tampered' });
}
