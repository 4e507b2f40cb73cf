import { CoreError } from './errors.ts';

/** RFC 3339, UTC, milliseconds: `2026-01-31T12:00:00.000Z`. Compares as text in time order. */
export type Time = string;

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** @returns Unix milliseconds @throws CoreError TIME_MALFORMED unless it is the one accepted spelling of a real moment */
export function parseTime(text: string): number {
  const milliseconds = TIME.test(text) ? Date.parse(text) : Number.NaN;
  // The round trip refuses what Date.parse would roll over, such as 31 April.
  if (Number.isNaN(milliseconds) || formatTime(milliseconds) !== text) {
    throw new CoreError(
      'TIME_MALFORMED',
      `expected a time such as 2026-01-31T12:00:00.000Z, not ${JSON.stringify(text)}`,
    );
  }
  return milliseconds;
}

/** @param milliseconds Unix milliseconds */
export function formatTime(milliseconds: number): Time {
  return new Date(milliseconds).toISOString();
}

/** The later of two times. */
export function laterTime(a: Time, b: Time): Time {
  return a > b ? a : b;
}
