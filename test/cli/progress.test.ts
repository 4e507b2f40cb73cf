import { join } from 'node:path';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bytesText, createProgress, durationText, progressLine } from '../../src/cli/render/progress.ts';
import { capabilitiesOf, createStyle } from '../../src/cli/render/style.ts';
import { displayWidth } from '../../src/cli/render/text.ts';
import { inside, ROOT } from '../support/cli.ts';
import { runs } from '../support/slow.ts';

const UTF8 = { LC_ALL: 'C.UTF-8' };
const plain = createStyle(capabilitiesOf({}, UTF8, false));
const ascii = createStyle(capabilitiesOf({}, { LC_ALL: 'C' }, false));
const MB = 1_000_000;
const bytes = { label: 'verifying', unit: 'bytes' } as const;

describe('the line of a progress bar', () => {
  it('shows part, rate and what remains', () => {
    expect(progressLine(plain, { ...bytes, done: 630 * MB, total: 1000 * MB, rate: 100 * MB })).toBe(
      `verifying  ${'█'.repeat(15)}${'░'.repeat(9)}   63 %  100 MB/s  0:04 left`,
    );
    expect(progressLine(ascii, { label: 'reading', unit: 'items', done: 50, total: 100, rate: 5 })).toBe(
      `reading  ${'#'.repeat(12)}${'.'.repeat(12)}   50 %  5/s  0:10 left`,
    );
  });

  it('stays within its bounds', () => {
    expect(progressLine(plain, { ...bytes, done: 0, total: 100 })).toBe(`verifying  ${'░'.repeat(24)}    0 %`);
    expect(progressLine(plain, { ...bytes, done: 250, total: 100 })).toBe(`verifying  ${'█'.repeat(24)}  100 %`);
  });

  it('says how much, and at what rate, when nobody knows how much there is', () => {
    expect(progressLine(plain, { ...bytes, done: 12 * MB })).toBe('verifying  12 MB');
    expect(progressLine(plain, { ...bytes, done: 12 * MB, total: 0, rate: 3 * MB })).toBe('verifying  12 MB  3.0 MB/s');
  });

  it('never reaches the last column, whatever it says, and lets no label act on the terminal', () => {
    const number = fc.oneof(fc.nat(200), fc.maxSafeInteger().map(Math.abs), fc.double({ min: 0, noNaN: true }));
    const label = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('verifying', '包'.repeat(60), '\x1b[2J\r\n'));
    const state = fc.record({
      label,
      unit: fc.constantFrom('bytes' as const, 'items' as const),
      done: number,
      total: fc.option(number, { nil: undefined }),
      rate: fc.option(number, { nil: undefined }),
    });
    fc.assert(
      fc.property(state, fc.integer({ min: 1, max: 200 }), fc.boolean(), (shown, columns, isTTY) => {
        const style = createStyle(capabilitiesOf({ columns, isTTY }, UTF8, false));
        const line = progressLine(style, shown);
        expect(displayWidth(line)).toBeLessThan(style.width);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
        expect(line.replaceAll(/\x1b\[[0-9;]*m/g, '')).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      }),
      { numRuns: runs(500, 100_000) },
    );
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [9949, '9.9 kB'],
    [9950, '10 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [412_345_678, '412 MB'],
    [17_179_869_184, '17 GB'],
    [3e18, '3000 PB'],
  ])('%i bytes are %s', (value, text) => expect(bytesText(value)).toBe(text));

  it.each([
    [0, '0:00'],
    [6.2, '0:07'],
    [59.5, '1:00'],
    [3599, '59:59'],
    [3600, '1:00:00'],
    [359_999, '99:59:59'],
    [360_000, 'days'],
    [Number.POSITIVE_INFINITY, 'days'],
  ])('%d seconds are %s', (value, text) => expect(durationText(value)).toBe(text));
});

describe('a progress bar', () => {
  /** A bar on a clock that goes only as it is told. */
  function barOn(total?: number) {
    let now = 5000;
    const shown: string[] = [];
    const terminal = new Writable({
      decodeStrings: false,
      write(chunk, _, done) {
        shown.push(String(chunk));
        done();
      },
    });
    const bar = createProgress(terminal, plain, 'verifying', { unit: 'bytes', total }, () => now);
    const updated = (ms: number, done: number, known?: number) => {
      now += ms;
      bar.update(done, known);
      return shown.at(-1)?.replace('\r\x1b[K', '');
    };
    return { bar, shown, updated };
  }

  it('is not drawn for work of under a second, nor cleared', () => {
    const { bar, shown, updated } = barOn(100);
    updated(999, 99);
    bar.end();
    expect(shown).toEqual([]);
  });

  it('is redrawn ten times a second at most', () => {
    const { shown, updated } = barOn(100 * MB);
    for (let i = 0; i < 1000; i += 1) updated(2, i * 1000);
    expect(shown.length).toBe(11);
  });

  it('goes by the rate of the last seconds, so that a stick that slows down shows', () => {
    const { updated } = barOn(1000 * MB);
    expect(updated(1000, 100 * MB)).toContain('100 MB/s  0:09 left');
    for (let second = 0; second < 6; second += 1) updated(1000, (100 + second) * MB);
    expect(updated(1000, 106 * MB)).toContain('1.0 MB/s');
  });

  it('says nothing of a rate while nothing moves', () => {
    const { updated } = barOn(1000);
    expect(updated(2000, 0)).toBe(`verifying  ${'░'.repeat(24)}    0 %`);
  });

  it('learns late how much there is', () => {
    const { updated } = barOn();
    expect(updated(1500, 30)).toContain('30 B  20 B/s');
    expect(updated(500, 40, 80)).toContain('50 %');
  });

  it('leaves an empty line behind', () => {
    const { bar, shown, updated } = barOn(10);
    updated(2000, 5);
    bar.end();
    expect(shown.at(-1)).toBe('\r\x1b[K');
    bar.end();
    expect(shown).toHaveLength(2);
  });
});

describe('bundle verify', () => {
  const samples = join(ROOT, 'bundles/samples');
  const verify = (columns?: number) =>
    inside(['bundle', 'verify', join(samples, 'linux-baseline-1.bundle.tar'), '--trust', join(samples, 'root')], {
      ...(columns === undefined ? {} : { columns }),
    });
  afterEach(() => void vi.restoreAllMocks());

  /** Every look at the clock finds that a while has passed: work that takes long, at once. */
  function slowClock(): void {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 700;
      return now;
    });
  }

  it('draws a bar of one line on a terminal of 80 columns, and takes it away again', async () => {
    slowClock();
    const { code, stdout, stderr } = await verify(80);
    expect(code).toBe(0);
    const drawn = stderr.split('\r\x1b[K');
    expect(drawn.length).toBeGreaterThan(3);
    expect(drawn.at(-1)).toBe('');
    for (const line of drawn.slice(1, -1)) {
      expect(displayWidth(line)).toBeLessThan(80);
      expect(line).toMatch(/^verifying {2}.* % {2}\S+ k?B\/s {2}\d+:\d\d left$/);
    }
    expect(stdout).not.toContain('left');
  });

  it('draws none into a pipe, however long it takes', async () => {
    slowClock();
    expect(await verify()).toMatchObject({ code: 0, stderr: '' });
  });

  it('draws none when it is over at once', async () => {
    vi.spyOn(performance, 'now').mockReturnValue(1);
    expect((await verify(80)).stderr).toBe('');
  });
});
