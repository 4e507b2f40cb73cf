import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { utf8 } from '../../src/core/bytes.ts';
import type { Digest } from '../../src/core/digest.ts';
import { encodeEnvelope, parseEnvelope } from '../../src/core/dsse.ts';
import { CoreError } from '../../src/core/errors.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import type { BundleVerification } from '../../src/verify/bundle-verification.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import {
  day,
  expectRefused,
  judge,
  makeBundle,
  rootDocument,
  rootFile,
  type SampleBundle,
  signed,
} from '../support/trust.ts';

const bundle = makeBundle();
const first = rootFile(rootDocument());

/** The bundle with its statement changed and its signatures as they were. */
function tampered(change: Parameters<typeof makeBundle>[0]): SampleBundle {
  const [mine, other] = [bundle, makeBundle(change)].map(({ envelope }) =>
    parseEnvelope(envelope, BUNDLE_PAYLOAD_TYPE),
  );
  if (mine === undefined || other === undefined) throw new Error('both were made');
  return { ...makeBundle(change), envelope: encodeEnvelope({ ...other, signatures: mine.signatures }) };
}

describe('the envelope of a bundle', () => {
  const rootEnvelope = encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, parseRoot(first.bytes).envelope.payload, ['rules-a']));
  it.each([
    ['a root envelope', first.bytes, 'PAYLOAD_TYPE'],
    ['a root envelope that the rules keys signed', rootEnvelope, 'PAYLOAD_TYPE'],
    ['nothing', new Uint8Array(), 'ENVELOPE_MALFORMED'],
    ['a list', utf8('[]'), 'ENVELOPE_MALFORMED'],
    ['text in UTF-16', Uint8Array.of(0xff, 0xfe, 0x7b, 0x00), 'ENVELOPE_MALFORMED'],
    ['over a mebibyte', new Uint8Array(1024 * 1024 + 1), 'ENVELOPE_TOO_LARGE'],
    ['no signature', makeBundle({ signers: [] }).envelope, 'UNSIGNED'],
  ])('is refused when it is or has %s', (_what, envelope, code) =>
    expectRefused(judge({ ...bundle, envelope }), 'envelope', code),
  );

  describe('that quotes what an attacker wrote is refused in one short line that a terminal survives:', () => {
    const whole = { payload: '', payloadType: BUNDLE_PAYLOAD_TYPE, signatures: [] };
    it.each(['\u001b]0;owned\u0007', `\u202e${'a'.repeat(200)}`, 'x\ny'])('a type of %j', (payloadType) => {
      expectHarmless(refusing({ ...whole, payloadType }));
    });

    it.each([
      ['letters', 'a'],
      ['invisible tags', '\u{e0001}'],
      ['emoji, cut in the middle or not', '😀'],
    ])('a field name of half a megabyte of %s', (_what, character) => {
      for (const field of [character.repeat(50_000), `x${character.repeat(50_000)}`]) {
        const reason = expectHarmless(refusing({ ...whole, [field]: 1 }));
        expect(reason.length).toBeLessThan(1001);
      }
    });

    it('a container that says what it met', () => {
      const verification = judge(bundle);
      verification.containerRefused(new CoreError('KEY_MALFORMED', `\u001b[2J${'\u009b31m'.repeat(9999)}`));
      expectHarmless(verification);
    });

    const refusing = (json: object) => judge({ ...bundle, envelope: utf8(canonicalJson(json)) });
    function expectHarmless(verification: BundleVerification): string {
      const reason = verification.report('x').checks.find(({ status }) => status === 'fail')?.reason ?? '';
      // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
      expect(reason).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]|[\u{e0000}-\u{e007f}]/u);
      expect(reason.isWellFormed()).toBe(true);
      expect(reason.length).toBeLessThan(1100);
      return reason;
    }
  });
});

describe('a statement', () => {
  it.each([
    ['another index', { files: { a: 'b' } }],
    ['another channel', { statement: { channel: 'rules/windows' } }],
    ['a later end', { statement: { expires: day(900) } }],
    ['a higher seq', { statement: { seq: 2, prev: `sha256:${'ab'.repeat(32)}` as Digest } }],
  ])('changed after signing to %s is refused', (_what, change) =>
    expectRefused(judge(tampered(change)), 'signatures', 'NO_TRUSTED_SIGNATURE'),
  );

  it('is not parsed when no key of the root vouches for it', () => {
    const envelope = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, utf8('not even JSON'), ['stranger']));
    const verification = judge({ ...bundle, envelope });
    expectRefused(verification, 'signatures', 'NO_TRUSTED_SIGNATURE');
    expect(verification.statement).toBeUndefined();
  });

  const signedText = (text: string) => ({
    ...bundle,
    envelope: encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, utf8(text), ['rules-a', 'rules-b'])),
  });
  const payload = new TextDecoder().decode(parseEnvelope(bundle.envelope, BUNDLE_PAYLOAD_TYPE).payload);
  it.each([
    [
      'is a statement of another kind of thing',
      payload.replace('urn:daemoneye:bundle:v1', 'https://slsa.dev/provenance/v1'),
      'STATEMENT_MALFORMED',
    ],
    ['is of a kind that is not known', payload.replace('"kind":"rules"', '"kind":"hotfix"'), 'KIND_UNKNOWN'],
    ['is about another file', payload.replace('"name":"index.jsonl"', '"name":"other.jsonl"'), 'STATEMENT_MALFORMED'],
    ['has an unknown field', payload.replace('"kind"', '"extra":1,"kind"'), 'STATEMENT_MALFORMED'],
    ['is not canonical', ` ${payload}`, 'STATEMENT_MALFORMED'],
    ['is not JSON', 'rules', 'STATEMENT_MALFORMED'],
    ['is a trust root', canonicalJson(rootDocument()), 'STATEMENT_MALFORMED'],
  ])('that enough keys signed is refused when it %s', (_what, text, code) => {
    expect(text).not.toBe(payload);
    expectRefused(judge(signedText(text)), 'signatures', code);
  });
});
