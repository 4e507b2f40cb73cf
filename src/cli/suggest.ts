/**
 * The candidates someone probably meant, best first, at most three: close in spelling, or begun by what was typed.
 * `typed` may be anything; comparing ignores case.
 */
export function suggest(typed: string, candidates: readonly string[]): string[] {
  const wanted = typed.toLowerCase();
  const scored = candidates.map((candidate) => ({ candidate, score: score(wanted, candidate.toLowerCase()) }));
  return scored
    .filter(({ score }) => score !== undefined)
    .sort((a, b) => (a.score ?? 0) - (b.score ?? 0) || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** Lower is closer; undefined is too far to be worth saying. */
function score(typed: string, candidate: string): number | undefined {
  // A very long argument is no typo, and the comparison is quadratic.
  if (typed.length > 64) return undefined;
  const distance = editDistance(typed, candidate);
  if (distance <= Math.max(1, Math.floor(candidate.length / 3))) return distance;
  const typedLetters = typed.replace(/^-+/, '');
  return typedLetters.length >= 2 && candidate.startsWith(typed) ? distance : undefined;
}

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(at(previous, j) + 1, at(current, j - 1) + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, at(beforePrevious, j - 2) + 1);
      }
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

/** `; did you mean "a", "b" or "c"?`, or nothing. */
export function didYouMean(suggestions: readonly string[]): string {
  if (suggestions.length === 0) return '';
  const quoted = suggestions.map((suggestion) => `"${suggestion}"`);
  const last = quoted.pop();
  return `; did you mean ${quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`}?`;
}
