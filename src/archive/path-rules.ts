import { escapeForTerminal } from '../core/terminal-text.ts';
import { type ArchiveError, type ArchiveErrorCode, hostile } from './errors.ts';

/** Longest path, in UTF-8 bytes. */
export const MAX_PATH = 1024;
/** Longest component, in UTF-8 bytes: the limit of ext4, APFS and NTFS alike. */
export const MAX_COMPONENT = 255;
/** Most components in a path. */
export const MAX_DEPTH = 32;

// What a person can't see, or that reorders what they do see: controls, format characters (bidi, zero-width, tags),
// separators, variation selectors and fillers (HFS+ ignores these when it compares names, CVE-2014-9390), surrogates,
// and code points this Unicode version doesn't know, which therefore can't be folded.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
/** `C:…`, `\\server`, `//server`, `\\?\`. */
const DRIVE_OR_UNC = /^(?:[A-Za-z]:|\\\\|\/\/)/;
// Device names of Windows, with any extension (`nul.txt` opens the device too), superscript digits included.
const DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])$/i;
/** 8.3 aliases: writing `LONGFI~1.TXT` overwrites `longfilename.txt` on a volume that keeps short names. */
const SHORT_NAME = /^[^.~]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?$/;

/**
 * Checks a relative path that came from outside and will name a file here, or on another machine: `/` separates
 * components, and the path must mean the same file on Linux, macOS and Windows.
 *
 * @throws ArchiveError (fault `untrusted`): PATH_EMPTY, PATH_DRIVE (drive letter or UNC), PATH_ABSOLUTE,
 *   PATH_BACKSLASH, PATH_CONTROL (controls, bidi, invisible or unassigned), PATH_NOT_NFC, PATH_STREAM (`:`),
 *   PATH_CHARACTER (`<>"|?*`), PATH_TOO_LONG, PATH_TOO_DEEP, PATH_EMPTY_COMPONENT, PATH_TRAVERSAL (`.` and `..`),
 *   PATH_TRAILING (dot or space), PATH_RESERVED (Windows devices), PATH_SHORT_NAME (8.3) or PATH_APPLEDOUBLE
 */
export function assertInstallPath(path: string): void {
  if (path === '') throw refuse('PATH_EMPTY', path, 'is empty');
  if (DRIVE_OR_UNC.test(path)) throw refuse('PATH_DRIVE', path, 'starts with a drive letter or a network share');
  if (path.startsWith('/')) throw refuse('PATH_ABSOLUTE', path, 'is absolute');
  if (path.includes('\\')) throw refuse('PATH_BACKSLASH', path, 'has a backslash');
  if (INVISIBLE.test(path)) throw refuse('PATH_CONTROL', path, 'has a control, invisible or unassigned character');
  if (path.normalize('NFC') !== path) throw refuse('PATH_NOT_NFC', path, 'is not in Unicode NFC');
  if (path.includes(':')) throw refuse('PATH_STREAM', path, 'has a colon (an alternate stream on Windows)');
  if (/[<>"|?*]/.test(path)) throw refuse('PATH_CHARACTER', path, 'has one of <>"|?*, which Windows forbids');
  if (Buffer.byteLength(path) > MAX_PATH) throw refuse('PATH_TOO_LONG', path, `is over ${MAX_PATH} bytes`);
  const components = path.split('/');
  if (components.length > MAX_DEPTH) throw refuse('PATH_TOO_DEEP', path, `is over ${MAX_DEPTH} directories deep`);
  for (const component of components) assertComponent(component, path);
}

function assertComponent(component: string, path: string): void {
  if (component === '') throw refuse('PATH_EMPTY_COMPONENT', path, 'has an empty component');
  if (component === '.' || component === '..') throw refuse('PATH_TRAVERSAL', path, `has a component "${component}"`);
  if (Buffer.byteLength(component) > MAX_COMPONENT) {
    throw refuse('PATH_TOO_LONG', path, `has a component over ${MAX_COMPONENT} bytes`);
  }
  // Windows drops both, so `a.` and `a` are one file there, and `nul .txt` is a device.
  if (/[. ]$/.test(component)) throw refuse('PATH_TRAILING', path, 'has a component that ends in a dot or a space');
  const stem = component.slice(0, `${component}.`.indexOf('.')).trimEnd();
  if (DEVICE.test(stem)) throw refuse('PATH_RESERVED', path, `uses the device name ${stem} of Windows`);
  if (SHORT_NAME.test(component)) throw refuse('PATH_SHORT_NAME', path, 'looks like the short (8.3) name of a file');
  // Finder turns `._x` into hidden metadata of `x`.
  if (component.startsWith('._')) throw refuse('PATH_APPLEDOUBLE', path, 'is an AppleDouble file of macOS');
}

/**
 * What names are compared by to find twins: two paths with the same fold may be one file on some file system.
 *
 * The fold is NFKD, lower case, upper case, NFKC. Lower before upper unites ẞ with ss and ϴ with θ; upper unites ſ
 * with s and ı with i. It is at least as coarse as what NTFS, APFS, HFS+ (NFD and simple case folding) and ZFS
 * (`formKC`) do, so it refuses some pairs that would be harmless; nobody needs both `ﬁle` and `file`.
 */
export function foldName(path: string): string {
  return path.normalize('NFKD').toLowerCase().toUpperCase().normalize('NFKC');
}

function refuse(code: ArchiveErrorCode, path: string, problem: string): ArchiveError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return hostile(code, `the path "${escapeForTerminal(shown)}" ${problem}`);
}
