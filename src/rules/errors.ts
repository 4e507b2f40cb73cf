import { DaemonEyeError } from '../core/errors.ts';

export type RuleErrorCode =
  | 'RULE_TOO_LARGE'
  /** Not YAML of the plain kind that rules are written in. */
  | 'RULE_YAML'
  /** Not of the shape of a rule (schemas/rule.schema.json). */
  | 'RULE_SCHEMA'
  /** Its samples can't show that it works: none that hits, or none that doesn't. */
  | 'RULE_SAMPLES';

/** Anything `src/rules` refuses to read. What a readable rule gets wrong is a result of `checkRules` instead. */
export class RuleError extends DaemonEyeError<RuleErrorCode> {}
