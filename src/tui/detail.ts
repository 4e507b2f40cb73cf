import { formatTime } from '../core/time.ts';
import { fitCells, wrapCells } from './cells.ts';

/** One line of a log in full, as the lines of a pane. Pure. */
export type DetailText = { readonly text: string; readonly leaf: string; readonly anchored: boolean };

const LABEL = 22;
const MAX_LINES = 500;

/** @param width columns of the pane; every line of the result is escaped and fits */
export function detailLines({ text, leaf, anchored }: DetailText, width: number): readonly string[] {
  const fields = [...flatten(JSON.parse(text)), ['leaf', leaf], ['anchored', anchored ? 'yes' : 'not yet']] as const;
  return fields
    .flatMap(([name, value]) => field(name, name === 'ts' ? `${value} (${momentOf(Number(value))})` : value, width))
    .slice(0, MAX_LINES);
}

function field(name: string, value: string, width: number): readonly string[] {
  const room = width - LABEL;
  // Too narrow for two columns: the value goes below its name.
  if (room < LABEL) return [...wrapCells(name, width), ...wrapCells(`  ${value}`, width)];
  const [first = '', ...rest] = wrapCells(value, room);
  return [`${fitCells(name, LABEL - 1)} ${first}`, ...rest.map((line) => ' '.repeat(LABEL) + line)];
}

/** Leaves of a JSON value with the way to each; what is in `data` first, since that is what happened. */
function flatten(value: unknown): readonly (readonly [string, string])[] {
  const leaves: (readonly [string, string])[] = [];
  const walk = (node: unknown, path: string): void => {
    const members = typeof node === 'object' && node !== null ? Object.entries(node) : [];
    if (typeof node === 'object' && node !== null && members.length === 0) leaves.push([path, JSON.stringify(node)]);
    else if (members.length === 0) leaves.push([path, String(node)]);
    for (const [key, member] of members) walk(member, path === '' ? key : `${path}.${key}`);
  };
  walk(value, '');
  const isData = ([path]: readonly [string, string]) => path.startsWith('data.');
  const data = leaves.filter(isData).map(([path, text]) => [path.slice('data.'.length), text] as const);
  return [...data, ...leaves.filter((leaf) => !isData(leaf))];
}

/** A hostile line can hold a moment that no calendar has. */
export function momentOf(milliseconds: number): string {
  return Math.abs(milliseconds) <= 8.64e15 ? formatTime(milliseconds) : String(milliseconds);
}
