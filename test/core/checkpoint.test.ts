import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeBase64, encodeHex, utf8 } from '../../src/core/bytes.ts';
import {
  checkpointNoteType,
  formatCheckpoint,
  parseCheckpoint,
  parseDecimal,
  signCheckpoint,
  verifyCheckpoint,
} from '../../src/core/checkpoint.ts';
import { encodeNote, parseNote, signNote } from '../../src/core/signed-note.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';

const key = testKey('log');
const origin = 'daemoneye.example/host/log';
const root = new Uint8Array(32).fill(7);
const checkpoint = { origin, size: 20_852_163, root };

describe('a checkpoint', () => {
  it('reads as C2SP has it', () => {
    const note = decodeUtf8(signCheckpoint(checkpoint, key, 'sha256'));
    const lines = note.split('\n');
    expect(lines.slice(0, 4)).toEqual([origin, '20852163', encodeBase64(root), '']);
    expect(lines[4]).toMatch(/^— daemoneye\.example\/host\/log [A-Za-z0-9+/]{91}=$/);
    expect(lines.slice(5)).toEqual(['']);
  });

  it.each(['sha256', 'blake3'] as const)('round-trips, signed (%s)', (hash) => {
    const note = signCheckpoint(checkpoint, key, hash);
    expect(verifyCheckpoint(note, { key: key.publicKey, hash, origin })).toEqual(checkpoint);
    expect(verifyCheckpoint(note, { key: key.publicKey, hash })).toEqual(checkpoint);
  });

  it('has key ids that anybody can compute', () => {
    const idOf = (hash: 'sha256' | 'blake3') => parseNote(signCheckpoint(checkpoint, key, hash)).signatures[0]?.id;
    const plain = createHash('sha256')
      .update(`${origin}\n`)
      .update(Uint8Array.of(1))
      .update(key.publicKey.raw)
      .digest();
    expect(idOf('sha256')).toEqual(new Uint8Array(plain.subarray(0, 4)));
    const ours = createHash('sha256').update(`${origin}\n`).update(Uint8Array.of(0xff));
    ours.update('daemoneye-blake3-checkpoint-v1').update(key.publicKey.raw);
    expect(idOf('blake3')).toEqual(new Uint8Array(ours.digest().subarray(0, 4)));
    expect(encodeHex(checkpointNoteType('blake3')).slice(0, 2)).toBe('ff');
  });

  it('accepts cosignatures beside', () => {
    const cosigned = signNote(parseNote(signCheckpoint(checkpoint, key, 'sha256')), 'witness', testKey('witness'));
    expect(verifyCheckpoint(encodeNote(cosigned), { key: key.publicKey, hash: 'sha256' })).toEqual(checkpoint);
  });
});

describe('a checkpoint that is not of this log', () => {
  const note = signCheckpoint(checkpoint, key, 'blake3');

  it('is refused, whatever differs', () => {
    const trust = { key: key.publicKey, hash: 'blake3', origin } as const;
    expectCode(() => verifyCheckpoint(note, { ...trust, hash: 'sha256' }), 'NOTE_SIGNATURE');
    expectCode(() => verifyCheckpoint(note, { ...trust, key: testKey('other').publicKey }), 'NOTE_SIGNATURE');
    expectCode(() => verifyCheckpoint(note, { ...trust, origin: `${origin}2` }), 'CHECKPOINT_ORIGIN');
  });

  it('is refused when another name than the origin signed it', () => {
    const misnamed = signNote({ text: formatCheckpoint(checkpoint), signatures: [] }, 'other', key);
    expectCode(
      () => verifyCheckpoint(encodeNote(misnamed), { key: key.publicKey, hash: 'sha256', origin }),
      'NOTE_SIGNATURE',
    );
  });
});

describe('what is not a checkpoint', () => {
  const base64 = encodeBase64(root);

  it.each([
    ['nothing', ''],
    ['no root', `${origin}\n5\n`],
    ['no newline at the end', `${origin}\n5\n${base64}`],
    ['an extension line', `${origin}\n5\n${base64}\nmore\n`],
    ['an empty line', `${origin}\n5\n${base64}\n\n`],
    ['an empty origin', `\n5\n${base64}\n`],
    ['a space in the origin', `a b\n5\n${base64}\n`],
    ['a plus in the origin', `a+b\n5\n${base64}\n`],
    ['a leading zero', `${origin}\n05\n${base64}\n`],
    ['a sign', `${origin}\n+5\n${base64}\n`],
    ['a minus', `${origin}\n-5\n${base64}\n`],
    ['hex', `${origin}\n0x5\n${base64}\n`],
    ['an exponent', `${origin}\n1e3\n${base64}\n`],
    ['a size over 2^53', `${origin}\n9007199254740992\n${base64}\n`],
    ['a short root', `${origin}\n5\n${encodeBase64(root.slice(1))}\n`],
    ['a long root', `${origin}\n5\n${encodeBase64(new Uint8Array(33))}\n`],
    ['a root that is not base64', `${origin}\n5\n${'*'.repeat(44)}\n`],
    ['other digits', `${origin}\n٥\n${base64}\n`],
  ])('%s', (_, text) => {
    expectCode(() => parseCheckpoint(text), 'CHECKPOINT_MALFORMED');
  });

  it('is never signed', () => {
    for (const bad of [
      { origin: 'a b' },
      { size: -1 },
      { size: 0.5 },
      { size: 2 ** 53 },
      { root: new Uint8Array(31) },
    ]) {
      expectCode(() => signCheckpoint({ ...checkpoint, ...bad }, key, 'sha256'), 'CHECKPOINT_MALFORMED');
    }
  });

  it('signed by the right key, is still refused', () => {
    const note = signNote({ text: `${origin}\n5\n${base64}\nextension\n`, signatures: [] }, origin, key);
    expectCode(
      () => verifyCheckpoint(encodeNote(note), { key: key.publicKey, hash: 'sha256' }),
      'CHECKPOINT_MALFORMED',
    );
    expectCode(() => verifyCheckpoint(utf8('junk'), { key: key.publicKey, hash: 'sha256' }), 'NOTE_MALFORMED');
  });
});

it('decimals have one spelling', () => {
  expect(parseDecimal('0')).toBe(0);
  expect(parseDecimal('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
  for (const bad of ['', '00', '01', ' 1', '1 ', '1.0', '-0', '9007199254740992', '1_000', '\n1', '1\n']) {
    expect(parseDecimal(bad)).toBeUndefined();
  }
});
