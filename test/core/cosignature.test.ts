import { describe, expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/core/bytes.ts';
import { signCheckpoint, verifyCheckpoint } from '../../src/core/checkpoint.ts';
import { cosign, cosignatureNoteType, verifyCosignatures, witnessVerifierKey } from '../../src/core/cosignature.ts';
import { sha256 } from '../../src/core/digest.ts';
import { signWithKey } from '../../src/core/keys.ts';
import { encodeNote, noteKeyId, parseNote, type SignedNote } from '../../src/core/signed-note.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';

const [log, witness, other] = [testKey('log'), testKey('witness'), testKey('other')];
const origin = 'example.org/log';
const name = 'witness.example';
const TIME = Date.UTC(2026, 5, 1);
const noteOf = (size: number, hash: 'sha256' | 'blake3' = 'sha256'): SignedNote =>
  parseNote(signCheckpoint({ origin, size, root: sha256(utf8(`${size}`)) }, log, hash));

/** A cosignature line with any time, signed as it should be. */
function forged(note: SignedNote, seconds: bigint, key = witness): SignedNote {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, seconds);
  const signature = signWithKey(key, utf8(`cosignature/v1\ntime ${seconds}\n${note.text}`));
  const id = noteKeyId(name, cosignatureNoteType('sha256'), witness.publicKey);
  return { ...note, signatures: [...note.signatures, { name, id, signature: Buffer.concat([time, signature]) }] };
}

describe('a cosignature', () => {
  it('reads as C2SP has it, beside the signature of the log', () => {
    const bytes = encodeNote(cosign(noteOf(7), name, witness, 'sha256', TIME + 999));
    const note = parseNote(bytes);
    expect(verifyCheckpoint(bytes, { key: log.publicKey, hash: 'sha256', origin }).size).toBe(7);
    expect(verifyCosignatures(note, [other.publicKey, witness.publicKey], 'sha256')).toEqual([
      { name, key: witness.publicKey, time: '2026-06-01T00:00:00.000Z' },
    ]);
    expect(note.signatures[1]?.id).toEqual(
      sha256(Buffer.concat([utf8(`${name}\n\x04`), witness.publicKey.raw])).slice(0, 4),
    );
    expect(bytes).toEqual(encodeNote(forged(noteOf(7), BigInt(TIME / 1000))));
    expect(decodeUtf8(bytes).split('\n')).toHaveLength(7);
    expect(witnessVerifierKey(name, witness.publicKey)).toMatch(/^witness\.example\+[0-9a-f]{8}\+B[A-Za-z0-9+/]+=*$/);
  });

  it('replaces an earlier one of the same witness, and stands beside those of others', () => {
    const once = cosign(noteOf(7), name, witness, 'sha256', TIME);
    const twice = cosign(once, name, witness, 'sha256', TIME + 5000);
    const both = cosign(twice, name, other, 'sha256', TIME);
    expect([once, twice, both].map(({ signatures }) => signatures.length)).toEqual([2, 2, 3]);
    const times = verifyCosignatures(both, [witness.publicKey, other.publicKey], 'sha256').map(({ time }) => time);
    expect(times).toEqual(['2026-06-01T00:00:05.000Z', '2026-06-01T00:00:00.000Z']);
  });

  it('of an unknown key says nothing', () => {
    expect(verifyCosignatures(cosign(noteOf(7), name, witness, 'sha256', TIME), [other.publicKey], 'sha256')).toEqual(
      [],
    );
    expect(verifyCosignatures(noteOf(7), [witness.publicKey], 'sha256')).toEqual([]);
  });
});

describe('an attacker', () => {
  const known = [witness.publicKey];
  const line = (note: SignedNote) => note.signatures.slice(1);

  it('who puts a cosignature under another checkpoint is refused', () => {
    const replayed = {
      ...noteOf(8),
      signatures: [...noteOf(8).signatures, ...line(cosign(noteOf(7), name, witness, 'sha256', TIME))],
    };
    expectCode(() => verifyCosignatures(replayed, known, 'sha256'), 'NOTE_SIGNATURE');
  });

  it('who gives the line of one hash out for the other is refused', () => {
    const [ours] = line(cosign(noteOf(7, 'blake3'), name, witness, 'blake3', TIME));
    const id = noteKeyId(name, cosignatureNoteType('sha256'), witness.publicKey);
    const relabelled = {
      ...noteOf(7),
      signatures: [...noteOf(7).signatures, { ...ours, name, id, signature: ours?.signature as Uint8Array }],
    };
    expectCode(() => verifyCosignatures(relabelled, known, 'sha256'), 'NOTE_SIGNATURE');
    expect(verifyCosignatures(cosign(noteOf(7, 'blake3'), name, witness, 'blake3', TIME), known, 'sha256')).toEqual([]);
  });

  it('who changes the time, the name or the length is refused', () => {
    const note = cosign(noteOf(7), name, witness, 'sha256', TIME);
    const changed = (change: (signature: Uint8Array) => Uint8Array): SignedNote => ({
      ...note,
      signatures: note.signatures.map((one) =>
        one.name === name ? { ...one, signature: change(one.signature) } : one,
      ),
    });
    expectCode(
      () =>
        verifyCosignatures(
          changed((bytes) => bytes.with(7, 1)),
          known,
          'sha256',
        ),
      'NOTE_SIGNATURE',
    );
    expectCode(
      () =>
        verifyCosignatures(
          changed((bytes) => bytes.slice(8)),
          known,
          'sha256',
        ),
      'COSIGNATURE_MALFORMED',
    );
    expectCode(() => verifyCosignatures(forged(noteOf(7), 5n, other), known, 'sha256'), 'NOTE_SIGNATURE');
    const renamed = { ...note, signatures: note.signatures.map((one) => ({ ...one, name: 'x' })) };
    expect(verifyCosignatures(renamed, known, 'sha256')).toEqual([]);
  });

  it.each([0n, 253_402_300_800n, 2n ** 63n, 2n ** 64n - 1n])(
    'who has a witness state the time %s is refused',
    (seconds) => {
      expectCode(() => verifyCosignatures(forged(noteOf(7), seconds), known, 'sha256'), 'COSIGNATURE_TIME');
    },
  );

  it('gets no cosignature at such a time, or under such a name', () => {
    expectCode(() => cosign(noteOf(7), name, witness, 'sha256', 0), 'COSIGNATURE_TIME');
    expectCode(() => cosign(noteOf(7), 'two words', witness, 'sha256', TIME), 'NOTE_MALFORMED');
  });
});
