/** Whether the long hunts run (`SLOW=1 npm test`). */
export const SLOW = process.env['SLOW'] === '1';

/** How often a property test tries: a modest number by default, a large one under `SLOW=1`. */
export function runs(normal: number, slow: number): number {
  return SLOW ? slow : normal;
}
