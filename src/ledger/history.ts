import { decodeUtf8, utf8 } from '../core/bytes.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { isJsonObject } from '../core/strict-json.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { LedgerError } from './errors.ts';
import { MAX_HISTORY_LINE_BYTES } from './format.ts';

/** A line of checkpoints/history.ndjson, without its newline: `{"note": …}`, the signed note as text. */
export function encodeHistoryLine(note: Uint8Array): Uint8Array {
  return encodeCanonicalJson({ note: decodeUtf8(note) });
}

/** The signed note in a history line. @throws LedgerError HISTORY_MALFORMED */
export function parseHistoryLine(bytes: Uint8Array): Uint8Array {
  try {
    const json = parseCanonicalJson(bytes, { maxBytes: MAX_HISTORY_LINE_BYTES });
    if (isJsonObject(json) && Object.keys(json).length === 1 && typeof json['note'] === 'string') {
      return utf8(json['note']);
    }
  } catch (cause) {
    throw malformed(escapeForTerminal(messageOf(cause)), cause);
  }
  throw malformed('it is not {"note": …}');
}

function malformed(problem: string, cause?: unknown): LedgerError {
  return new LedgerError('HISTORY_MALFORMED', `not a line of a checkpoint history: ${problem}`, { cause });
}
