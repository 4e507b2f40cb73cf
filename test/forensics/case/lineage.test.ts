import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LineageNode, type LineageRow, lineageTree, renderLineage } from '../../../src/forensics/case/lineage.ts';
import { runs } from '../../support/slow.ts';

function row(entity: string, parent?: string, more: Partial<LineageRow> = {}): LineageRow {
  return { entity, ...(parent === undefined ? {} : { parent }), name: entity, connections: [], alerts: [], ...more };
}

function draw(rows: readonly LineageRow[], unicode = true): string {
  return renderLineage(lineageTree(rows), { unicode }).join('\n');
}

function entitiesIn(nodes: readonly LineageNode[]): string[] {
  return nodes.flatMap((node) => [
    ...(node.row === undefined || node.cut !== undefined ? [] : [node.entity]),
    ...entitiesIn(node.children),
  ]);
}

describe('a lineage', () => {
  it('is drawn as a tree, with what each process did', () => {
    const rows = [
      row('nginx', undefined, { pid: 1 }),
      row('sh', 'nginx', { pid: 2, mask: 'sh -c <text:12>', alerts: ['high shell'] }),
      row('curl', 'sh', { pid: 3, start: 0, end: 1000, exitCode: 7, connections: ['tcp a:1 -> b:2 (closed)'] }),
      row('id', 'sh', { pid: 4, user: 'www' }),
      row('worker', 'nginx'),
    ];
    expect(draw(rows).split('\n')).toEqual([
      'nginx [1]',
      '├─ sh [2]  sh -c <text:12>',
      '│  │  ⚠ alert high shell',
      '│  ├─ curl [3]  1970-01-01T00:00:00.000Z  ended 1970-01-01T00:00:01.000Z code 7',
      '│  │     ⇄ tcp a:1 -> b:2 (closed)',
      '│  └─ id [4]  www',
      '└─ worker [?]',
    ]);
  });

  it('is drawn in ASCII where there is nothing else', () => {
    const text = draw([row('a'), row('b', 'a', { alerts: ['x'], connections: ['y'] }), row('c', 'a')], false);
    expect(text).toMatch(/^[ -~\n]+$/);
  });

  it('keeps orphans together under a parent that nobody saw', () => {
    const text = draw([row('a', 'gone', { parentPid: 9 }), row('b', 'gone', { parentPid: 9 })]);
    expect(text.split('\n')).toEqual(['pid 9 (not seen)', '├─ a [?]', '└─ b [?]']);
  });

  it('cuts circles', () => {
    expect(draw([row('a', 'b'), row('b', 'a')]).split('\n')).toEqual([
      'a [?]',
      '└─ b [?]',
      '   └─ a [?] (again: the evidence says that it stands above itself)',
    ]);
    expect(draw([row('a', 'a')]).split('\n')).toHaveLength(2);
  });

  it('survives a chain that is deeper than any machine has', () => {
    const rows = Array.from({ length: 5000 }, (_, i) => row(`p${i}`, i === 0 ? undefined : `p${i - 1}`));
    expect(new Set(entitiesIn(lineageTree(rows))).size).toBe(5000);
  });

  it('lets nothing from evidence act on the terminal', () => {
    const evil = '\u001b[2J\u202e\n';
    const rows = [
      row(evil, evil, { name: evil, mask: evil, user: evil, alerts: [evil], connections: [evil] }),
      row('x', `y${evil}`),
    ];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
    const acting = /[\u001b\u202e\n]/;
    for (const line of renderLineage(lineageTree(rows), { unicode: true })) expect(line).not.toMatch(acting);
  });

  it('shows a moment that no calendar has as a number', () => {
    expect(draw([row('a', undefined, { start: 9e15 })])).toContain('9000000000000000');
  });

  it('shows every process exactly once, whatever the parents say', () => {
    const name = fc.integer({ min: 0, max: 12 }).map((n) => `p${n}`);
    const rows = fc.uniqueArray(fc.record({ entity: name, parent: fc.option(name, { nil: undefined }) }), {
      selector: ({ entity }) => entity,
    });
    fc.assert(
      fc.property(rows, (list) => {
        const drawn = entitiesIn(lineageTree(list.map(({ entity, parent }) => row(entity, parent))));
        expect(drawn.sort()).toEqual(list.map(({ entity }) => entity).sort());
      }),
      { numRuns: runs(200, 20_000) },
    );
  });
});
