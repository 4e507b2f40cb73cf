import { findTable, VIEWS } from '../../core/tables.ts';
import type { Answer, Cell } from '../../sandbox/protocol.ts';

/**
 * What of a hit may leave the detector. It sees arguments in clear, and SQL can carry them anywhere: into another
 * column by UNION, cut into pieces, as numbers. So nothing a question says about its columns is believed. A question
 * that never read a secret can't tell one; of any other, a value is shown only if the masked store, which anybody may
 * query, has the very same value in the column it is said to come from.
 */

export type ShownRow = { readonly [column: string]: Cell };

/** Whether that column, which is no secret, holds that value somewhere. */
export type Holds = (table: string, column: string, value: string | number) => boolean;

/** Whether the question read a column with arguments in clear. */
export function readsSecrets(reads: Answer['reads']): boolean {
  return Object.entries(reads).some(([relation, columns]) => {
    const view = VIEWS.find(({ name }) => name === relation);
    const table = findTable(view?.of ?? relation);
    const secret = table?.columns.filter(({ clear }) => clear !== undefined).map(({ name }) => name) ?? [];
    const names =
      view === undefined
        ? columns
        : view.columns.filter(({ name }) => columns.includes(name)).map(({ column }) => column);
    return names.some((name) => secret.includes(name));
  });
}

/** The columns of one row that may be shown; the others are left out. */
export function shownRow(answer: Answer, row: readonly Cell[], hasSecrets: boolean, holds: Holds): ShownRow {
  const shown: { [column: string]: Cell } = {};
  for (const [at, column] of answer.columns.entries()) {
    const value = row[at] ?? null;
    const origin = answer.origins[at] ?? null;
    const isSafe = !hasSecrets || value === null || (origin !== null && holds(origin.table, origin.column, value));
    if (isSafe) shown[column] = value;
  }
  return shown;
}
