/** Magic values of the rule format (schemas/rule.schema.json). */

/** Of a rule file. Nested collections: a rule needs six. */
export const RULE_LIMITS = { maxBytes: 256 * 1024, maxDepth: 16, maxMembers: 10_000 } as const;
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
