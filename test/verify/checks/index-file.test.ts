import { describe, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE } from '../../../src/bundle/format.ts';
import { encodeStatement, parseStatement } from '../../../src/bundle/statement.ts';
import { encodeHex, utf8 } from '../../../src/core/bytes.ts';
import { sha256 } from '../../../src/core/digest.ts';
import { encodeEnvelope, parseEnvelope } from '../../../src/core/dsse.ts';
import { canonicalJson } from '../../../src/core/jcs.ts';
import { expectRefused, judge, makeBundle, type SampleBundle, signed } from '../../support/trust.ts';

const bundle = makeBundle();

describe('the index of a bundle', () => {
  const { index } = bundle;
  it.each([
    ['with a byte changed', index.map((byte, i) => (i === 30 ? byte ^ 1 : byte))],
    ['with a byte more', new Uint8Array([...index, 0x0a])],
    ['with a byte less', index.subarray(0, -1)],
    ['with a line twice', new Uint8Array([...index, ...index])],
    ['empty', new Uint8Array()],
    ['of another bundle', makeBundle({ files: { a: 'b' } }).index],
  ])('is refused %s', (_what, bytes) => expectRefused(judge({ ...bundle, index: bytes }), 'index', 'INDEX_MISMATCH'));

  /** Signers who are deceived, or in it: the index is the one they signed, and it is wrong. */
  const indexOf = (text: string, lines: number, bytes: number) => {
    const statement = { ...parseStatementOf(bundle), bytes };
    const digest = encodeHex(sha256(utf8(text)));
    const payload = encodeStatement({ ...statement, index: { sha256: digest, size: text.length, lines } });
    const envelope = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, payload, ['rules-a', 'rules-b']));
    return { ...bundle, envelope, index: utf8(text) };
  };
  const line = (path: string, size = 1) =>
    `${canonicalJson({ path, mode: '0644', size, sha256: encodeHex(sha256(utf8(path))) })}\n`;
  it.each([
    ['more lines than the statement says', line('a') + line('b'), 1, 2, 'INDEX_COUNT'],
    ['fewer lines', line('a'), 2, 1, 'INDEX_COUNT'],
    ['more bytes', line('a', 7), 1, 6, 'INDEX_SIZE'],
    ['lines out of order', line('b') + line('a'), 2, 2, 'INDEX_ORDER'],
    ['a path twice', line('a') + line('a'), 2, 2, 'INDEX_ORDER'],
    ['a path that climbs out', line('a/../../b'), 1, 1, 'PATH_TRAVERSAL'],
    ['an absolute path', line('/etc/passwd'), 1, 1, 'PATH_ABSOLUTE'],
    ['two paths that are one on other systems', line('README') + line('readme'), 2, 2, 'PATH_TWIN'],
    ['a line that is no object', '1\n', 1, 1, 'INDEX_MALFORMED'],
    ['no newline at its end', line('a').trimEnd(), 1, 1, 'INDEX_MALFORMED'],
    ['one blob with two sizes', line('a') + line('a', 2).replace('"path":"a"', '"path":"b"'), 2, 3, 'INDEX_BLOB_SIZES'],
  ])('is refused with %s, though signed', (_what, text, lines, bytes, code) =>
    expectRefused(judge(indexOf(text, lines, bytes)), 'index', code),
  );

  it('is refused when the size that was signed is not its own', () => {
    const statement = parseStatementOf(bundle);
    const payload = encodeStatement({ ...statement, index: { ...statement.index, size: index.length + 1 } });
    const envelope = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, payload, ['rules-a', 'rules-b']));
    expectRefused(judge({ ...bundle, envelope }), 'index', 'INDEX_MISMATCH');
  });

  function parseStatementOf({ envelope }: SampleBundle) {
    return parseStatement(parseEnvelope(envelope, BUNDLE_PAYLOAD_TYPE).payload);
  }
});
