import { crc32, deflateRawSync, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { decode, encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { renderQr } from '../../src/cli/render/qr.ts';
import { concatBytes, encodeBase64, utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { safePng } from '../../src/ledger/png.ts';
import { encodeFrames, joinFrames, readCarried } from '../../src/ledger/qr-frames.ts';
import { qrModules, qrPng, readQrPng } from '../../src/ledger/qr-image.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

/** As a request is: a proof of so many hashes and a checkpoint. */
function requestLike(hashes: number, seed = ''): Uint8Array {
  const proof = Array.from({ length: hashes }, (_, i) => `${encodeBase64(sha256(utf8(`${seed}${i}`)))}\n`);
  return utf8(
    `old 123456\n${proof.join('')}\nexample.org/host/log\n1234567\n${proof[0] ?? ''}\n\u2014 example.org/host/log x\n`,
  );
}

describe('frames', () => {
  it('carry any document, in any order, pasted with any white space', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 8000 }), fc.boolean(), (document, reverse) => {
        const frames = encodeFrames(document);
        for (const frame of frames) expect(frame).toMatch(/^[A-Z0-9:]{1,1450}$/);
        const read = joinFrames([(reverse ? [...frames, ...frames].reverse() : frames).join(' \r\n\t')]);
        expect(Buffer.compare(read, document)).toBe(0);
      }),
      { numRuns: runs(60, 2000) },
    );
  });

  it('one holds a request of 19 hashes', () => {
    expect([0, 19, 20, 53].map((hashes) => encodeFrames(requestLike(hashes)).length)).toEqual([1, 1, 1, 3]);
    expectCode(() => encodeFrames(new Uint8Array(70_000)), 'QR_TOO_LONG');
  });

  it('are told from a document by their beginning', () => {
    const document = requestLike(3);
    const none = () => expect.unreachable();
    expect(readCarried([document], none)).toBe(document);
    expect(readCarried([utf8(`\n ${encodeFrames(document).join('\n')}\n`)], none)).toEqual(document);
    const [first = '', second = ''] = encodeFrames(requestLike(40));
    expect(readCarried([utf8(second), qrPng(first)], () => first)).toEqual(requestLike(40));
  });
});

describe('an attacker with frames', () => {
  const [a1 = '', a2 = ''] = encodeFrames(requestLike(30, 'a'));
  const [b1 = '', b2 = ''] = encodeFrames(requestLike(30, 'b'));

  it('who mixes those of two requests is refused', () => {
    expectCode(() => joinFrames([a1, b2]), 'QR_MIXED');
    expectCode(() => joinFrames([a1, a2, b1]), 'QR_MIXED');
    expectCode(() => joinFrames([a1, a2.replace(':2:2:', ':1:2:')]), 'QR_MIXED');
    expectCode(() => joinFrames([a1, b2.replace(/^DEYE1:[^:]+/, a1.slice(0, 26))]), 'QR_MALFORMED');
    expectCode(() => joinFrames([a2.replace(':2:2:', ':1:2:'), a1.replace(':1:2:', ':2:2:')]), 'QR_MALFORMED');
  });

  it('who leaves one out is refused', () => {
    expectCode(() => joinFrames([a1]), 'QR_INCOMPLETE');
    expectCode(() => joinFrames([a2, a2]), 'QR_INCOMPLETE');
    expectCode(() => joinFrames([' \n']), 'QR_MALFORMED');
  });

  it.each([
    ['other text', 'https://example.com'],
    ['lower case', a1.toLowerCase()],
    ['another version', a1.replace('DEYE1', 'DEYE2')],
    ['number 3 of 2', a1.replace(':1:2:', ':3:2:')],
    ['number 0', a1.replace(':1:2:', ':0:2:')],
    ['99 frames', a1.replace(':1:2:', ':1:99:')],
    ['no data', a1.replace(/:[^:]+$/, ':')],
    ['a control character', `${a1}\x1b`],
  ])('who sends %s is refused', (_, text) => {
    expectCode(() => joinFrames([text, a2]), 'QR_MALFORMED');
  });

  it('who sends a deflate bomb is refused', () => {
    const bomb = new Uint8Array(deflateRawSync(Buffer.alloc(1_000_000), { level: 9 }));
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
    const bits = [...bomb].map((byte) => byte.toString(2).padStart(8, '0')).join('');
    const base32 = (bits.match(/.{1,5}/g) ?? [])
      .map((five) => alphabet[Number.parseInt(five.padEnd(5, '0'), 2)])
      .join('');
    expectCode(() => joinFrames([`DEYE1:${'A'.repeat(20)}:1:1:${base32}`]), 'QR_MALFORMED');
  });

  it('who hands over bytes that are neither text nor an image, or too many, is refused', () => {
    const read = (...inputs: Uint8Array[]) => readCarried(inputs, () => a1);
    expectCode(() => read(utf8(a1), Uint8Array.of(0xff, 0xfe)), 'QR_MALFORMED');
    expectCode(() => read(utf8(`${a1}\n`.repeat(200))), 'QR_MALFORMED');
    expectCode(() => read(), 'QR_MALFORMED');
    expectCode(() => read(requestLike(1), requestLike(1)), 'QR_MALFORMED');
  });
});

describe('a code', () => {
  const [frame = ''] = encodeFrames(requestLike(12));

  it('goes onto a PNG and back', () => {
    expect(readQrPng(qrPng(frame))).toBe(frame);
  });

  it('is read from any kind of PNG', () => {
    const { width, height, data } = decode(qrPng(frame));
    const pixels = [...data];
    const wide = (channels: number, of: (grey: number) => number[]) =>
      encode({ width, height, channels, depth: 8, data: Uint8Array.from(pixels.flatMap(of)) });
    expect(readQrPng(wide(3, (grey) => [grey, grey, Math.max(grey, 90)]))).toBe(frame);
    // Dark modules transparent black would show white: only where alpha says so is there anything.
    expect(readQrPng(wide(2, (grey) => [0, 255 - grey]))).toBe(frame);
    expect(readQrPng(wide(4, (grey) => [grey, grey, grey, 255]))).toBe(frame);
    const deep = encode({
      width,
      height,
      channels: 1,
      depth: 16,
      data: Uint16Array.from(pixels.map((grey) => grey * 257)),
    });
    expect(readQrPng(deep)).toBe(frame);
    expect(readQrPng(bitPng(width, height, pixels))).toBe(frame);
    expect(readQrPng(bitPng(width, height, pixels, [250, 250, 250, 5, 5, 40]))).toBe(frame);
  });

  it('is drawn on a terminal two rows a line, and can be read off it', () => {
    const modules = qrModules(frame);
    const lines = renderQr(modules).split('\n');
    expect(lines).toHaveLength(Math.ceil(modules.length / 2));
    const light = (character: string) => ({ upper: '▀█'.includes(character), lower: '▄█'.includes(character) });
    const read = lines.flatMap((line) => [
      [...line].map((c) => !light(c).upper),
      [...line].map((c) => !light(c).lower),
    ]);
    expect(read.slice(0, modules.length)).toEqual(modules);
    expect(lines.join('')).toMatch(/^[ ▀▄█]+$/u);
  });
});

describe('an image from anywhere', () => {
  const png = qrPng('DEYE1');

  it('without a code is refused', () => {
    const blank = encode({ width: 64, height: 64, channels: 1, depth: 8, data: new Uint8Array(64 * 64).fill(255) });
    expectCode(() => readQrPng(blank), 'QR_UNREADABLE');
  });

  it('with dimensions that would fill the memory is refused before they do', () => {
    for (const [width, height] of [
      [0x7fffffff, 0x7fffffff],
      [8193, 1],
      [1, 8193],
      [8192, 8192],
    ] as const) {
      expectCode(() => safePng(rawPng(header(width, height), deflateSync(new Uint8Array(10)))), 'IMAGE_TOO_LARGE');
    }
    expectCode(() => safePng(rawPng(header(0, 4), deflateSync(new Uint8Array(10)))), 'IMAGE_MALFORMED');
  });

  it('whose pixels inflate to more than it says is refused', () => {
    expectCode(() => safePng(rawPng(header(8, 8), deflateSync(new Uint8Array(5_000_000)))), 'IMAGE_MALFORMED');
    const two = concatBytes(
      rawPng(header(8, 8), deflateSync(new Uint8Array(72))).subarray(0, -12),
      chunk('IHDR', header(9000, 9000)),
      chunk('IEND'),
    );
    expectCode(() => safePng(two), 'IMAGE_MALFORMED');
  });

  it('gets its comments and profiles, deflated again, taken out', () => {
    const bomb = concatBytes(utf8('x\0\0'), deflateSync(new Uint8Array(5_000_000)));
    const end = png.length - 12;
    const loaded = concatBytes(png.subarray(0, end), chunk('iCCP', bomb), chunk('zTXt', bomb), png.subarray(end));
    expect(safePng(loaded)).toEqual(Uint8Array.from(png));
    expect(readQrPng(loaded)).toBe('DEYE1');
  });

  it('cut short or changed anywhere is refused with a code of ours, or still reads the same', () => {
    for (const at of [8, 20, 33, 60, png.length - 13, png.length - 1]) {
      expectCode(() => readQrPng(png.slice(0, at)), 'IMAGE_MALFORMED');
    }
    const codes = new Set<unknown>();
    fc.assert(
      fc.property(fc.nat({ max: png.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        try {
          expect(readQrPng(png.with(at, (png[at] ?? 0) ^ (1 << bit)))).toBe('DEYE1');
        } catch (thrown) {
          codes.add((thrown as { code?: unknown }).code);
        }
      }),
      { numRuns: runs(80, 3000) },
    );
    for (const code of codes) expect(['IMAGE_MALFORMED', 'IMAGE_TOO_LARGE', 'QR_UNREADABLE']).toContain(code);
    expect(codes).toContain('IMAGE_MALFORMED');
  });
});

function chunk(type: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const body = concatBytes(utf8(type), data);
  const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  crc.writeUInt32BE(crc32(body));
  return concatBytes(length, body, crc);
}

function header(width: number, height: number, depth = 8, colourType = 0): Uint8Array {
  const bytes = Buffer.alloc(13);
  bytes.writeUInt32BE(width, 0);
  bytes.writeUInt32BE(height, 4);
  bytes[8] = depth;
  bytes[9] = colourType;
  return bytes;
}

function rawPng(head: Uint8Array, data: Uint8Array, palette?: Uint8Array): Uint8Array {
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const colours = palette === undefined ? [] : [chunk('PLTE', palette)];
  return concatBytes(signature, chunk('IHDR', head), ...colours, chunk('IDAT', data), chunk('IEND'));
}

/** One bit a pixel: grey, or with a palette (its first colour for light pixels). */
function bitPng(width: number, height: number, pixels: readonly number[], palette?: readonly number[]): Uint8Array {
  const perRow = Math.ceil(width / 8) + 1;
  const rows = new Uint8Array(perRow * height);
  pixels.forEach((grey, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const isSet = palette === undefined ? grey > 127 : grey <= 127;
    if (isSet) rows[y * perRow + 1 + (x >> 3)] = (rows[y * perRow + 1 + (x >> 3)] ?? 0) | (0x80 >> (x & 7));
  });
  const colours = palette === undefined ? undefined : Uint8Array.from(palette);
  return rawPng(header(width, height, 1, palette === undefined ? 0 : 3), deflateSync(rows), colours);
}
