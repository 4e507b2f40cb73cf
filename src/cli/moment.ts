import { formatTime, parseTime, type Time } from '../core/time.ts';
import { usageError } from './errors.ts';
import type { Environment } from './render/style.ts';

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

/**
 * When a document is dated: `--issued-at`, else SOURCE_DATE_EPOCH
 * (https://reproducible-builds.org/specs/source-date-epoch/), else now.
 * @throws CliError USAGE_VALUE
 */
export function parseIssueMoment(option: string | undefined, env: Environment, now: Time): Time {
  const epoch = env['SOURCE_DATE_EPOCH'] ?? '';
  if (option !== undefined) return parseMoment(option, now, '--issued-at');
  if (epoch === '') return now;
  if (/^[0-9]{1,11}$/.test(epoch)) return formatTime(Number(epoch) * 1000);
  throw usageError('USAGE_VALUE', `SOURCE_DATE_EPOCH holds seconds since 1970, not "${epoch}"`);
}
