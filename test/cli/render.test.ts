import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CliError, Interruption } from '../../src/cli/errors.ts';
import { EXIT, exitCodeOfFault } from '../../src/cli/exit-codes.ts';
import { formatError, viewError } from '../../src/cli/render/error.ts';
import { renderReport } from '../../src/cli/render/report.ts';
import { capabilitiesOf, createStyle } from '../../src/cli/render/style.ts';
import { displayWidth, fenceText, formatJson, hangingText, padDisplay, wrapText } from '../../src/cli/render/text.ts';
import { failed, passed, type Report, skipped } from '../../src/core/checks.ts';
import { CoreError, type Fault } from '../../src/core/errors.ts';
import { validateSchema } from '../../src/core/schema.ts';
import { readSchema } from '../support/cli.ts';
import { runs } from '../support/slow.ts';

const UTF8 = { LC_ALL: 'C.UTF-8' };
const plain = createStyle(capabilitiesOf({}, UTF8, false));
const ascii = createStyle(capabilitiesOf({}, { LC_ALL: 'C' }, false));
const coloured = createStyle(capabilitiesOf({ isTTY: true, columns: 80 }, { ...UTF8, COLORTERM: 'truecolor' }, false));
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
const SGR = /\x1b\[[0-9;]*m/g;

// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\ufeff]/;

const REPORT: Report = {
  verdict: 'refused',
  subject: { type: 'bundle', name: 'rules/linux-baseline', digest: `sha256:${'a'.repeat(64)}`, detail: { seq: 42 } },
  checks: [
    passed('container', 'a tar of 12 members, nothing after its end'),
    failed(
      'signatures',
      'BELOW_THRESHOLD',
      '1 of the 2 signatures that the role rules needs; the other key is not in the root',
    ),
    skipped('revocation', 'not reached'),
  ],
  freshness: {
    status: 'not-provable',
    reason: 'no heads statement answers this enclave',
    floor: '2026-11-22T00:00:00.000Z',
  },
  signers: [{ keyid: 'b'.repeat(64), role: 'rules', operator: 'alice' }],
};

describe('a report', () => {
  it('reads from the verdict to the details, in 80 columns', () => {
    expect(renderReport(REPORT, plain)).toBe(
      [
        '✗ refused  bundle rules/linux-baseline, because of signatures [BELOW_THRESHOLD]',
        `  digest  sha256:${'a'.repeat(64)}`,
        '  seq     42',
        '',
        '  ✓ pass  container   a tar of 12 members, nothing after its end',
        '  ✗ fail  signatures  1 of the 2 signatures that the role rules needs; the other',
        '                      key is not in the root [BELOW_THRESHOLD]',
        '  – skip  revocation  not reached',
        '',
        '  signed  rules by alice, key',
        `          ${'b'.repeat(64)}`,
        '  fresh   not provably: no heads statement answers this enclave (floor',
        '          2026-11-22T00:00:00.000Z)',
        '',
        '✗ refused  bundle rules/linux-baseline, because of signatures [BELOW_THRESHOLD]',
      ].join('\n'),
    );
  });

  it('says the same without colour and in ASCII: neither carries meaning alone', () => {
    const text = renderReport(REPORT, plain);
    expect(renderReport(REPORT, coloured).replace(SGR, '')).toBe(text);
    const inAscii = renderReport(REPORT, ascii);
    expect(inAscii).toMatch(/^[\x20-\x7e\n]*$/);
    expect(
      inAscii
        .replace(/^x/gm, '✗')
        .replaceAll('  + pass', '  ✓ pass')
        .replaceAll('  x fail', '  ✗ fail')
        .replaceAll('  - skip', '  – skip'),
    ).toBe(text);
  });

  it('of something trusted says so first and last', () => {
    const report: Report = { ...REPORT, verdict: 'trusted', checks: [passed('container', 'fine')] };
    expect(renderReport(report, plain)).toMatch(/^✓ trusted {2}bundle rules\/linux-baseline\n/);
    expect(renderReport(report, plain)).toMatch(/\n✓ trusted {2}bundle rules\/linux-baseline$/);
  });

  it('has one shape in JSON', () => {
    expect(validateSchema(readSchema('report'), JSON.parse(formatJson(REPORT)))).toEqual(REPORT);
    for (const wrong of [
      { ...REPORT, checks: [] },
      { ...REPORT, extra: 1 },
      { ...REPORT, verdict: 'fine' },
    ]) {
      expect(() => validateSchema(readSchema('report'), wrong)).toThrow();
    }
  });

  it('lets nothing from outside act on the terminal or forge a line', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', ' ', '\n', '\r', '\x1b', '[', 'm', '\u202e', '\x9b', '✓', '\u2028'),
    });
    const property = fc.property(text, text, text, (name, reason, code) => {
      const report: Report = {
        ...REPORT,
        subject: { type: 'bundle', name, digest: reason, detail: { [name]: reason } },
        checks: [failed(name, code, reason)],
        freshness: { status: 'unknown', reason, floor: code },
        signers: [{ keyid: name, role: reason, operator: code }],
      };
      const shown = renderReport(report, coloured);
      expect(shown.replace(SGR, '')).not.toMatch(UNSAFE);
      // Only the verdict stands at the left edge, at the top and at the end.
      const atEdge = shown.split('\n').filter((line) => /^\S/.test(line.replace(SGR, '')));
      expect(atEdge).toHaveLength(2);
      expect(atEdge[1]).toBe(atEdge[0]);
    });
    fc.assert(property, { numRuns: runs(200, 20_000) });
  });
});

describe('an error', () => {
  it('has the exit code of its fault', () => {
    const faults: Record<Fault, number> = { failed: 1, usage: 2, untrusted: 3, tampered: 4, refused: 5 };
    for (const [fault, code] of Object.entries(faults) as [Fault, number][]) {
      expect(exitCodeOfFault(fault)).toBe(code);
      expect(viewError(new CoreError('KEY_MALFORMED', 'x', { fault })).exitCode).toBe(code);
    }
    expect(EXIT.done).toBe(0);
    expect(viewError(new Interruption('SIGTERM')).exitCode).toBe(143);
  });

  it('is one line whatever its message holds, and its causes a line each', () => {
    const cause = new TypeError('inner\n  text \x1b[2J');
    const view = viewError(new CliError('SYSTEM', 'outer\n\nnews\x07', { cause }));
    expect(formatError(view, plain, false)).toBe('daemoneye: outer news\\x07 [SYSTEM]');
    expect(formatError(view, plain, true).split('\n').slice(1)).toEqual(['  because: inner text \\x1b[2J']);
  });

  it('of the operating system is put into a sentence', () => {
    const error = Object.assign(new Error("ENOSPC: no space left on device, write '/data/x'"), {
      code: 'ENOSPC',
      syscall: 'write',
      path: '/data/x',
    });
    const { code, message, exitCode } = viewError(error);
    expect([code, exitCode]).toEqual(['SYSTEM', 1]);
    expect(message).toContain('no space left on device (ENOSPC, write "/data/x")');
  });

  it.each([[new TypeError('x is undefined')], ['a thrown string'], [undefined], [null]])(
    'that nobody expected asks for a report and hides its stack: %s',
    (thrown) => {
      const view = viewError(thrown);
      expect([view.code, view.exitCode]).toEqual(['INTERNAL', 1]);
      const [brief, verbose] = [formatError(view, plain, false), formatError(view, plain, true)];
      expect(brief).toMatch(/^daemoneye: .*report.* \[INTERNAL\]$/);
      if (thrown instanceof Error) expect(verbose).toContain('render.test.ts');
    },
  );

  it('with a ring of causes still ends', () => {
    const error: Error & { cause?: unknown } = new Error('x');
    error.cause = error;
    expect(viewError(new CliError('SYSTEM', 'y', { cause: error })).causes.length).toBeLessThan(10);
  });
});

describe('style', () => {
  it.each([
    [{}, {}, false, 'none'],
    [{ isTTY: true }, {}, false, 'basic'],
    [{ isTTY: true }, { TERM: 'xterm-256color' }, false, '256'],
    [{ isTTY: true }, { COLORTERM: 'truecolor' }, false, 'truecolor'],
    [{ isTTY: true }, { COLORTERM: 'truecolor', NO_COLOR: '1' }, false, 'none'],
    [{ isTTY: true }, { COLORTERM: 'truecolor', TERM: 'dumb' }, false, 'none'],
    [{ isTTY: true }, { COLORTERM: 'truecolor' }, true, 'none'],
  ])('%j with %j: colour %s → %s', (stream, env, noColour, expected) => {
    expect(capabilitiesOf(stream, env, noColour).colour).toBe(expected);
  });

  it.each([
    [{ LC_ALL: 'de_DE.UTF-8' }, true],
    [{ LC_CTYPE: 'C.utf8', LANG: 'C' }, true],
    [{ LC_ALL: 'C', LANG: 'de_DE.UTF-8' }, false],
    [{ LC_ALL: '', LANG: 'de_DE.UTF-8' }, true],
    [{}, false],
  ])('with %j has glyphs: %s', (env, expected) => {
    expect(capabilitiesOf({}, env, false).unicode).toBe(expected);
  });

  it('lays out for a sane width whatever the terminal claims', () => {
    const widths = [undefined, 0, 10, 80, 100, 10_000].map((columns) => capabilitiesOf({ columns }, {}, false).width);
    expect(widths).toEqual([80, 80, 40, 80, 100, 120]);
  });
});

describe('text', () => {
  it('counts columns, not characters or style', () => {
    expect(displayWidth('abc')).toBe(3);
    expect(displayWidth('日本')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('😀')).toBe(2);
    expect(displayWidth(coloured.tone('good', 'abc'))).toBe(3);
    expect(padDisplay('日', 4)).toBe('日  ');
  });

  it('wraps without losing or adding a word', () => {
    const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '日', 'é'), minLength: 1, maxLength: 12 }), {
      minLength: 1,
    });
    const property = fc.property(words, fc.integer({ min: 5, max: 60 }), (list, width) => {
      const lines = wrapText(list.join(' '), width);
      expect(lines.join(' ')).toBe(list.join(' '));
      for (const line of lines) expect(displayWidth(line) <= width || !line.includes(' ')).toBe(true);
    });
    fc.assert(property, { numRuns: runs(200, 20_000) });
  });

  it('hangs the following lines under the first', () => {
    expect(hangingText('name  ', 'one two three four five six', 30)).toBe('name  one two three four five\n      six');
    // And below it where there is no room beside it.
    expect(hangingText('  --passphrase-file FILE  ', 'from the file', 40)).toBe(
      '  --passphrase-file FILE\n    from the file',
    );
  });

  it("keeps its own styles and no one else's controls", () => {
    const text = `${coloured.tone('bad', 'x')}\n\x1b]0;t\x07\x1b[2J\x9b1m`;
    expect(fenceText(text, true)).toBe('\x1b[38;2;213;94;0mx\x1b[0m\n\\x1b]0;t\\x07\\x1b[2J\\x9b1m');
    expect(fenceText(text, false)).not.toContain('\x1b');
  });

  it('writes JSON that any parser reads back and no terminal obeys', () => {
    const property = fc.property(fc.json(), (json) => {
      const value: unknown = JSON.parse(json);
      const text = formatJson(value);
      expect(JSON.parse(text)).toEqual(value);
      expect(text).not.toMatch(UNSAFE);
    });
    fc.assert(property, { numRuns: runs(300, 20_000) });
    expect(formatJson({ a: '\u{e0041}\u202e' })).toContain('"\\udb40\\udc41\\u202e"');
  });
});
