import type { FormatDefinition } from 'ajv';
import { parseTime } from './time.ts';

/** What our schemas may name in `format`, beside what JSON Schema knows of itself. */
export const FORMATS: Readonly<Record<string, FormatDefinition<string>>> = {
  // RFC 3339, UTC, milliseconds: the one form of time in documents (docs/formats.md, "Ground rules").
  'daemoneye-time': { type: 'string', validate: isTime },
};

function isTime(text: string): boolean {
  try {
    parseTime(text);
    return true;
  } catch {
    return false;
  }
}
