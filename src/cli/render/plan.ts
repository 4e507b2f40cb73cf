import { escapeForTerminal } from '../../core/terminal-text.ts';
import { count } from '../../core/wording.ts';
import type { ApplyPlan } from '../../install/apply-io.ts';

/** What applying changes, for a person who is about to say yes. */
export function renderPlan({ statement, activeSeq, diff }: ApplyPlan): string {
  const from = activeSeq === undefined ? 'nothing is active yet' : `seq ${activeSeq} is active`;
  return [
    `${statement.channel}: ${from}, this is seq ${statement.seq}`,
    ...diff.added.map((path) => `  + ${escapeForTerminal(path)}`),
    ...diff.changed.map((path) => `  ~ ${escapeForTerminal(path)}`),
    ...diff.removed.map((path) => `  - ${escapeForTerminal(path)}`),
    `  ${count(diff.unchanged, 'file')} unchanged`,
  ].join('\n');
}
