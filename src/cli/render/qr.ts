/**
 * A code for a terminal, two rows of modules a line of text. Light modules are drawn and dark ones left out, as fits a
 * dark terminal; on a light one the code is inverted, which scanners read as well.
 * @param modules square, with their quiet zone; true is dark
 */
export function renderQr(modules: readonly (readonly boolean[])[]): string {
  const lines: string[] = [];
  for (let y = 0; y < modules.length; y += 2) {
    const [upper = [], lower = []] = [modules[y], modules[y + 1]];
    lines.push(upper.map((isDark, x) => BLOCKS[`${isDark} ${lower[x] ?? true}`]).join(''));
  }
  return lines.join('\n');
}

/** By whether the upper and the lower module is dark. */
const BLOCKS: Readonly<Record<string, string>> = {
  'true true': ' ',
  'true false': '▄',
  'false true': '▀',
  'false false': '█',
};
