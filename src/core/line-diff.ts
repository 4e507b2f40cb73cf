/** One line of a comparison; `skipped` stands for that many equal lines. */
export type LineChange =
  | { readonly kind: 'same' | 'added' | 'removed'; readonly text: string }
  | { readonly kind: 'skipped'; readonly lines: number };

type Line = Exclude<LineChange, { readonly kind: 'skipped' }>;

/** Equal lines shown around a change. */
const CONTEXT = 2;
/** More edits than this nobody reads line by line, and the search costs their square. */
const MAX_EDITS = 200;

/**
 * The fewest lines to remove and add to turn one text into the other (Myers, An O(ND) Difference Algorithm, 1986), with
 * a little of what is around them. Beyond 200 edits the middle is shown as removed and added whole.
 * @returns empty for equal texts
 */
export function diffLines(before: string, after: string): readonly LineChange[] {
  if (before === after) return [];
  const [old, now] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  const rest = Math.min(old.length, now.length) - head;
  while (tail < rest && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail += 1;
  const middle = diffMiddle(old.slice(head, old.length - tail), now.slice(head, now.length - tail));
  return withContext([
    ...marked('same', old.slice(0, head)),
    ...middle,
    ...marked('same', old.slice(old.length - tail)),
  ]);
}

function linesOf(text: string): readonly string[] {
  const lines = text.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

function marked(kind: Line['kind'], lines: readonly string[]): Line[] {
  return lines.map((text) => ({ kind, text }));
}

function diffMiddle(old: readonly string[], now: readonly string[]): Line[] {
  const trace = shortestEdit(old, now);
  return trace === undefined ? [...marked('removed', old), ...marked('added', now)] : backtrack(trace, old, now);
}

/** For each number of edits how far each diagonal reached before it; undefined beyond {@link MAX_EDITS}. */
function shortestEdit(old: readonly string[], now: readonly string[]): readonly Map<number, number>[] | undefined {
  const trace: Map<number, number>[] = [];
  let reached = new Map<number, number>([[1, 0]]);
  for (let edits = 0; edits <= Math.min(old.length + now.length, MAX_EDITS); edits += 1) {
    trace.push(reached);
    const next = new Map(reached);
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = startOn(diagonal, edits, next);
      while (x < old.length && x - diagonal < now.length && old[x] === now[x - diagonal]) x += 1;
      next.set(diagonal, x);
      if (x >= old.length && x - diagonal >= now.length) return trace;
    }
    reached = next;
  }
  return undefined;
}

function startOn(diagonal: number, edits: number, reached: ReadonlyMap<number, number>): number {
  return comesFromAbove(diagonal, edits, reached) ? at(reached, diagonal + 1) : at(reached, diagonal - 1) + 1;
}

/** Whether the step onto this diagonal adds a line, rather than removing one. */
function comesFromAbove(diagonal: number, edits: number, reached: ReadonlyMap<number, number>): boolean {
  if (diagonal === -edits) return true;
  return diagonal !== edits && at(reached, diagonal - 1) < at(reached, diagonal + 1);
}

function at(reached: ReadonlyMap<number, number>, diagonal: number): number {
  return reached.get(diagonal) ?? 0;
}

function backtrack(trace: readonly Map<number, number>[], old: readonly string[], now: readonly string[]): Line[] {
  const lines: Line[] = [];
  let x = old.length;
  let y = now.length;
  for (const [edits, reached] of [...trace.entries()].reverse()) {
    const diagonal = x - y;
    const isAddition = comesFromAbove(diagonal, edits, reached);
    const previous = isAddition ? diagonal + 1 : diagonal - 1;
    const [fromX, fromY] = edits === 0 ? [0, 0] : [at(reached, previous), at(reached, previous) - previous];
    const [endX, endY] = edits === 0 ? [0, 0] : isAddition ? [fromX, fromY + 1] : [fromX + 1, fromY];
    for (; x > endX && y > endY; x -= 1, y -= 1) lines.push({ kind: 'same', text: old[x - 1] ?? '' });
    if (edits === 0) break;
    lines.push(isAddition ? { kind: 'added', text: now[fromY] ?? '' } : { kind: 'removed', text: old[fromX] ?? '' });
    [x, y] = [fromX, fromY];
  }
  return lines.reverse();
}

/** Stretches of equal lines far from any change become one mark. */
function withContext(lines: readonly Line[]): readonly LineChange[] {
  const near = new Set<number>();
  for (const [i, { kind }] of lines.entries()) {
    if (kind !== 'same') for (let j = i - CONTEXT; j <= i + CONTEXT; j += 1) near.add(j);
  }
  const shown: LineChange[] = [];
  let skipped = 0;
  const flush = () => {
    if (skipped > 0) shown.push({ kind: 'skipped', lines: skipped });
    skipped = 0;
  };
  for (const [i, line] of lines.entries()) {
    if (near.has(i)) {
      flush();
      shown.push(line);
    } else skipped += 1;
  }
  flush();
  return shown;
}
