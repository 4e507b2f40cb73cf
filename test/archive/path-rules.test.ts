import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArchiveError } from '../../src/archive/errors.ts';
import { assertInstallPath, foldName } from '../../src/archive/path-rules.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

describe('assertInstallPath', () => {
  it.each([
    'a',
    'rules/linux/exec.yaml',
    '.hidden',
    'a..b',
    'ünïcode/日本語/файл',
    'with space',
    '-rf',
    'console',
    'COM10',
    'nulls/auxiliary.txt',
    'file~backup',
    '~1',
    'x'.repeat(255),
    `${'d/'.repeat(31)}f`,
  ])('accepts %j', (path) => {
    expect(() => assertInstallPath(path)).not.toThrow();
  });

  it.each([
    ['PATH_EMPTY', ['']],
    ['PATH_ABSOLUTE', ['/etc/passwd', '/']],
    ['PATH_DRIVE', ['C:/x', 'c:x', '\\\\server\\share', '//server/share', '\\\\?\\C:\\x']],
    ['PATH_BACKSLASH', ['..\\x', 'a\\b', '\\x']],
    ['PATH_TRAVERSAL', ['..', '.', '../x', 'a/../b', 'a/..', './a', 'a/./b']],
    ['PATH_EMPTY_COMPONENT', ['a//b', 'a/']],
    // NUL, escape, DEL, C1, bidi override and isolate, zero width (HFS+ drops it), soft hyphen, line separator, tag,
    // variation selector, Hangul filler, a lone surrogate, a code point that is not assigned
    [
      'PATH_CONTROL',
      [
        'a\0b',
        'a\x1b[2J',
        'a\x7f',
        'a\u0085',
        'a\u202egpj.exe',
        'a\u2066b',
        '.g\u200cit/config',
        'a\u00adb',
        'a\u2028',
        'a\u{e0041}',
        'a\ufe0f',
        'a\u3164',
        'a\ud800',
        'a\uffff',
        'a\n',
      ],
    ],
    ['PATH_NOT_NFC', ['u\u0308', 'a/\u212b']],
    ['PATH_STREAM', ['ab:c', 'file.txt:$DATA', 'file::$INDEX_ALLOCATION']],
    ['PATH_CHARACTER', ['a*', 'a?', 'a|b', '<a', 'a>', 'a"']],
    [
      'PATH_RESERVED',
      ['con', 'CON', 'nul.txt', 'dir/Aux.tar.gz', 'COM1', 'com0.x', 'lpt9', 'COM¹', 'CONIN$', 'nul .txt'],
    ],
    ['PATH_TRAILING', ['a.', 'a ', 'a./b', 'PRN.', '...', 'nul ']],
    ['PATH_SHORT_NAME', ['LONGFI~1.TXT', 'PROGRA~1/x', 'git~1']],
    ['PATH_APPLEDOUBLE', ['._a', 'dir/._x']],
    ['PATH_TOO_LONG', ['x'.repeat(256), 'é'.repeat(128), `${'d'.repeat(200)}/`.repeat(6)]],
    ['PATH_TOO_DEEP', [`${'d/'.repeat(32)}f`]],
  ])('refuses with %s', (code, paths) => {
    for (const path of paths) expectCode(() => assertInstallPath(path), code);
  });

  it('shows nothing raw in its message', () => {
    const thrown = catchError(() => assertInstallPath('a\x1b]0;owned\x07\u202e'));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for them is the test
    expect(thrown.message).not.toMatch(/[\x00-\x1f\u202e]/);
    expect(thrown.fault).toBe('untrusted');
  });

  it('accepts a path or gives a code, and what it accepts stays inside a directory', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a./\\:~ \0C1-]{0,12}$/)), (path) => {
        try {
          assertInstallPath(path);
        } catch (error) {
          expect(error).toBeInstanceOf(ArchiveError);
          return;
        }
        expect(new URL(path.replaceAll('%', '%25').replaceAll('#', '%23'), 'file:///base/').href).toMatch(
          /^file:\/\/\/base\/./,
        );
      }),
      { numRuns: runs(400, 100_000) },
    );
  });
});

describe('foldName', () => {
  it.each([
    ['README', 'readme'],
    ['straße', 'STRASSE'],
    ['stra\u1e9ee', 'strasse'],
    ['\u212a', 'k'],
    ['ſ', 'S'],
    ['ı', 'I'],
    ['ς', 'Σ'],
    ['ας', 'ΑΣ'],
    ['\u00fc', 'u\u0308'],
    ['\ufb01le', 'file'],
    ['\u03f4', '\u03b8'],
    ['ꭰ', 'Ꭰ'],
    ['ᾳ', 'ΑΙ'],
    ['\uff21', 'a'],
  ])('unites %j and %j', (a, b) => {
    expect(foldName(a)).toBe(foldName(b));
  });

  it('keeps apart what is different', () => {
    expect(foldName('a')).not.toBe(foldName('b'));
    expect(foldName('u')).not.toBe(foldName('ü'));
  });

  it('gives every code point one fold, however it is cased or normalised', () => {
    const wrong: string[] = [];
    for (let code = 0; code < runs(0x20000, 0x110000); code += 1) {
      if (code >= 0xd800 && code < 0xe000) continue;
      const text = String.fromCodePoint(code);
      const fold = foldName(text);
      const spellings = [fold, text.toLowerCase(), text.toUpperCase(), text.normalize('NFD'), text.normalize('NFKC')];
      if (spellings.some((spelling) => foldName(spelling) !== fold)) wrong.push(code.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  it('is at least as coarse as the simple case folding of regular expressions', () => {
    const cased = /\p{Changes_When_Casefolded}/u;
    for (let code = 0; code < 0x20000; code += 1) {
      const text = String.fromCodePoint(code);
      if (!cased.test(text)) continue;
      const same = new RegExp(`^${text}$`, 'iu');
      for (const other of [text.toLowerCase(), text.toUpperCase()]) {
        if (same.test(other)) expect(foldName(other)).toBe(foldName(text));
      }
    }
  });
});

function catchError(action: () => void): ArchiveError {
  try {
    action();
  } catch (error) {
    if (error instanceof ArchiveError) return error;
  }
  throw new Error('expected an ArchiveError');
}
