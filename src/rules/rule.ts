import type { Digest } from '../core/digest.ts';
import type { Severity } from '../core/event-data.ts';

export type RuleMode = 'incremental' | 'snapshot' | 'sequence';
export type SampleValue = string | number | boolean | null;
export type SampleRow = { readonly [column: string]: SampleValue };

export type SequenceStep = { readonly from: string; readonly where: string };
export type Sequence = {
  readonly by: readonly string[];
  readonly maxSpanMs: number;
  readonly steps: readonly SequenceStep[];
  readonly until?: SequenceStep;
};

export type RuleTest = {
  readonly name: string;
  readonly given: { readonly [table: string]: readonly SampleRow[] };
  /** The whole answer, in any order; a row names the columns that matter. */
  readonly expect: readonly SampleRow[];
};

/** A parsed rule. That its SQL is right only `checkRules` can say. */
export type Rule = {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly severity: Severity;
  readonly status: 'experimental' | 'test' | 'stable' | 'deprecated';
  readonly description: string;
  readonly author: string;
  readonly license: string;
  readonly references: readonly string[];
  readonly attack: readonly { readonly tactic: string; readonly technique: string }[];
  readonly requires: { readonly tables: readonly string[]; readonly capability: readonly string[] };
  readonly mode: RuleMode;
  /** The question, SQLite dialect; of a sequence, what it compiles to. */
  readonly sql: string;
  readonly sequence?: Sequence;
  readonly dedup: { readonly key: readonly string[]; readonly windowMs: number };
  readonly trace?: {
    readonly depth: number;
    readonly durationMs: number;
    readonly network: boolean;
    readonly files: boolean;
  };
  readonly budgetMs: number;
  readonly tests: readonly RuleTest[];
  /** Of the file's bytes. */
  readonly digest: Digest;
};
