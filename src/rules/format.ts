/** Magic values of the rule format (schemas/rule.schema.json). */

export const MAX_RULE_BYTES = 256 * 1024;
/** Nested collections: a rule needs six. The parser recurses, so this is counted before it starts. */
export const MAX_RULE_DEPTH = 16;
/** Keys and list items: the parser's time grows faster than their number. */
export const MAX_RULE_MEMBERS = 10_000;
export const DEFAULT_BUDGET_MS = 100;

/** Rules are the YAML files of a bundle; anything else in it (a licence, a README) is not looked at. */
export function isRulePath(path: string): boolean {
  return /\.ya?ml$/i.test(path);
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @param text such as `10m`, as the schema has it @returns milliseconds */
export function parseDuration(text: string): number {
  const unit = text.at(-1) as keyof typeof UNITS;
  return Number(text.slice(0, -1)) * UNITS[unit];
}
