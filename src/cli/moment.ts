import { formatTime, parseTime, type Time } from '../core/time.ts';
import { usageError } from './errors.ts';

const DAY_MS = 86_400_000;

/**
 * A moment as people write it on a command line: `2027-01-31`, a full `2027-01-31T12:00:00.000Z` (seconds suffice),
 * or `90d` from `now`. @throws CliError USAGE_VALUE
 */
export function parseMoment(text: string, now: Time, option: string): Time {
  const days = /^([0-9]{1,5})d$/.exec(text)?.[1];
  if (days !== undefined) return formatTime(parseTime(now) + Number(days) * DAY_MS);
  const full = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00.000Z` : text.replace(/(:\d{2})Z$/, '$1.000Z');
  try {
    return formatTime(parseTime(full));
  } catch (cause) {
    const message = `${option} takes a moment such as 2027-01-31, 2027-01-31T12:00:00Z or 90d, not "${text}"`;
    throw Object.assign(usageError('USAGE_VALUE', message), { cause });
  }
}
