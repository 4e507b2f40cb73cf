import { type DecodedPng, decode, encode } from 'fast-png';
import { encodeQR } from 'qr';
import { decodeQR } from 'qr/decode.js';
import { LedgerError } from './errors.ts';
import { malformedImage, safePng } from './png.ts';

/** Light modules around a code (ISO/IEC 18004 section 6.3.8). */
const QUIET_MODULES = 4;
/** Pixels a module: sharp on paper and on a screen. */
const SCALE = 4;
const [BLACK, WHITE] = [0, 255];
/** Time for reading a blurred picture; the library would give up after a sixtieth of a second. */
const READ_MILLISECONDS = 5000;

/** The modules of a code, quiet zone included; true is dark. @param text of the alphanumeric alphabet */
export function qrModules(text: string): boolean[][] {
  return encodeQR(text, 'raw', { ecc: 'medium', encoding: 'alphanumeric', border: QUIET_MODULES });
}

/** A code as a grey PNG. */
export function qrPng(text: string): Uint8Array {
  const modules = qrModules(text);
  const side = modules.length * SCALE;
  const data = new Uint8Array(side * side).fill(WHITE);
  modules.forEach((row, y) => {
    row.forEach((isDark, x) => {
      if (!isDark) return;
      for (let dy = 0; dy < SCALE; dy += 1) {
        const from = (y * SCALE + dy) * side + x * SCALE;
        data.fill(BLACK, from, from + SCALE);
      }
    });
  });
  return encode({ width: side, height: side, data, depth: 8, channels: 1 });
}

/**
 * The text of the code in a PNG image from anywhere.
 * @throws LedgerError IMAGE_MALFORMED, IMAGE_TOO_LARGE, or QR_UNREADABLE when there is no code in it
 */
export function readQrPng(png: Uint8Array): string {
  const image = decodeImage(safePng(png));
  const { width, height } = image;
  try {
    return decodeQR({ width, height, data: toRgba(image) }, { format: 'RGBA', timeLimit: READ_MILLISECONDS });
  } catch (cause) {
    const message =
      'no QR code can be read in this image; take it straight, sharp and with a light border, or carry the file';
    throw new LedgerError('QR_UNREADABLE', message, { cause, fault: 'untrusted' });
  }
}

function decodeImage(png: Uint8Array): DecodedPng {
  try {
    return decode(png, { checkCrc: true });
  } catch (cause) {
    throw malformedImage('it is damaged', cause);
  }
}

/** Four bytes a pixel from any PNG: grey or colours, palette, 1 to 16 bits, transparency shown on white. */
function toRgba({ width, height, data, depth, channels, palette }: DecodedPng): Uint8Array {
  const rgba = new Uint8Array(width * height * 4);
  const perRow = depth < 8 ? Math.ceil((width * channels * depth) / 8) : width * channels;
  const largest = depth === 16 ? 65_535 : 2 ** depth - 1;
  const sample = (y: number, i: number): number => {
    if (depth >= 8) return data[y * perRow + i] ?? 0;
    const bit = i * depth;
    return ((data[y * perRow + (bit >> 3)] ?? 0) >> (8 - depth - (bit & 7))) & largest;
  };
  const level = (value: number): number => Math.round((value * 255) / largest);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const first = sample(y, x * channels);
      const grey = level(first);
      const colour =
        palette !== undefined
          ? (palette[first] ?? [WHITE, WHITE, WHITE])
          : channels < 3
            ? [grey, grey, grey]
            : [grey, level(sample(y, x * channels + 1)), level(sample(y, x * channels + 2))];
      const alpha =
        palette === undefined && channels % 2 === 0 ? level(sample(y, (x + 1) * channels - 1)) : (colour[3] ?? 255);
      for (let i = 0; i < 3; i += 1) {
        rgba[(y * width + x) * 4 + i] = Math.round(((colour[i] ?? 0) * alpha + WHITE * (255 - alpha)) / 255);
      }
      rgba[(y * width + x) * 4 + 3] = 255;
    }
  }
  return rgba;
}
