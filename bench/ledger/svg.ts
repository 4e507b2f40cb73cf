/** A line through points; x ascends. */
export type Chart = { readonly title: string; readonly points: readonly { readonly x: number; readonly y: number }[] };

const WIDTH = 260;
const HEIGHT = 180;
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 12, 34, 34];

/** Charts side by side, each from zero, in one small drawing. */
export function chartsSvg(title: string, charts: readonly Chart[], below: string): string {
  const parts = charts.map((chart, i) => `<g transform="translate(${i * WIDTH} 0)">${chartSvg(chart, below)}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${charts.length * WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="10">`,
    `<title>${title}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function chartSvg({ title, points }: Chart, below: string): string {
  const [mostX, mostY] = [niceCeiling(points.map(({ x }) => x)), niceCeiling(points.map(({ y }) => y))];
  const right = WIDTH - RIGHT;
  const bottom = HEIGHT - BOTTOM;
  const at = (x: number, y: number): string => {
    const [across, up] = [LEFT + (x / mostX) * (right - LEFT), bottom - (y / mostY) * (bottom - TOP)];
    return `${across.toFixed(1)},${up.toFixed(1)}`;
  };
  const text = (x: number, y: number, anchor: string, words: string) =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#333">${words}</text>`;
  const dots = points.map(({ x, y }) => {
    const [cx, cy] = at(x, y).split(',');
    return `<circle cx="${cx}" cy="${cy}" r="2.5" fill="#0b5fa5"/>`;
  });
  return [
    text(LEFT, 18, 'start', title),
    `<path d="M${LEFT} ${TOP}V${bottom}H${right}" fill="none" stroke="#999"/>`,
    text(LEFT - 5, TOP + 4, 'end', String(mostY)),
    text(LEFT - 5, bottom + 3, 'end', '0'),
    text(right, bottom + 14, 'end', String(mostX)),
    text((LEFT + right) / 2, bottom + 26, 'middle', below),
    `<polyline points="${points.map(({ x, y }) => at(x, y)).join(' ')}" fill="none" stroke="#0b5fa5" stroke-width="1.5"/>`,
    ...dots,
  ].join('');
}

/** The next 1, 2 or 5 times a power of ten. */
function niceCeiling(values: readonly number[]): number {
  const most = Math.max(...values, Number.MIN_VALUE);
  const power = 10 ** Math.floor(Math.log10(most));
  return Number(([1, 2, 5, 10].find((step) => step * power >= most * (1 - 1e-9)) ?? 10) * power);
}
