import { formatTime, type Time } from '../../../core/time.ts';

/** `YYYYMMDD[Z]` or `YYYYMMDDHHMM[SS][Z]` (ssh-keygen(1), "ALLOWED SIGNERS"). */
const STAMP = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?(Z?)$/;
const HOUR_MS = 3_600_000;
/** Local time is at most so far ahead of UTC, and so far behind it. */
const AHEAD_MS = 14 * HOUR_MS;
const BEHIND_MS = 12 * HOUR_MS;

/**
 * The moment in a `valid-after` or `valid-before`. Without `Z` it is local time at a place nobody names, so it is taken
 * to narrow the validity: as early as it can be where it ends one, as late where it starts one.
 * @returns undefined unless it is a real moment
 */
export function parseValidity(text: string, bound: 'after' | 'before'): Time | undefined {
  const [, year, month, day, hour = '00', minute = '00', second = '00', zone] = STAMP.exec(text) ?? [];
  if (year === undefined) return undefined;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const at = Date.parse(iso);
  // The round trip refuses what Date.parse would roll over, such as 31 April.
  if (Number.isNaN(at) || formatTime(at) !== iso) return undefined;
  if (zone === 'Z') return iso;
  return formatTime(bound === 'after' ? at + BEHIND_MS : at - AHEAD_MS);
}
