import * as noble from '@noble/ed25519';
import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { decodeUtf8, encodeBase64, encodeHex, parseHex, utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { type Envelope, encodeEnvelope, mergeSignatures, parseEnvelope, preAuthEncoding } from '../../src/core/dsse.ts';
import { ed25519Spki, verifyEd25519 } from '../../src/core/ed25519.ts';
import { canonicalJson, encodeCanonicalJson } from '../../src/core/jcs.ts';
import { verifyEnrolment } from '../../src/verify/enrolment.ts';
import { admit, operatorOf } from '../../src/verify/enrolment-admission.ts';
import { ENROLMENT_PAYLOAD_TYPE, type EnrolmentDocument } from '../../src/verify/enrolment-document.ts';
import type { RootFile } from '../../src/verify/root-chain.ts';
import { parseRoot, parseRootEnvelope } from '../../src/verify/trust-root.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import {
  day,
  expectRefused,
  expectTrusted,
  judge,
  keyid,
  makeBundle,
  pinnedRoot,
  ROLES,
  type RootPlan,
  rootDocument,
  rootFile,
  type SampleBundle,
  signed,
  trustOf,
} from '../support/trust.ts';

/** One who has a key or two, every public file, and the stick for an hour. Each idea of his is a test. */

const first = rootFile(rootDocument());
const bundle = makeBundle();

function withSignatures(
  of: SampleBundle,
  change: (of: Envelope['signatures']) => Envelope['signatures'],
): SampleBundle {
  const envelope = parseEnvelope(of.envelope, BUNDLE_PAYLOAD_TYPE);
  return { ...of, envelope: encodeEnvelope({ ...envelope, signatures: change(envelope.signatures) }) };
}

/** The bundle's envelope with its text changed. */
function rewritten(of: SampleBundle, change: (text: string) => string): SampleBundle {
  const text = decodeUtf8(of.envelope);
  expect(change(text)).not.toBe(text);
  return { ...of, envelope: utf8(change(text)) };
}

const garbage = (count: number, keyidOf = (i: number) => i.toString(16).padStart(64, '0')) =>
  Array.from({ length: count }, (_, i) => ({ keyid: keyidOf(i), sig: new Uint8Array(64).fill(i) }));

describe('a key that comes only from the bundle', () => {
  const mine = { root: { keys: ['mine'] }, rules: { keys: ['mine'] } };

  it('in a chain of his own', () => {
    const roots = [rootFile(rootDocument({ roles: mine }), ['mine'])];
    expectRefused(judge(makeBundle({ roots, signers: ['mine'] })), 'root-chain', 'ROOT_PIN_MISMATCH');
  });

  it('in a version that continues the pinned one', () => {
    const roots = [first, rootFile(rootDocument({ version: 2, roles: mine }), ['mine'])];
    expectRefused(judge(makeBundle({ roots, signers: ['mine'] })), 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('in a version before the pinned one, which he signed too', () => {
    const theirs = rootFile(rootDocument({ roles: mine }), ['mine']);
    const pinned = rootFile(rootDocument({ version: 2 }), ['root-a', 'root-b', 'mine']);
    const hostile = makeBundle({ roots: [theirs, pinned], signers: ['mine'] });
    const verification = judge(hostile, trustOf({ pinned: parseRoot(pinned.bytes) }));
    expectRefused(verification, 'signatures', 'NO_TRUSTED_SIGNATURE');
  });

  it('in the pinned version itself, added to it', () => {
    const document = rootDocument({ keys: { mine: {} } });
    const roots = [rootFile(document, ['root-a', 'root-b', 'mine'])];
    expectRefused(judge(makeBundle({ roots, signers: ['mine'] })), 'root-chain', 'ROOT_PIN_MISMATCH');
  });
});

describe('a threshold met by one', () => {
  const alone = makeBundle({ signers: ['rules-a'] });

  it('by his signature many times', () => {
    const hostile = withSignatures(alone, (of) => Array(64).fill(of).flat());
    expectRefused(judge(hostile), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('by his signature under the ids of others', () => {
    const hostile = withSignatures(alone, (of) =>
      ROLES.rules.keys.flatMap((name) => of.map(({ sig }) => ({ keyid: keyid(name), sig }))),
    );
    expectRefused(judge(hostile), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('by two signatures of his that differ and are both valid: his key makes as many as he likes', () => {
    const hostile = withSignatures(alone, (of) => [...of, { keyid: keyid('rules-a'), sig: otherSignature(alone) }]);
    const [one, two] = parseEnvelope(hostile.envelope, BUNDLE_PAYLOAD_TYPE).signatures;
    expect(one?.sig).not.toEqual(two?.sig);
    expectRefused(judge(hostile), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('by two keys that he holds', () => {
    const plan = { keys: { 'rules-a': { operator: 'rita' }, 'rules-b': { operator: 'rita' } } };
    const hostile = makeBundle({ roots: [rootFile(rootDocument(plan))] });
    expectRefused(judge(hostile, trustOf({ pinned: pinnedRoot(plan) })), 'signatures', 'THRESHOLD_NOT_MET');
  });

  /** A signature by rules-a with a nonce that is not the deterministic one of RFC 8032: valid all the same. */
  function otherSignature(of: SampleBundle): Uint8Array {
    const { payloadType, payload } = parseEnvelope(of.envelope, BUNDLE_PAYLOAD_TYPE);
    const message = preAuthEncoding(payloadType, payload);
    const key = testKey('rules-a');
    const seed = new Uint8Array(key.handle.export({ format: 'der', type: 'pkcs8' })).slice(-32);
    const { scalar, pointBytes } = noble.utils.getExtendedPublicKey(seed);
    const order = noble.Point.CURVE().n;
    const little = (bytes: Uint8Array) => BigInt(`0x${encodeHex(bytes.toReversed())}`);
    const nonce = 123456789n;
    const R = noble.Point.BASE.multiply(nonce).toBytes();
    const challenge = little(noble.hashes.sha512?.(new Uint8Array([...R, ...pointBytes, ...message])) ?? R) % order;
    const s = (nonce + challenge * scalar) % order;
    const sig = new Uint8Array([...R, ...parseHex(s.toString(16).padStart(64, '0')).toReversed()]);
    expect(verifyEd25519(key.publicKey.raw, message, sig)).toBe(true);
    return sig;
  }
});

describe('a key in the wrong role', () => {
  it('of root, for rules', () => {
    expectRefused(judge(makeBundle({ signers: ['root-a', 'root-b'] })), 'signatures', 'ROLE_NOT_HELD');
  });

  it('of rules, for the next root', () => {
    const roots = [first, rootFile(rootDocument({ version: 2 }), ['rules-a', 'rules-b'])];
    expectRefused(judge(makeBundle({ roots })), 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('of rules, for another kind of bundle', () => {
    expectRefused(judge(makeBundle({ statement: { kind: 'config' } })), 'signatures', 'ROLE_NOT_HELD');
  });
});

describe('a document taken for another', () => {
  const rootPayload = parseRootEnvelope(first.bytes).payload;

  it('a root in the place of the bundle', () => {
    expectRefused(judge({ ...bundle, envelope: first.bytes }), 'envelope', 'PAYLOAD_TYPE');
  });

  it('a bundle in the place of a root', () => {
    const roots = [first, { version: 2, bytes: bundle.envelope }];
    expectRefused(judge({ ...bundle, roots }), 'root-chain', 'ROOT_MALFORMED');
  });

  it('a statement that was signed as something else: the type is signed along', () => {
    const { payload } = parseEnvelope(bundle.envelope, BUNDLE_PAYLOAD_TYPE);
    const elsewhere = signed('text/plain', payload, ['rules-a', 'rules-b']);
    const envelope = encodeEnvelope({ ...elsewhere, payloadType: BUNDLE_PAYLOAD_TYPE });
    expectRefused(judge({ ...bundle, envelope }), 'signatures', 'NO_TRUSTED_SIGNATURE');
  });

  it('a root that was signed as something else', () => {
    const document = rootDocument({ version: 2 });
    const elsewhere = signed('application/json', encodeCanonicalJson(document), ['root-a', 'root-b']);
    const bytes = encodeEnvelope({ ...elsewhere, payloadType: ROOT_PAYLOAD_TYPE });
    expectRefused(
      judge({ ...bundle, roots: [first, { version: 2, bytes }] }),
      'root-chain',
      'ROOT_SIGNATURES_PREVIOUS',
    );
  });

  it('a root signed as a bundle, by who may sign both', () => {
    const envelope = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, rootPayload, ['rules-a', 'rules-b']));
    expectRefused(judge({ ...bundle, envelope }), 'signatures', 'STATEMENT_MALFORMED');
  });

  it('an enrolment that was signed as something else', () => {
    const elsewhere = signed('application/json', encodeCanonicalJson(OPERATOR), ['enrol-a']);
    const bytes = encodeEnvelope({ ...elsewhere, payloadType: ENROLMENT_PAYLOAD_TYPE });
    expectCode(() => verifyEnrolment(enrolRoot(), bytes, day(6)), 'NO_TRUSTED_SIGNATURE');
  });
});

describe('signatures stripped, or buried', () => {
  it('all of them are gone', () => expectRefused(judge(withSignatures(bundle, () => [])), 'envelope', 'UNSIGNED'));

  it('one of two is gone', () => {
    expectRefused(judge(withSignatures(bundle, (of) => of.slice(1))), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('those of the root are gone', () => {
    const bare = { version: 2, bytes: encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, rootBytes(2), [])) };
    expectRefused(judge({ ...bundle, roots: [first, bare] }), 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('62 worthless ones beside the two: they count for nothing and hurt nothing', () => {
    const hostile = withSignatures(bundle, (of) => [...garbage(62), ...of]);
    expectTrusted(judge(hostile));
    expect(judge(hostile).report('x').signers).toHaveLength(2);
  });

  it('60 worthless ones under the ids that count', () => {
    const ids = ROLES.rules.keys.map(keyid);
    expectTrusted(judge(withSignatures(bundle, (of) => [...garbage(60, (i) => ids[i % 3] ?? ''), ...of])));
  });

  it('63 worthless ones beside the two are one too many', () => {
    const hostile = withSignatures(bundle, (of) => [...garbage(63), ...of]);
    expectRefused(judge(hostile), 'envelope', 'ENVELOPE_MALFORMED');
  });

  it('63 beside those of a root, likewise', () => {
    const envelope = parseRootEnvelope(rootFile(rootDocument({ version: 2 })).bytes);
    const root = (count: number): RootFile => ({
      version: 2,
      bytes: encodeEnvelope(mergeSignatures(envelope, [{ ...envelope, signatures: garbage(count) }])),
    });
    expectTrusted(judge({ ...bundle, roots: [first, root(62)] }));
    expectRefused(judge({ ...bundle, roots: [first, root(63)] }), 'root-chain', 'ROOT_MALFORMED');
  });

  const rootBytes = (version: number) => encodeCanonicalJson(rootDocument({ version }));
});

describe('a signature spelled in another way', () => {
  const sigOf = (text: string) => /"sig":"([^"]*)"/.exec(text)?.[1] ?? '';

  it.each<[string, (sig: string) => string]>([
    ['without padding', (sig) => sig.replace(/=+$/, '')],
    ['with spare bits', (sig) => sig.replace(/.==$/, (end) => `${nextCharacter(end[0] ?? '')}==`)],
    ['for URLs', (sig) => `-${sig.slice(1)}`],
    ['with a space', (sig) => ` ${sig.slice(1)}`],
    ['with a line break', (sig) => `${sig.slice(0, 64)}\\n${sig.slice(65)}`],
    ['in hexadecimal', (sig) => Buffer.from(sig, 'base64').toString('hex')],
    ['as nothing', () => ''],
  ])('%s', (_how, change) => {
    const hostile = rewritten(bundle, (text) => text.replace(sigOf(text), change(sigOf(text))));
    expectRefused(judge(hostile), 'envelope', 'ENVELOPE_MALFORMED');
  });

  /** The same six bits that count, one of the two that don't set. */
  function nextCharacter(character: string): string {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    return alphabet[alphabet.indexOf(character) | 1] ?? '';
  }

  it('under a keyid in capitals', () => {
    const hostile = rewritten(bundle, (text) =>
      text.replace(/"keyid":"[^"]*"/, (id) => id.toUpperCase().replace('KEYID', 'keyid')),
    );
    expectRefused(judge(hostile), 'envelope', 'ENVELOPE_MALFORMED');
  });
});

describe('keys that sign more than they should, in a version the pinned keys were tricked into signing', () => {
  const lowOrder = parseHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
  it.each([
    ['of low order', lowOrder],
    ['the neutral point', parseHex(`01${'00'.repeat(31)}`)],
    ['not canonical', parseHex(`ee${'ff'.repeat(30)}7f`)],
    [
      'of mixed order',
      noble.Point.fromBytes(testKey('x').publicKey.raw).add(noble.Point.fromBytes(lowOrder)).toBytes(),
    ],
  ])('%s', (_what, raw) => {
    const spki = ed25519Spki(raw);
    const pem = `-----BEGIN PUBLIC KEY-----\n${encodeBase64(spki)}\n-----END PUBLIC KEY-----\n`;
    const document = rootDocument({ version: 2 });
    const unsafe = { ...document, keys: { ...document.keys, [encodeHex(sha256(spki))]: { pem } } };
    expectRefused(judge({ ...bundle, roots: [first, rootFile(unsafe)] }), 'root-chain', 'ROOT_KEY_UNSAFE');
  });
});

describe('JSON that two parsers read differently, in a version the pinned keys were tricked into signing', () => {
  const text = canonicalJson(rootDocument({ version: 2 }));
  it.each([
    ['__proto__ among the keys', text.replace('"keys":{', '"keys":{"__proto__":{"pem":"x"},')],
    ['__proto__ among the roles', text.replace('"roles":{', '"roles":{"__proto__":{"keyids":[],"threshold":1},')],
    ['__proto__ beside the rest', text.replace('{', '{"__proto__":{"threshold":0},')],
    ['a threshold twice', text.replace('"threshold":2', '"threshold":2,"threshold":1')],
    ['a threshold of 2.0', text.replace('"threshold":2', '"threshold":2.0')],
    ['a threshold of 2e0', text.replace('"threshold":2', '"threshold":2e0')],
  ])('%s', (_what, payload) => {
    expect(payload).not.toBe(text);
    const bytes = encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, utf8(payload), ['root-a', 'root-b']));
    expectRefused(judge({ ...bundle, roots: [first, { version: 2, bytes }] }), 'root-chain', 'ROOT_MALFORMED');
  });

  it('an envelope with __proto__', () => {
    const hostile = rewritten(bundle, (of) => of.replace('{', '{"__proto__":{},'));
    expectRefused(judge(hostile), 'envelope', 'ENVELOPE_MALFORMED');
  });
});

describe('a root that contradicts itself', () => {
  const refusedRoot = (document: ReturnType<typeof rootDocument>, code: string) =>
    expectRefused(judge({ ...bundle, roots: [first, rootFile(document)] }), 'root-chain', code);

  it('expires before it is issued', () => {
    refusedRoot(rootDocument({ version: 2, issuedAt: day(5), expires: day(4) }), 'ROOT_DATES');
    refusedRoot(rootDocument({ version: 2, issuedAt: day(5), expires: day(5) }), 'ROOT_DATES');
  });

  it('revokes a key twice, once sparing it', () => {
    const document = rootDocument({ version: 2, revoked: ['log'] });
    const head = { origin: 'o', size: 1, root: `sha256:${'0'.repeat(64)}` as const };
    const twice = [...document.revoked.keys, { keyid: keyid('log'), validThrough: [head] }];
    refusedRoot({ ...document, revoked: { ...document.revoked, keys: twice } }, 'ROOT_MALFORMED');
  });

  it('names a recipient that nothing can be sealed to', () => {
    // Well-formed, its checksum wrong: the last character is another.
    const recipient = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q';
    refusedRoot({ ...rootDocument({ version: 2 }), recipients: { reveal: [recipient] } }, 'ROOT_RECIPIENT');
  });
});

describe('a revoked key', () => {
  it('signs the next version with one that stands', () => {
    const roles = { ...ROLES, root: { keys: ['root-a', 'root-b', 'root-c'], threshold: 2 } };
    const revoked = rootFile(rootDocument({ roles, version: 2, revoked: ['root-c'] }));
    const next = (...signers: string[]) => [
      first,
      revoked,
      rootFile(rootDocument({ roles, version: 3, revoked: ['root-c'] }), signers),
    ];
    expectTrusted(judge({ ...bundle, roots: next('root-a', 'root-b') }));
    expectRefused(judge({ ...bundle, roots: next('root-a', 'root-c') }), 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('brings itself back: the version that drops its revocation needs the others', () => {
    const revoked = rootFile(rootDocument({ version: 2, revoked: ['root-c'] }));
    const back = (...signers: string[]) => [first, revoked, rootFile(rootDocument({ version: 3 }), signers)];
    expectRefused(judge({ ...bundle, roots: back('root-a', 'root-c') }), 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
    const verification = judge({ ...bundle, roots: back('root-a', 'root-b') });
    // The newest version alone says what is revoked; that it takes something back is said where it is accepted.
    expectTrusted(verification);
    const line = verification.report('x').checks.find(({ name }) => name === 'root-chain');
    expect(line?.reason).toMatch(/; takes back 1 revocation$/);
  });

  it('of an operator who was enrolled: his other keys still count', () => {
    const document = { ...OPERATOR, keys: ['ann', 'ann-2'].map((name) => ({ keyid: keyid(name), pem: pem(name) })) };
    const enrolment = encodeEnvelope(signed(ENROLMENT_PAYLOAD_TYPE, encodeCanonicalJson(document), ['enrol-a']));
    const admissions = admit(enrolRoot({ revoked: ['ann'] }), [enrolment], day(6));
    expect(operatorOf(admissions, 'operator:admin', keyid('ann'))).toBeUndefined();
    expect(operatorOf(admissions, 'operator:admin', keyid('ann-2'))?.operator).toBe('ann');
  });
});

const pem = (name: string) => testKey(name).publicKey.pem;
const enrolRoot = (plan: RootPlan = {}) => pinnedRoot({ roles: { ...ROLES, enrol: { keys: ['enrol-a'] } }, ...plan });
const OPERATOR: EnrolmentDocument = {
  v: 1,
  operator: 'ann',
  keys: [{ keyid: keyid('ann'), pem: pem('ann') }],
  roles: ['operator:admin'],
  issuedAt: day(5),
  expires: day(5000),
};

describe('an enrolment', () => {
  const by = (...signers: string[]) =>
    encodeEnvelope(signed(ENROLMENT_PAYLOAD_TYPE, encodeCanonicalJson(OPERATOR), signers));

  it('by a key without the role', () => {
    expectCode(() => verifyEnrolment(enrolRoot(), by('rules-a', 'root-a', 'root-b'), day(6)), 'ROLE_NOT_HELD');
  });

  it('by the operator himself', () => {
    expectCode(() => verifyEnrolment(enrolRoot(), by('ann'), day(6)), 'NO_TRUSTED_SIGNATURE');
  });

  it('outliving the root: it ends with it, whatever it says itself', () => {
    expect(verifyEnrolment(enrolRoot(), by('enrol-a'), day(1000)).document.expires).toBe(day(5000));
    expectCode(() => verifyEnrolment(enrolRoot(), by('enrol-a'), day(1001)), 'ROOT_EXPIRED');
  });

  it('outliving its signer: the next root, without his key or his role, ends it', () => {
    const without = (plan: RootPlan) => enrolRoot({ version: 2, issuedAt: day(500), expires: day(3000), ...plan });
    expect(verifyEnrolment(without({}), by('enrol-a'), day(600)).operator?.operator).toBe('ann');
    expectCode(
      () => verifyEnrolment(without({ roles: { ...ROLES, enrol: { keys: ['enrol-b'] } } }), by('enrol-a'), day(600)),
      'NO_TRUSTED_SIGNATURE',
    );
    const demoted = { ...ROLES, heads: { keys: ['enrol-a'] }, enrol: { keys: ['enrol-b'] } };
    expectCode(() => verifyEnrolment(without({ roles: demoted }), by('enrol-a'), day(600)), 'ROLE_NOT_HELD');
    expectCode(
      () =>
        verifyEnrolment(
          without({ roles: { ...ROLES, enrol: { keys: ['enrol-a', 'enrol-b'] } }, revoked: ['enrol-a'] }),
          by('enrol-a'),
          day(600),
        ),
      'KEY_REVOKED',
    );
  });
});
