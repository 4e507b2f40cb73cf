import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../../src/bundle/format.ts';
import { utf8 } from '../../../src/core/bytes.ts';
import { encodeEnvelope } from '../../../src/core/dsse.ts';
import { checkEnvelope } from '../../../src/verify/checks/envelope.ts';
import { expectCode } from '../../support/expect-code.ts';
import { signed } from '../../support/trust.ts';

const of = (type: string, ...signers: readonly string[]) => encodeEnvelope(signed(type, utf8('no JSON'), signers));

describe('the envelope', () => {
  it('passes with one signature or more, its payload not looked at', () => {
    expect(checkEnvelope(of(BUNDLE_PAYLOAD_TYPE, 'a')).reason).toBe('DSSE envelope with 1 signature');
    const { envelope, reason } = checkEnvelope(of(BUNDLE_PAYLOAD_TYPE, 'a', 'b'));
    expect(reason).toBe('DSSE envelope with 2 signatures');
    expect(envelope.payload).toEqual(utf8('no JSON'));
  });

  it.each([
    ['UNSIGNED', 'no signature', of(BUNDLE_PAYLOAD_TYPE)],
    ['PAYLOAD_TYPE', 'another type', of(ROOT_PAYLOAD_TYPE, 'a')],
    ['ENVELOPE_MALFORMED', 'no envelope', utf8('{}')],
    ['ENVELOPE_TOO_LARGE', 'too much', new Uint8Array(1024 * 1024 + 1)],
  ])('is refused: %s, %s', (code, _what, bytes) => expectCode(() => checkEnvelope(bytes), code));
});
