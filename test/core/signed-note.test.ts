import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeBase64, encodeHex, utf8 } from '../../src/core/bytes.ts';
import { ed25519Spki } from '../../src/core/ed25519.ts';
import { publicKeyFromSpki } from '../../src/core/keys.ts';
import {
  ed25519NoteVerifier,
  encodeNote,
  isNoteName,
  MAX_NOTE_BYTES,
  MAX_NOTE_SIGNATURES,
  noteKeyId,
  parseNote,
  signNote,
  verifyNote,
} from '../../src/core/signed-note.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';

const [alice, bob] = [testKey('alice'), testKey('bob')];
const name = 'example.org/log';
const known = ed25519NoteVerifier(name, alice.publicKey);
const text = 'first line\n\nthird line\n';
const note = signNote({ text, signatures: [] }, name, alice);

describe('a signed note', () => {
  it('verifies as Go writes it: the example of golang.org/x/mod/sumdb/note', () => {
    // PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW
    const key = Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64');
    expect(key[0]).toBe(0x01);
    const peter = ed25519NoteVerifier('PeterNeumann', publicKeyFromSpki(ed25519Spki(new Uint8Array(key.subarray(1)))));
    expect(encodeHex(peter.id)).toBe('c74f20a3');
    const bytes = utf8(
      'If you think cryptography is the answer to your problem,\n' +
        "then you don't know what your problem is.\n\n" +
        '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
    );
    expect(verifyNote(parseNote(bytes), [peter])).toEqual([peter]);
    expect(encodeNote(parseNote(bytes))).toEqual(bytes);
  });

  it('round-trips, empty lines in the text included', () => {
    const bytes = encodeNote(note);
    expect(parseNote(bytes)).toEqual(note);
    expect(verifyNote(parseNote(bytes), [known])).toEqual([known]);
  });

  it('keeps the signatures of others, and renews its own', () => {
    const both = signNote(signNote(note, 'witness.example', bob), name, alice);
    expect(both.signatures).toHaveLength(2);
    const witness = ed25519NoteVerifier('witness.example', bob.publicKey);
    expect(verifyNote(both, [known, witness])).toEqual([known, witness]);
  });

  it('takes key ids from name, type and key', () => {
    const id = noteKeyId(name, Uint8Array.of(1), alice.publicKey);
    expect(noteKeyId(`${name}x`, Uint8Array.of(1), alice.publicKey)).not.toEqual(id);
    expect(noteKeyId(name, Uint8Array.of(2), alice.publicKey)).not.toEqual(id);
    expect(noteKeyId(name, Uint8Array.of(1), bob.publicKey)).not.toEqual(id);
  });
});

describe('who signed', () => {
  it('unknown keys are ignored, also under a known name or a known id', () => {
    const sameName = signNote(note, name, bob);
    expect(verifyNote(sameName, [known])).toEqual([known]);
    const junk = new Uint8Array(64);
    const sameId = { ...note, signatures: [...note.signatures, { name: 'other', id: known.id, signature: junk }] };
    expect(verifyNote(sameId, [known])).toEqual([known]);
  });

  it('nobody known: refused', () => {
    expectCode(() => verifyNote(note, []), 'NOTE_SIGNATURE');
    expectCode(() => verifyNote(note, [ed25519NoteVerifier(name, bob.publicKey)]), 'NOTE_SIGNATURE');
    expectCode(() => verifyNote(note, [ed25519NoteVerifier('other', alice.publicKey)]), 'NOTE_SIGNATURE');
  });

  it("a known key's bad signature rejects the note, though another one is good", () => {
    const [good] = note.signatures;
    const bad = { name, id: known.id, signature: new Uint8Array(64) };
    expectCode(() => verifyNote({ text, signatures: [good as typeof bad, bad] }, [known]), 'NOTE_SIGNATURE');
    const witness = ed25519NoteVerifier('w', bob.publicKey);
    const mixed = { text, signatures: [good as typeof bad, { ...bad, name: 'w', id: witness.id }] };
    expectCode(() => verifyNote(mixed, [known, witness]), 'NOTE_SIGNATURE');
  });

  it('a signature is over exactly this text', () => {
    expectCode(() => verifyNote({ ...note, text: `${text}more\n` }, [known]), 'NOTE_SIGNATURE');
  });
});

describe('what is not a note', () => {
  const sig = `— ${name} ${encodeBase64(new Uint8Array(68))}\n`;

  it.each([
    ['nothing', ''],
    ['no signatures', 'text\n'],
    ['no signature after the gap', 'text\n\n'],
    ['no gap', `text\n${sig}`],
    ['no newline at the end', `text\n\n${sig.trimEnd()}`],
    ['a hyphen for the dash', `text\n\n${sig.replace('—', '-')}`],
    ['two spaces', `text\n\n${sig.replace(' ', '  ')}`],
    ['no name', `text\n\n— ${encodeBase64(new Uint8Array(68))}\n`],
    ['a plus in the name', `text\n\n${sig.replace('example', 'exam+ple')}`],
    ['a no-break space in the name', `text\n\n${sig.replace('example', 'exam\u00a0ple')}`],
    ['an ideographic space in the name', `text\n\n${sig.replace('example', 'exam\u3000ple')}`],
    ['base64 without padding', `text\n\n— ${name} ${encodeBase64(new Uint8Array(68)).replace(/=+$/, '')}\n`],
    ['base64 with spare bits', `text\n\n— ${name} ${encodeBase64(new Uint8Array(68)).replace('A=', 'B=')}\n`],
    ['a signature of nothing', `text\n\n— ${name} ${encodeBase64(new Uint8Array(4))}\n`],
    ['a carriage return', `text\r\n\n${sig}`],
    ['a tab', `te\txt\n\n${sig}`],
    ['a NUL', `te\0xt\n\n${sig}`],
    ['an escape', `te\u001bxt\n\n${sig}`],
    ['something after the signatures', `text\n\n${sig}more\n`],
    ['33 signatures', `text\n\n${sig.repeat(MAX_NOTE_SIGNATURES + 1)}`],
  ])('%s', (_, noted) => {
    expectCode(() => parseNote(utf8(noted)), 'NOTE_MALFORMED');
  });

  it('32 signatures are fine', () => {
    expect(parseNote(utf8(`text\n\n${sig.repeat(MAX_NOTE_SIGNATURES)}`)).signatures).toHaveLength(MAX_NOTE_SIGNATURES);
  });

  it('malformed UTF-8, and more bytes than anybody needs', () => {
    expectCode(() => parseNote(concatBytes(Uint8Array.of(0xff), utf8(`text\n\n${sig}`))), 'NOTE_MALFORMED');
    expectCode(() => parseNote(utf8(`${'x'.repeat(MAX_NOTE_BYTES)}\n\n${sig}`)), 'NOTE_MALFORMED');
  });

  it('is not signed either', () => {
    for (const bad of ['no newline', 'tab\t\n', 'cr\r\n', '\ud800\n']) {
      expectCode(() => signNote({ text: bad, signatures: [] }, name, alice), 'NOTE_MALFORMED');
    }
    for (const bad of ['', 'a b', 'a+b', 'a\nb', 'a\u2003b', 'a\u0007b', '\ud800']) {
      expect(isNoteName(bad)).toBe(false);
      expectCode(() => signNote(note, bad, alice), 'NOTE_MALFORMED');
    }
  });
});

describe('an attacker who changes one bit', () => {
  it('anywhere in a note with one signature is refused', () => {
    const bytes = encodeNote(note);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] as number) ^ (1 << bit);
        expect(() => verifyNote(parseNote(changed), [known])).toThrowError(/signed note/);
      }),
      { numRuns: runs(500, 20_000) },
    );
  });

  it('gets one reading of any bytes: what parses encodes to the same bytes', () => {
    const piece = fc.oneof(fc.constantFrom('\n', '\n\n', '— ', ' ', 'a', 'AAAAAAA=', 'x+y'), fc.string());
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const bytes = utf8(pieces.join(''));
        try {
          expect(encodeNote(parseNote(bytes))).toEqual(bytes);
        } catch (error) {
          expect(error).toHaveProperty('code', 'NOTE_MALFORMED');
        }
      }),
      { numRuns: runs(500, 50_000) },
    );
  });
});
