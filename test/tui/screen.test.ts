import { render } from 'ink-testing-library';
import { createElement } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { TimelineRow } from '../../src/forensics/case/timeline.ts';
import { TimelineScreen } from '../../src/tui/components/timeline-screen.tsx';
import { createTheme } from '../../src/tui/theme.ts';
import type { SearchOptions, TimelineSource } from '../../src/tui/timeline-source.ts';
import type { CaseView } from '../../src/tui/view.ts';

/** The screen with lines from memory, so that answers can be held back and counted; with a real case in hunt.test.ts. */

const DIGEST = `sha256:${'0'.repeat(64)}`;
const VIEW: CaseView = {
  name: 'demo',
  packages: new Map([[DIGEST, { name: 'sample-1', verdict: 'trusted' }]]),
  fence: 'fenced by namespaces',
};

function line(row: number): TimelineRow {
  return {
    row,
    ts: row * 1000,
    host: 'h',
    type: 'process.exec',
    origin: 'o',
    seq: row,
    package: DIGEST,
    signed: true,
    summary: `event ${row}`,
  };
}

class Source implements TimelineSource {
  /** What a search waits for. */
  held: Promise<void> | undefined;
  fails = false;
  readonly asked: (readonly number[])[] = [];
  readonly #total: number;

  constructor(total: number) {
    this.#total = total;
  }

  count = async () => this.#total;

  async rows(rows: readonly number[]): Promise<readonly TimelineRow[]> {
    this.asked.push(rows);
    if (this.fails) throw new Error('not now');
    return rows.map(line);
  }

  async search(needle: string, { onProgress }: SearchOptions): Promise<readonly number[]> {
    onProgress(0.42);
    await this.held;
    if (needle === 'fail') throw new Error('the question took longer');
    return Array.from({ length: this.#total }, (_, row) => row).filter((row) => `event ${row}`.endsWith(needle));
  }

  text = async (row: number) => ({
    text: JSON.stringify({ data: { about: `line ${row}` }, seq: row }),
    leaf: 'l',
    anchored: true,
  });
}

const opened: ReturnType<typeof render>[] = [];
afterEach(() => {
  for (const screen of opened.splice(0)) screen.unmount();
});

function open(source: Source, total: number) {
  const screen = render(
    createElement(TimelineScreen, { view: VIEW, source, total, theme: createTheme({ unicode: true }) }),
  );
  opened.push(screen);
  return {
    press: async (keys: string) => {
      screen.stdin.write(keys);
    },
    shows: (text: string | RegExp) => vi.waitFor(() => expect(screen.lastFrame()).toMatch(text), { timeout: 20_000 }),
    frame: () => screen.lastFrame() ?? '',
  };
}

describe('the timeline screen', () => {
  it('shows the first lines, and what it always tells', async () => {
    const { shows, frame } = open(new Source(1000), 1000);
    await shows(/❯ 00:00:00\.000 ▸ process\.exec\s+event 0/);
    await shows(/✓ trusted │ sample-1 │ masked │ line 1, 1000 \/ 1000 shown/);
    expect(frame()).not.toContain('event 100');
  });

  it('moves, and asks for lines only when it comes near what it has', async () => {
    const source = new Source(1_000_000);
    const { press, shows } = open(source, 1_000_000);
    await shows('event 0');
    const before = source.asked.length;
    await press('j');
    await press('j');
    await shows(/❯ 00:00:02\.000/);
    expect(source.asked).toHaveLength(before);
    await press('G');
    await shows(/❯ \S+ ▸ process\.exec\s+event 999999/);
    expect(Math.max(...source.asked.map((rows) => rows.length))).toBeLessThan(200);
    await press('g');
    await shows(/❯ 00:00:00\.000/);
  });

  it('shows the line under the cursor in full, and the one after it when it moves', async () => {
    const { press, shows } = open(new Source(10), 10);
    await shows('event 0');
    await press('\r');
    await shows(/about\s+line 0/);
    await press('j');
    await shows(/about\s+line 1/);
  });

  it('searches, and comes back', async () => {
    const { press, shows } = open(new Source(100), 100);
    await shows('event 0');
    await press('/');
    await press('7');
    await shows('/7');
    await press('\r');
    await shows(/line 1, 10 \/ 100 shown │ \/7/);
    await shows('event 97');
    await press('q');
    await shows('100 / 100 shown');
  });

  it('tells how far a search is, lets move meanwhile, and stops it', async () => {
    const source = new Source(100);
    const { promise, resolve } = Promise.withResolvers<void>();
    source.held = promise;
    const { press, shows } = open(source, 100);
    await shows('event 0');
    await press('/7\r');
    await shows('searching 42 %  Esc stops  "7"');
    await press('j');
    await shows(/❯ 00:00:01\.000/);
    await press('q');
    await shows('j/k move');
    resolve();
    await press('j');
    await shows(/❯ 00:00:02\.000[\s\S]*line 3, 100 \/ 100 shown/);
  });

  it('says what went wrong, and goes on', async () => {
    const { press, shows } = open(new Source(10), 10);
    await shows('event 0');
    await press('/fail\r');
    await shows('✗ the question took longer');
    await press('j');
    await shows(/❯ 00:00:01\.000/);
  });

  it('asks again after a failure, at the next key and not before', async () => {
    const source = new Source(10);
    source.fails = true;
    const { press, shows, frame } = open(source, 10);
    await shows('✗ not now; any key asks again');
    expect(source.asked).toHaveLength(1);
    expect(frame()).not.toContain('event 0');
    source.fails = false;
    await press('j');
    await shows(/❯ 00:00:01\.000 ▸ process\.exec +event 1/);
    expect(source.asked).toHaveLength(2);
  });

  it('shows its keys', async () => {
    const { press, shows } = open(new Source(10), 10);
    await shows('event 0');
    await press('?');
    await shows('half a page down');
    await press('?');
    await shows('event 0');
  });

  it('says that a case is empty', async () => {
    const { shows } = open(new Source(0), 0);
    await shows('no lines yet');
    await shows('no line │ demo');
  });
});
