/**
 * Whether a name matches a comma-separated list of patterns as OpenSSH has them (ssh_config(5), "PATTERNS"): `*` is any
 * run of characters, `?` any one, and a match of a pattern after `!` decides against, wherever in the list it stands.
 * Only negated patterns match nothing.
 */
export function matchesPatternList(name: string, list: string): boolean {
  let isMatch = false;
  for (const pattern of list.split(',')) {
    const isNegated = pattern.startsWith('!');
    if (!matchesPattern(name, isNegated ? pattern.slice(1) : pattern)) continue;
    if (isNegated) return false;
    isMatch = true;
  }
  return isMatch;
}

/** Linear in memory, and at most name times pattern in time: a regular expression made of `*a*a*a` would not be. */
function matchesPattern(name: string, pattern: string): boolean {
  let [at, p] = [0, 0];
  let [star, resume] = [-1, 0];
  while (at < name.length) {
    if (pattern[p] === '*') {
      star = p;
      resume = at;
      p += 1;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[at])) {
      at += 1;
      p += 1;
    } else if (star !== -1) {
      // Let the last star take one character more.
      resume += 1;
      at = resume;
      p = star + 1;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** Names written out, without wildcards or negation; undefined where there are some. */
export function plainNames(list: string): readonly string[] | undefined {
  return /[*?!]/.test(list) ? undefined : list.split(',');
}
