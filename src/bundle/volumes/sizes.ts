import { escapeForTerminal } from '../../core/terminal-text.ts';
import { BundleError } from '../errors.ts';

/** What the file system of a disc takes for itself, generously. */
const DISC = 4 * 2 ** 20;

/** The largest file that fits on a medium of this name, in bytes. */
export const MEDIA: Readonly<Record<string, number>> = {
  /** The largest file that FAT32 can hold. */
  fat32: 4 * 2 ** 30 - 1,
  /** 360,000 sectors of 2048 bytes: the 80-minute disc. */
  cd: 360_000 * 2048 - DISC,
  /** DVD+R and DVD-R differ; the smaller of the two. */
  dvd: 2_295_104 * 2048 - DISC,
  /** Two layers; DVD-R DL, the smaller. */
  'dvd-dl': 4_171_712 * 2048 - DISC,
  /** BD-R. */
  bd: 12_219_392 * 2048 - DISC,
};

const UNITS: Readonly<Record<string, number>> = {
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const SIZE = /^([1-9][0-9]{0,12})([KMGT](?:i?B)?)?$/;

/**
 * A size as `split` of coreutils takes it (650M is 650 · 2^20 bytes, 650MB 650 · 10^6), or the name of a medium.
 * @returns bytes
 * @throws BundleError SPLIT_SIZE
 */
export function parseMediaSize(text: string): number {
  const named = Object.hasOwn(MEDIA, text) ? MEDIA[text] : undefined;
  if (named !== undefined) return named;
  const [, digits, unit] = SIZE.exec(text) ?? [];
  const bytes = Number(digits) * (unit === undefined ? 1 : (UNITS[unit] ?? Number.NaN));
  if (Number.isSafeInteger(bytes)) return bytes;
  const names = Object.keys(MEDIA).join(', ');
  const message = `"${escapeForTerminal(text)}" is not a size: say 650M (of 1024), 650MB (of 1000) or one of ${names}`;
  throw new BundleError('SPLIT_SIZE', message, { fault: 'usage' });
}
