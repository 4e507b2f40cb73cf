import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { parseIndex } from '../../src/bundle/index-lines.ts';
import { parseStatement } from '../../src/bundle/statement.ts';
import { concatBytes, decodeUtf8, encodeBase64, encodeHex, utf8 } from '../../src/core/bytes.ts';
import { type Digest, sha256, sha256Digest } from '../../src/core/digest.ts';
import { type Envelope, encodeEnvelope, parseEnvelope, preAuthEncoding } from '../../src/core/dsse.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { signWithKey } from '../../src/core/keys.ts';
import type { Json } from '../../src/core/strict-json.ts';
import type { BundleCheckName } from '../../src/verify/bundle-verification.ts';
import { encodeRoot, parseRoot } from '../../src/verify/trust-root.ts';
import { testKey } from '../support/keys.ts';
import {
  day,
  expectRefused,
  expectTrusted,
  keyid,
  makeBundle,
  pinnedRoot,
  rootDocument,
  rootFile,
  type SampleBundle,
  signed,
  trustOf,
} from '../support/trust.ts';
import { judgePath, LIGHT, lightBundle, membersOfBundle, writeTarOf } from './hostile.ts';

/**
 * The documents in a bundle, each in every spelling that two parsers could read as two things, signed by the right
 * people all the same: strictness is not a matter of trust. Then the signatures, covering everything but the document.
 */

const bundle = lightBundle();
const statementText = decodeUtf8(parseEnvelope(bundle.envelope, BUNDLE_PAYLOAD_TYPE).payload);
const rootText = decodeUtf8(encodeRoot(rootDocument(LIGHT)));

async function expectJudged(hostile: SampleBundle, check: BundleCheckName, code: string): Promise<void> {
  const { verification } = await judgePath(writeTarOf(membersOfBundle(hostile)));
  expectRefused(verification, check, code);
}

/** What a text becomes; the first member of an object is where most changes go. */
type Hazard = readonly [words: string, cause: string, change: (text: string) => string | Uint8Array];

const firstMember = (text: string, member: string) => text.replace('{', `{${member},`);
const HAZARDS: readonly Hazard[] = [
  ['duplicate keys', 'JSON_DUPLICATE_KEY', (text) => text.replace(/\{("[^"]+":)/, '{$1"evil",$1')],
  ['duplicate keys, one spelled with escapes', 'JSON_DUPLICATE_KEY', (text) => escapedTwin(text)],
  ['__proto__', 'JSON_FORBIDDEN_KEY', (text) => firstMember(text, '"__proto__":{"admin":true}')],
  ['__proto__ in escapes', 'JSON_FORBIDDEN_KEY', (text) => firstMember(text, '"\\u005f_proto__":{}')],
  ['huge number', 'JSON_NUMBER', (text) => firstMember(text, '"a":9007199254740993')],
  ['huge number of many digits', 'JSON_NUMBER', (text) => firstMember(text, `"a":1${'0'.repeat(400)}`)],
  ['number with an exponent', 'JSON_NUMBER', (text) => firstMember(text, '"a":1e308')],
  ['fraction', 'JSON_NUMBER', (text) => firstMember(text, '"a":1.0')],
  ['minus zero', 'JSON_NUMBER', (text) => firstMember(text, '"a":-0')],
  ['lone surrogate', 'JSON_LONE_SURROGATE', (text) => firstMember(text, '"a":"\\ud800"')],
  ['lone surrogate in a key', 'JSON_LONE_SURROGATE', (text) => firstMember(text, '"\\udfff":1')],
  ['surrogates the wrong way round', 'JSON_LONE_SURROGATE', (text) => firstMember(text, '"a":"\\udc00\\ud800"')],
  ['BOM', 'JSON_BOM', (text) => `\ufeff${text}`],
  ['UTF-16', 'UTF8_MALFORMED', (text) => Uint8Array.from([0xff, 0xfe, ...Buffer.from(text, 'utf16le')])],
  [
    'overlong UTF-8',
    'UTF8_MALFORMED',
    (text) => concatBytes(utf8(text.slice(0, 1)), Uint8Array.of(0xc0, 0xa2), utf8(text.slice(2))),
  ],
  ['depth bomb', 'JSON_DEPTH', (text) => firstMember(text, `"a":${'['.repeat(5000)}${']'.repeat(5000)}`)],
  ['a second document behind it', 'JSON_SYNTAX', (text) => `${text}{}`],
  ['a NUL behind it', 'JSON_SYNTAX', (text) => `${text}\0`],
  ['a comment', 'JSON_SYNTAX', (text) => text.replace('{', '{/**/')],
  ['a trailing comma', 'JSON_SYNTAX', (text) => text.replace(/\}$/, ',}')],
  ['NaN', 'JSON_SYNTAX', (text) => firstMember(text, '"a":NaN')],
  ['a raw control character', 'JSON_SYNTAX', (text) => firstMember(text, '"a":"\t"')],
  ['nothing', 'JSON_SYNTAX', () => ''],
];

function escapedTwin(text: string): string {
  return text.replace(/\{"([^"])([^"]*)":/, (all, letter: string, rest: string) => {
    const spelled = `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
    return `${all}"evil","${spelled}${rest}":`;
  });
}

const bytesOf = (text: string | Uint8Array) => (typeof text === 'string' ? utf8(text) : text);

/** The code of the innermost of our errors: what was wrong with the JSON itself. */
function causeOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    let inner = error;
    while (inner instanceof Error && inner.cause instanceof DaemonEyeError) inner = inner.cause;
    return inner instanceof DaemonEyeError ? inner.code : String(inner);
  }
}

describe('an envelope spelled with', () => {
  const text = decodeUtf8(bundle.envelope);

  it.each(HAZARDS)('%s is refused: %s', async (_words, cause, change) => {
    const envelope = bytesOf(change(text));
    expect(causeOf(() => parseEnvelope(envelope, BUNDLE_PAYLOAD_TYPE))).toBe(cause);
    await expectJudged({ ...bundle, envelope }, 'envelope', 'ENVELOPE_MALFORMED');
  });

  const json = JSON.parse(text) as { payload: string; signatures: { keyid: string; sig: string }[] };
  const withPayload = (payload: string) => ({ ...json, payload });
  const withSig = (change: (sig: string) => string) => ({
    ...json,
    signatures: json.signatures.map(({ keyid: id, sig }) => ({ keyid: id, sig: change(sig) })),
  });
  // 86 characters and two of padding: the last holds four bits that decode to nothing.
  const spareBits = (sig: string) =>
    `${sig.slice(0, 85)}${sig[85] === 'A' ? 'B' : String.fromCharCode((sig.charCodeAt(85) || 0) + 1)}==`;

  it.each<[words: string, envelope: Json]>([
    ['a line break', withPayload(`${json.payload.slice(0, 76)}\n${json.payload.slice(76)}`)],
    ['white space around it', withPayload(` ${json.payload}`)],
    ['no padding', withSig((sig) => sig.replace(/=+$/, ''))],
    ['too much padding', withPayload(`${json.payload}====`)],
    ['padding in the middle', withPayload(`QQ==${json.payload}`)],
    ['letters of the URL alphabet', withSig((sig) => `_${sig.slice(1)}`)],
    ['spare bits set', withSig(spareBits)],
    ['a letter of no alphabet', withPayload(`é${json.payload.slice(1)}`)],
  ])('non-canonical base64 (%s) is refused', async (_words, envelope) => {
    await expectJudged({ ...bundle, envelope: utf8(canonicalJson(envelope)) }, 'envelope', 'ENVELOPE_MALFORMED');
  });
});

describe('a statement that the right people signed, spelled with', () => {
  it.each(HAZARDS)('%s is refused: %s', async (_words, cause, change) => {
    const payload = bytesOf(change(statementText));
    expect(causeOf(() => parseStatement(payload))).toBe(cause);
    const envelope = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, payload, ['rules-a']));
    await expectJudged({ ...bundle, envelope }, 'signatures', 'STATEMENT_MALFORMED');
  });
});

describe('a new trust root that the right people signed, spelled with', () => {
  it.each(HAZARDS)('%s is refused: %s', async (_words, cause, change) => {
    const payload = bytesOf(change(rootText.replace('"version":1', '"version":2')));
    const bytes = encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, payload, ['rules-a']));
    expect(causeOf(() => parseRoot(bytes))).toBe(cause);
    await expectJudged({ ...bundle, roots: [...bundle.roots, { version: 2, bytes }] }, 'root-chain', 'ROOT_MALFORMED');
  });
});

describe('an index that the right people signed, with a line of', () => {
  /** A statement about exactly these bytes. */
  function bundleWith(index: Uint8Array, lines: number): SampleBundle {
    const statement = JSON.parse(statementText) as {
      subject: { digest: { sha256: string } }[];
      predicate: { index: { size: number; lines: number } };
    };
    statement.subject = [{ ...statement.subject[0], digest: { sha256: encodeHex(sha256(index)) } }];
    statement.predicate.index = { size: index.length, lines };
    const payload = utf8(canonicalJson(statement));
    return {
      ...bundle,
      index,
      envelope: encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, payload, ['rules-a'])),
      payload: sha256Digest(payload),
    };
  }
  const [line = '', ...rest] = decodeUtf8(bundle.index).split('\n');
  // An index is cut into lines first: what ends in a line break is another thing there.
  const hazards = HAZARDS.filter(([words]) => words !== 'UTF-16');

  it('what was signed: trusted', async () => {
    const { verification } = await judgePath(writeTarOf(membersOfBundle(bundleWith(bundle.index, 2))));
    expectTrusted(verification);
  });

  it.each(hazards)('%s is refused: %s', async (_words, cause, change) => {
    const index = concatBytes(bytesOf(change(line)), utf8(`\n${rest.join('\n')}`));
    const { lines, bytes } = { lines: 2, bytes: 23 };
    expect(causeOf(() => parseIndex(index, { lines, bytes }))).toBe(cause);
    await expectJudged(bundleWith(index, 2), 'index', 'INDEX_MALFORMED');
  });

  const entry = (path: string, more: object = {}) => `${canonicalJson({ ...JSON.parse(line), path, ...more })}\n`;
  it.each<[words: string, code: string, text: string]>([
    ['..', 'PATH_TRAVERSAL', entry('../../etc/cron.d/x')],
    ['.. in the middle', 'PATH_TRAVERSAL', entry('linux/../../x')],
    ['an absolute path', 'PATH_ABSOLUTE', entry('/etc/cron.d/x')],
    ['a drive path', 'PATH_DRIVE', entry('C:\\Windows\\x')],
    ['a UNC path', 'PATH_DRIVE', entry('\\\\server\\share')],
    ['a backslash', 'PATH_BACKSLASH', entry('..\\x')],
    ['a setuid mode', 'INDEX_MALFORMED', entry('x', { mode: '4755' })],
    ['a link', 'INDEX_MALFORMED', entry('x', { link: '/etc/passwd' })],
    ['a duplicate name', 'INDEX_ORDER', entry('x') + entry('x')],
    ['case-fold twins', 'PATH_TWIN', entry('README') + entry('readme')],
    ['twins of one Unicode fold', 'PATH_TWIN', entry('s') + entry('\u017f')],
    ['an NFD name beside its NFC twin', 'PATH_NOT_NFC', entry('u\u0308') + entry('\u00fc')],
    ['a NUL', 'PATH_CONTROL', entry('x\0.yaml')],
    ['a Windows-reserved name', 'PATH_RESERVED', entry('linux/con.yaml')],
    ['an alternate stream', 'PATH_STREAM', entry('exec.yaml:hidden')],
    ['a short name (8.3)', 'PATH_SHORT_NAME', entry('PROGRA~1/x')],
    ['a trailing dot', 'PATH_TRAILING', entry('exec.yaml.')],
    ['a ._ file', 'PATH_APPLEDOUBLE', entry('linux/._exec.yaml')],
    ['a BOM', 'PATH_CONTROL', entry('\ufeffexec.yaml')],
    ['a terminal escape', 'PATH_CONTROL', entry('\u001b[2Jx')],
    ['a bidi override', 'PATH_CONTROL', entry('exec\u202elmay')],
    ['a depth bomb', 'PATH_TOO_DEEP', entry(`${'d/'.repeat(40)}x`)],
    ['a long name', 'PATH_TOO_LONG', entry('x'.repeat(256))],
    ['a file under a file', 'PATH_FILE_AND_DIRECTORY', entry('x') + entry('x/y')],
    ['lines out of order', 'INDEX_ORDER', entry('z') + entry('a')],
    ['a digest that is a path', 'INDEX_MALFORMED', entry('x', { sha256: `../${'a'.repeat(61)}` })],
  ])('%s is refused: %s', async (_words, code, text) => {
    await expectJudged(bundleWith(utf8(text), text.split('\n').length - 1), 'index', code);
  });

  it('a count bomb: more lines than were signed, not parsed', async () => {
    await expectJudged(bundleWith(utf8(entry('a') + entry('b')), 1), 'index', 'INDEX_COUNT');
  });
});

describe('signatures', () => {
  const key = testKey('rules-a');
  const { payload } = parseEnvelope(bundle.envelope, BUNDLE_PAYLOAD_TYPE);
  const over = (message: Uint8Array, changes: Partial<Envelope> = {}) => ({
    ...bundle,
    envelope: encodeEnvelope({
      payloadType: BUNDLE_PAYLOAD_TYPE,
      payload,
      signatures: [{ keyid: key.publicKey.keyid, sig: signWithKey(key, message) }],
      ...changes,
    }),
  });
  const pae = preAuthEncoding(BUNDLE_PAYLOAD_TYPE, payload);
  const refused = (hostile: SampleBundle) => expectJudged(hostile, 'signatures', 'NO_TRUSTED_SIGNATURE');

  it('over the whole: trusted', async () => {
    expectTrusted((await judgePath(writeTarOf(membersOfBundle(over(pae))))).verification);
  });

  it('that cover only a prefix of the statement are refused, at any length', async () => {
    const lengths = [0, 1, 16, Math.floor(payload.length / 2), payload.length - 1];
    for (const length of lengths) {
      const prefix = payload.subarray(0, length);
      await refused(over(preAuthEncoding(BUNDLE_PAYLOAD_TYPE, prefix)));
      await refused(over(pae.subarray(0, length)));
      // A length field that says the whole over a body that is only its beginning, and the other way round.
      await refused(
        over(
          utf8(`DSSEv1 ${BUNDLE_PAYLOAD_TYPE.length} ${BUNDLE_PAYLOAD_TYPE} ${payload.length} ${decodeUtf8(prefix)}`),
        ),
      );
      await refused(
        over(utf8(`DSSEv1 ${BUNDLE_PAYLOAD_TYPE.length} ${BUNDLE_PAYLOAD_TYPE} ${length} ${statementText}`)),
      );
    }
  });

  it('that cover the statement without its type, or something more, are refused', async () => {
    await refused(over(payload));
    await refused(over(utf8(encodeBase64(payload))));
    await refused(over(sha256(pae)));
    await refused(over(concatBytes(pae, utf8(' '))));
    await refused(over(preAuthEncoding(ROOT_PAYLOAD_TYPE, payload)));
  });

  it('that were stripped, all or some, are refused', async () => {
    await expectJudged(over(pae, { signatures: [] }), 'envelope', 'UNSIGNED');
    const stolen = { keyid: keyid('stranger'), sig: signWithKey(testKey('stranger'), pae) };
    await refused(over(pae, { signatures: [stolen] }));
  });

  it("payloadType confusion: a root in a bundle's envelope, a bundle in a root's, another type", async () => {
    const asType = (payloadType: string) => ({
      ...bundle,
      envelope: encodeEnvelope(signed(payloadType, payload, ['rules-a'])),
    });
    await expectJudged(asType(ROOT_PAYLOAD_TYPE), 'envelope', 'PAYLOAD_TYPE');
    await expectJudged(asType(`${BUNDLE_PAYLOAD_TYPE};charset=utf-8`), 'envelope', 'PAYLOAD_TYPE');
    await expectJudged(asType(BUNDLE_PAYLOAD_TYPE.toUpperCase()), 'envelope', 'PAYLOAD_TYPE');
    const rootAsBundle = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, utf8(rootText), ['rules-a']));
    await expectJudged({ ...bundle, envelope: rootAsBundle }, 'signatures', 'STATEMENT_MALFORMED');
    await expectJudged({ ...bundle, roots: [{ version: 1, bytes: bundle.envelope }] }, 'root-chain', 'ROOT_MALFORMED');
  });
});

describe('trust', () => {
  const two = { roles: { root: { keys: ['rules-a'] }, rules: { keys: ['rules-a', 'rules-b'], threshold: 2 } } };
  const roots = [rootFile(rootDocument(two), ['rules-a'])];
  const trust = trustOf({ pinned: pinnedRoot(two) });
  const judgedWith = async (hostile: SampleBundle, by = trust) =>
    (await judgePath(writeTarOf(membersOfBundle(hostile)), { trust: by })).verification;

  it('is not won by a key that comes only from the bundle', async () => {
    // A whole publisher of his own, beside nothing of ours.
    const plan = { roles: { root: { keys: ['stranger'] }, rules: { keys: ['stranger'] } } };
    const own = [rootFile(rootDocument(plan), ['stranger'])];
    const his = makeBundle({ roots: own, signers: ['stranger'] });
    expectRefused(await judgedWith(his), 'root-chain', 'ROOT_PIN_MISMATCH');
    // His root put behind ours.
    const second = rootFile(rootDocument({ ...plan, version: 2 }), ['stranger']);
    expectRefused(await judgedWith({ ...his, roots: [...roots, second] }), 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
    // Our root, his signature, under his keyid and under ours.
    expectRefused(await judgedWith({ ...his, roots }), 'signatures', 'NO_TRUSTED_SIGNATURE');
    // No root at all.
    expectRefused(await judgedWith({ ...his, roots: [] }), 'root-chain', 'ROOT_CHAIN_EMPTY');
  });

  it('is not won by a threshold met by duplicates', async () => {
    const one = makeBundle({ roots, signers: ['rules-a'] });
    const parsed = parseEnvelope(one.envelope, BUNDLE_PAYLOAD_TYPE);
    const [signature] = parsed.signatures;
    if (signature === undefined) throw new Error('it was signed');
    for (const second of [signature, { ...signature, keyid: keyid('rules-b') }]) {
      const envelope = encodeEnvelope({ ...parsed, signatures: [signature, second] });
      expectRefused(await judgedWith({ ...one, envelope }), 'signatures', 'THRESHOLD_NOT_MET');
    }
  });

  const elsewhere = {
    ...LIGHT.roles,
    config: { keys: ['rules-b'] },
    updates: { keys: ['rules-b'], channels: ['update/kit'] },
  };
  const many = [rootFile(rootDocument({ roles: elsewhere }), ['rules-a'])];
  const manyTrust = trustOf({ pinned: pinnedRoot({ roles: elsewhere }) });
  it.each<[words: string, check: BundleCheckName, code: string, plan: Parameters<typeof makeBundle>[0]]>([
    ['the wrong role', 'signatures', 'ROLE_NOT_HELD', { signers: ['rules-b'] }],
    ['the wrong channel', 'signatures', 'ROLE_NOT_HELD', { signers: ['rules-b'], statement: { kind: 'update' } }],
    [
      'a channel of another kind',
      'signatures',
      'CHANNEL_OF_OTHER_KIND',
      { signers: ['rules-a'], statement: { channel: 'update/kit' } },
    ],
    [
      'the wrong audience',
      'audience',
      'NOT_FOR_THIS_ENCLAVE',
      { signers: ['rules-a'], statement: { audience: ['site-8'] } },
    ],
    [
      'an unknown critical',
      'critical',
      'CRITICAL_UNKNOWN',
      { signers: ['rules-a'], statement: { critical: ['urn:x:new'] } },
    ],
    [
      'a replay',
      'sequence',
      'SEQUENCE_FORK',
      { signers: ['rules-a'], statement: { seq: 2, prev: `sha256:${'0'.repeat(64)}` as Digest } },
    ],
    [
      'one that has expired',
      'freshness',
      'EXPIRED',
      { signers: ['rules-a'], statement: { expires: day(11), issuedAt: day(10) } },
    ],
  ])('is not won by %s', async (_words, check, code, plan) => {
    const memory = { highestSeq: 1, payload: `sha256:${'1'.repeat(64)}` as Digest };
    const by = {
      ...manyTrust,
      floor: day(20),
      ...(check === 'sequence' ? { channelMemory: () => memory } : {}),
    };
    expectRefused(await judgedWith(makeBundle({ roots: many, ...plan }), by), check, code);
  });

  it('is not won by an unknown kind', async () => {
    const payload = utf8(
      statementText.replace('"kind":"rules"', '"kind":"firmware"').replace('"rules/linux"', '"firmware/x"'),
    );
    const envelope = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, payload, ['rules-a']));
    await expectJudged({ ...bundle, envelope }, 'signatures', 'KIND_UNKNOWN');
  });
});
