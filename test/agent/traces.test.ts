import { describe, expect, it } from 'vitest';
import { MAX_ACTIVE_TRACES, MAX_OLD_TRACES, MAX_TRACES_PER_HOUR } from '../../src/agent/format.ts';
import { ActiveTraces } from '../../src/agent/traces.ts';

/** grandchild → child → root. */
const PARENTS: Readonly<Record<string, string>> = { grandchild: 'child', child: 'root', ring: 'ring' };
const parentOf = (entity: string) => PARENTS[entity];
const NOW = 1_000_000_000;

describe('active traces', () => {
  it('trace one lineage once, as deep as the trace goes', () => {
    const traces = new ActiveTraces();
    traces.begin({ id: 't', entity: 'root', depth: 1, isOld: false }, NOW);
    const judge = (entity: string) => traces.judge({ entity, isOld: false }, NOW, parentOf);
    expect(judge('root')).toMatchObject({ go: false, follows: 't' });
    expect(judge('child')).toMatchObject({ go: false, follows: 't' });
    expect(judge('grandchild')).toEqual({ go: true });
    expect(judge('stranger')).toEqual({ go: true });
    expect(judge('ring')).toEqual({ go: true });
    traces.end('t');
    expect(judge('root')).toEqual({ go: true });
  });

  it('run so many at a time, and of what ran before only so many of those', () => {
    const traces = new ActiveTraces();
    const go = (entity: string, isOld: boolean) => {
      const verdict = traces.judge({ entity, isOld }, NOW, parentOf);
      if (verdict.go) traces.begin({ id: entity, entity, depth: 8, isOld }, NOW);
      return verdict.go;
    };
    const old = Array.from({ length: 10 }, (_, i) => go(`old-${i}`, true));
    expect(old.filter(Boolean)).toHaveLength(MAX_OLD_TRACES);
    const young = Array.from({ length: 10 }, (_, i) => go(`young-${i}`, false));
    expect(young.filter(Boolean)).toHaveLength(MAX_ACTIVE_TRACES - MAX_OLD_TRACES);
    traces.endAll();
    expect(go('again', true)).toBe(true);
  });

  it('are started so often in an hour and not more', () => {
    const traces = new ActiveTraces();
    for (let i = 0; i < MAX_TRACES_PER_HOUR; i += 1) {
      traces.begin({ id: `t${i}`, entity: `e${i}`, depth: 8, isOld: false }, NOW);
      traces.end(`t${i}`);
    }
    const late = { entity: 'late', isOld: false };
    expect(traces.judge(late, NOW + 3_599_999, parentOf)).toMatchObject({ go: false });
    expect(traces.judge(late, NOW + 3_600_000, parentOf)).toEqual({ go: true });
  });
});
