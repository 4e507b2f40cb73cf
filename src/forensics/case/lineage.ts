import { escapeForTerminal } from '../../core/terminal-text.ts';
import { formatTime } from '../../core/time.ts';

/** A process as a lineage shows it: masked, and with what is known only. */
export type LineageRow = {
  readonly entity: string;
  readonly parent?: string;
  readonly parentPid?: number;
  readonly name?: string;
  readonly pid?: number;
  readonly mask?: string;
  /** Unix milliseconds. */
  readonly start?: number;
  readonly end?: number;
  readonly exitCode?: number;
  readonly user?: string;
  readonly connections: readonly string[];
  readonly alerts: readonly string[];
};

export type LineageNode = {
  /** Undefined for a process that is only known as somebody's parent. */
  readonly row: LineageRow | undefined;
  readonly entity: string;
  /** Pid of a process that is only known as a parent. */
  readonly pid: number | undefined;
  /** Not followed: it stands above itself in what the evidence says, or hangs deeper than anybody looks. */
  readonly cut?: 'loop' | 'depth';
  readonly children: readonly LineageNode[];
};

/** No lineage of a living machine is as deep; bounds what hostile evidence can make us do. */
const MAX_DEPTH = 1000;

/**
 * Hangs processes under their parents, in the order of the rows. Evidence has holes: a parent that nobody saw becomes a
 * node without a row, so that its children still stand together; parents that lead in a circle are cut.
 */
export function lineageTree(rows: readonly LineageRow[]): readonly LineageNode[] {
  const byEntity = new Map(rows.map((row) => [row.entity, row]));
  const children = Map.groupBy(rows, ({ parent }) => parent);
  const shown = new Set<string>();
  const above = new Set<string>();

  const nodeOf = (entity: string, pid: number | undefined): LineageNode => {
    const cut = above.has(entity) ? 'loop' : above.size >= MAX_DEPTH ? 'depth' : undefined;
    const row = byEntity.get(entity);
    if (cut !== undefined) return { row, entity, pid, cut, children: [] };
    shown.add(entity);
    above.add(entity);
    const below = (children.get(entity) ?? []).map((child) => nodeOf(child.entity, child.pid));
    above.delete(entity);
    return { row, entity, pid, children: below };
  };

  const roots: LineageNode[] = [];
  for (const { entity, parent, parentPid, pid } of rows) {
    if (parent === undefined) roots.push(nodeOf(entity, pid));
    else if (!byEntity.has(parent) && !shown.has(parent)) roots.push(nodeOf(parent, parentPid));
  }
  // What is left hangs under a circle of parents, or was cut for its depth.
  for (const row of rows) {
    if (shown.has(row.entity)) continue;
    const { entity, pid } = highest(row, byEntity, shown);
    roots.push(nodeOf(entity, pid));
  }
  return roots;
}

/** Up the parents of a row as far as they are known and not shown yet; where they go round, somewhere on that circle. */
function highest(row: LineageRow, byEntity: ReadonlyMap<string, LineageRow>, shown: ReadonlySet<string>): LineageRow {
  const seen = new Set<string>();
  let top = row;
  for (;;) {
    seen.add(top.entity);
    const parent = byEntity.get(top.parent ?? '');
    if (parent === undefined || shown.has(parent.entity)) return top;
    top = parent;
    if (seen.has(parent.entity)) return top;
  }
}

const UNICODE = { branch: '├─ ', last: '└─ ', pass: '│  ', gap: '   ', hop: '⇄', alert: '⚠' };
const ASCII = { branch: '|- ', last: '`- ', pass: '|  ', gap: '   ', hop: '<->', alert: '!' };

/** The tree as lines of text. Everything in it comes from evidence, so all of it is escaped. */
export function renderLineage(
  roots: readonly LineageNode[],
  options: { readonly unicode: boolean },
): readonly string[] {
  const glyphs = options.unicode ? UNICODE : ASCII;
  const lines: string[] = [];
  const walk = (node: LineageNode, head: string, rest: string): void => {
    lines.push(head + describe(node));
    const below = node.children;
    const pad = rest + (below.length > 0 ? glyphs.pass : glyphs.gap);
    for (const note of node.row?.alerts ?? []) lines.push(`${pad}${glyphs.alert} alert ${escapeForTerminal(note)}`);
    for (const note of node.row?.connections ?? []) lines.push(`${pad}${glyphs.hop} ${escapeForTerminal(note)}`);
    for (const [i, child] of below.entries()) {
      const isLast = i === below.length - 1;
      walk(child, rest + (isLast ? glyphs.last : glyphs.branch), rest + (isLast ? glyphs.gap : glyphs.pass));
    }
  };
  for (const root of roots) walk(root, '', '');
  return lines;
}

function describe({ row, entity, pid, cut }: LineageNode): string {
  if (row === undefined) return `${pid === undefined ? escapeForTerminal(entity) : `pid ${pid}`} (not seen)`;
  const name = `${escapeForTerminal(row.name ?? '?')} [${row.pid ?? '?'}]`;
  if (cut === 'loop') return `${name} (again: the evidence says that it stands above itself)`;
  if (cut === 'depth') return `${name} (and what is below it)`;
  return [
    name,
    ...(row.user === undefined ? [] : [escapeForTerminal(row.user)]),
    ...(row.mask === undefined ? [] : [escapeForTerminal(row.mask)]),
    ...(row.start === undefined ? [] : [momentOf(row.start)]),
    ...(row.end === undefined
      ? []
      : [`ended ${momentOf(row.end)}${row.exitCode === undefined ? '' : ` code ${row.exitCode}`}`]),
  ].join('  ');
}

/** A hostile line can hold a moment that no calendar has. */
function momentOf(milliseconds: number): string {
  return Math.abs(milliseconds) <= 8.64e15 ? formatTime(milliseconds) : String(milliseconds);
}
