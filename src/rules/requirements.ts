import { findTable, VIEWS } from '../core/tables.ts';
import type { Answer } from '../sandbox/protocol.ts';
import type { Rule } from './rule.ts';

type Reads = Answer['reads'];

/**
 * Compares what a rule says it requires with what its question reads: a rule that asks for more than it says would be
 * silent on a host without it, and nobody would know.
 * @returns what is wrong, or undefined
 */
export function wrongRequirements({ requires, mode }: Rule, reads: Reads): string | undefined {
  const relations = Object.keys(reads);
  const unsaid = relations.find((name) => !requires.tables.includes(name));
  if (unsaid !== undefined) return `it reads ${unsaid}, which \`requires.tables\` does not say`;
  const unread = requires.tables.find((name) => !relations.includes(name));
  if (unread !== undefined) return `it does not read ${unread}, which \`requires.tables\` says`;
  const capability = neededCapabilities(reads).find((name) => !requires.capability.includes(name));
  if (capability !== undefined)
    return `it needs the capability ${capability}, which \`requires.capability\` does not say`;
  const isNew = relations.some((name) => name.startsWith('new_'));
  if (mode === 'incremental' && !isNew) return 'it is incremental but reads neither new_processes nor new_connections';
  if (mode !== 'incremental' && isNew) return `it reads what is new, which only mode incremental may, not ${mode}`;
  return undefined;
}

function neededCapabilities(reads: Reads): readonly string[] {
  const needed = Object.entries(reads).flatMap(([relation, columns]) => {
    const view = VIEWS.find(({ name }) => name === relation);
    const table = findTable(view?.of ?? relation);
    const names =
      view === undefined
        ? columns
        : view.columns.filter(({ name }) => columns.includes(name)).map(({ column }) => column);
    const read = table?.columns.filter(({ name }) => names.includes(name)) ?? [];
    return [table?.capability, ...read.map(({ capability }) => capability)];
  });
  return [...new Set(needed)].filter((capability) => capability !== undefined);
}
