import { generateKeyPairSync } from 'node:crypto';
import * as noble from '@noble/ed25519';
import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, MAX_ROOT_BYTES, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { concatBytes, encodeBase64, encodeHex, parseHex, utf8 } from '../../src/core/bytes.ts';
import { sha256, sha256Digest } from '../../src/core/digest.ts';
import { encodeEnvelope } from '../../src/core/dsse.ts';
import { ed25519Spki } from '../../src/core/ed25519.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { ROLES as ROLE_TABLE } from '../../src/verify/role-table.ts';
import type { RootDocument } from '../../src/verify/root-document.ts';
import { encodeRoot, parseRoot } from '../../src/verify/trust-root.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { day, keyid, type RootPlan, rootDocument, rootFile, signed } from '../support/trust.ts';

const rolesOf = (plan: RootPlan['roles']) => rootDocument({ roles: { root: { keys: ['root-a'] }, ...plan } });
const expectRoot = (document: RootDocument, code: string) =>
  expectCode(() => parseRoot(rootFile(document).bytes), code);
/** ROOT_MALFORMED, and for this reason. */
function expectMalformed(action: () => unknown, cause: string): void {
  expectCode(action, 'ROOT_MALFORMED');
  expect(action).toThrow(expect.objectContaining({ cause: expect.objectContaining({ code: cause }) }));
}
/** A document as a careless or hostile tool may have written it. */
const changed = (change: object): RootDocument => ({ ...rootDocument(), ...change });
const parsePayload = (payload: Uint8Array) =>
  parseRoot(encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, payload, ['root-a', 'root-b'])));

function withListed(id: string, pem: string): RootDocument {
  const document = rootDocument();
  return { ...document, keys: { ...document.keys, [id]: { pem } } };
}

describe('a trust root', () => {
  it('is read as it is written, and known by the digest of its payload', () => {
    const document = rootDocument({
      roles: { root: { keys: ['root-a', 'root-b'], threshold: 2 }, rules: { keys: ['r'], channels: ['rules/*'] } },
      keys: { r: { operator: 'rita', notAfter: day(50) } },
      revoked: ['lost'],
      revokedPayloads: [sha256Digest(utf8('x'))],
    });
    const root = parseRoot(rootFile(document).bytes);
    expect(root.document).toEqual(document);
    expect(root).toMatchObject({ version: 1, expires: day(1000), enclave: 'site-7' });
    expect(root.digest).toBe(sha256Digest(encodeRoot(document)));
    expect(root.keys.get(keyid('r'))).toEqual({ key: testKey('r').publicKey, operator: 'rita', notAfter: day(50) });
    expect([...root.roles.keys()].sort()).toEqual(['root', 'rules']);
    expect([...root.revokedKeys]).toEqual([keyid('lost')]);
    expect([...root.revokedPayloads]).toEqual(document.revoked.payloads);
  });

  it('is the same root under any signatures, by payload', () => {
    const document = rootDocument();
    const one = parseRoot(rootFile(document, ['root-a']).bytes);
    expect(parseRoot(rootFile(document, ['root-b', 'root-c']).bytes).digest).toBe(one.digest);
  });

  it('may grant every role of the table', () => {
    const roles = Object.fromEntries(Object.keys(ROLE_TABLE).map((role) => [role, { keys: ['root-a'] }]));
    expect(parseRoot(rootFile(rootDocument({ roles })).bytes).roles.size).toBe(Object.keys(ROLE_TABLE).length);
  });
});

describe('the keys of a trust root', () => {
  it('are refused under an id that is not their digest', () => {
    expectRoot(withListed('ab'.repeat(32), testKey('x').publicKey.pem), 'ROOT_KEYID_MISMATCH');
  });

  it('are refused under a second id: one key would fill a threshold alone', () => {
    const twice = withListed('ab'.repeat(32), testKey('root-a').publicKey.pem);
    const roles = { ...twice.roles, root: { keyids: [keyid('root-a'), 'ab'.repeat(32)], threshold: 2 } };
    expectRoot({ ...twice, roles }, 'ROOT_KEYID_MISMATCH');
  });

  it('are refused under an id in capitals, which would be a second id', () => {
    expectRoot(withListed(keyid('x').toUpperCase(), testKey('x').publicKey.pem), 'ROOT_MALFORMED');
  });

  it('are refused when two of them swap their ids', () => {
    const { keys, ...rest } = rootDocument();
    const [a, b] = [keyid('root-a'), keyid('root-b')];
    const [ofA, ofB] = [keys[a], keys[b]];
    if (ofA === undefined || ofB === undefined) throw new Error('the sample root lists both');
    expectRoot({ ...rest, keys: { ...keys, [a]: ofB, [b]: ofA } }, 'ROOT_KEYID_MISMATCH');
  });

  const { Point } = noble;
  const lowOrder = parseHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
  const mixed = () =>
    Point.fromBytes(testKey('x').publicKey.raw, false).add(Point.fromBytes(lowOrder, false)).toBytes();
  const nonCanonical = parseHex(`ee${'ff'.repeat(30)}7f`);
  it.each([
    ['a point of low order, which signs anything', () => ed25519Spki(lowOrder)],
    ['the neutral point', () => ed25519Spki(parseHex(`01${'00'.repeat(31)}`))],
    ['a point with a low-order component', () => ed25519Spki(mixed())],
    ['a second spelling of a point', () => ed25519Spki(nonCanonical)],
    ['a byte after the key', () => concatBytes(ed25519Spki(testKey('x').publicKey.raw), Uint8Array.of(0))],
    ['an RSA key', () => foreignSpki('rsa')],
    ['an EC key', () => foreignSpki('ec')],
    ['an X25519 key', () => foreignSpki('x25519')],
  ])('are refused when one is %s, though its id is right and no role names it', (_what, spki) => {
    const der = spki();
    const pem = `-----BEGIN PUBLIC KEY-----\n${encodeBase64(der)}\n-----END PUBLIC KEY-----\n`;
    expectRoot(withListed(encodeHex(sha256(der)), pem), 'ROOT_KEY_UNSAFE');
  });

  it.each([
    ['a private key', 'PRIVATE'],
    ['two keys in one', 'TWICE'],
    ['no PEM', 'hello'],
  ])('are refused when one is %s', (_what, text) => {
    const { pem } = testKey('x').publicKey;
    const privatePem = testKey('x').handle.export({ type: 'pkcs8', format: 'pem' }).toString();
    expectRoot(withListed(keyid('x'), { PRIVATE: privatePem, TWICE: pem + pem }[text] ?? text), 'ROOT_KEY_UNSAFE');
  });

  function foreignSpki(type: 'rsa' | 'ec' | 'x25519'): Uint8Array {
    const pair =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 1024 })
        : type === 'ec'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : generateKeyPairSync('x25519');
    return new Uint8Array(pair.publicKey.export({ type: 'spki', format: 'der' }));
  }
});

describe('the thresholds of a trust root', () => {
  it.each([0, -1, -(2 ** 53 - 1)])('are refused at %i: nobody would have to sign', (threshold) => {
    expectRoot(rolesOf({ rules: { keys: ['r'], threshold } }), 'THRESHOLD_INVALID');
    expectRoot(rolesOf({ root: { keys: ['root-a'], threshold } }), 'THRESHOLD_INVALID');
  });

  it.each([
    ['more than keys', { rules: { keys: ['r', 's'], threshold: 3 } }, {}],
    ['one, of an empty list', { rules: { keys: [] } }, {}],
    ['more than unrevoked keys', { rules: { keys: ['r', 's'], threshold: 2 } }, { revoked: ['s'] }],
    ['one, of revoked keys', { rules: { keys: ['r'] } }, { revoked: ['r'] }],
    [
      'two, of two keys with one operator',
      { rules: { keys: ['r', 's'], threshold: 2 } },
      { keys: { r: { operator: 'rita' }, s: { operator: 'rita' } } },
    ],
    [
      'two, of three keys of which one operator has two and the third is revoked',
      { rules: { keys: ['r', 's', 't'], threshold: 2 } },
      { keys: { r: { operator: 'rita' }, s: { operator: 'rita' } }, revoked: ['t'] },
    ],
  ] satisfies [string, RootPlan['roles'], RootPlan][])(
    'are refused when nobody can reach them: %s',
    (_what, roles, plan) => {
      expectRoot(rootDocument({ ...plan, roles: { root: { keys: ['root-a'] }, ...roles } }), 'THRESHOLD_UNREACHABLE');
    },
  );

  it('are reached by an operator and a key that names none', () => {
    const keys = { r: { operator: 'rita' }, s: { operator: 'rita' } };
    const roles = { root: { keys: ['root-a'] }, rules: { keys: ['r', 's', 't'], threshold: 2 } };
    expect(parseRoot(rootFile(rootDocument({ roles, keys })).bytes).roles.get('rules')?.threshold).toBe(2);
  });
});

describe('the roles of a trust root', () => {
  it('are refused with a key listed twice', () => {
    expectRoot(rolesOf({ rules: { keys: ['r', 's', 'r'], threshold: 1 } }), 'ROLE_DUPLICATE_KEY');
  });

  it('are refused with a key that is not in the root', () => {
    const document = rolesOf({ rules: { keys: ['r'] } });
    const rules = { keyids: [keyid('r'), keyid('stranger')], threshold: 1 };
    expectRoot({ ...document, roles: { ...document.roles, rules } }, 'ROLE_UNKNOWN_KEY');
  });

  it.each(['rule', 'Root', 'operator:', 'operator:god', 'constructor', 'toString', 'hasOwnProperty', ''])(
    'are refused when one is called %j',
    (name) => expectRoot(rolesOf({ [name]: { keys: ['r'] } }), 'ROLE_UNKNOWN'),
  );

  it('do not put an unknown name on the terminal raw', () => {
    const name = 'a\u001b]0;owned\u0007\u202e';
    const read = () => parseRoot(rootFile(rolesOf({ [name]: { keys: ['r'] } })).bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
    expect(read).toThrow(/^[^\u0000-\u001f\u202e]*$/);
  });

  it('are refused when nobody holds the role root', () => {
    expectRoot(rootDocument({ roles: { rules: { keys: ['r'] } } }), 'ROOT_ROLE_MISSING');
  });

  it.each(Object.keys(ROLE_TABLE).filter((role) => !['rules', 'updates', 'config'].includes(role)))(
    'are refused when %s is limited to channels: the limit would be none',
    (role) => expectRoot(rolesOf({ [role]: { keys: ['r'], channels: ['*'] } }), 'ROLE_CHANNELS'),
  );

  it.each(['rules', 'updates', 'config'])('may limit %s to channels', (role) => {
    const document = rolesOf({ [role]: { keys: ['r'], channels: ['*', 'a', 'a/b/c/d', 'a/*', 'a.b-c/*'] } });
    expect(parseRoot(rootFile(document).bytes).roles.size).toBe(2);
  });

  it.each(['', '/', 'a/', '/a', 'a*', '*/a', 'a/*/b', 'a/**', 'A', 'a/../b/*', 'a//b', 'a b', 'a\n', '**'])(
    'are refused with the channel pattern %j',
    (pattern) => expectRoot(rolesOf({ rules: { keys: ['r'], channels: [pattern] } }), 'ROOT_MALFORMED'),
  );

  it('are refused with an empty list of channels, which could be read as all or none', () => {
    expectRoot(rolesOf({ rules: { keys: ['r'], channels: [] } }), 'ROOT_MALFORMED');
  });
});

describe('the document of a trust root', () => {
  it.each([
    ['ends before it begins', { issuedAt: day(2), expires: day(1) }],
    ['ends when it begins', { issuedAt: day(1), expires: day(1) }],
  ])('is refused when it %s', (_what, plan) => expectRoot(rootDocument(plan), 'ROOT_DATES'));

  it.each([
    ['an unknown field', { extra: 1 }],
    ['an unknown field of a key', { keys: { [keyid('a')]: { pem: testKey('a').publicKey.pem, role: 'root' } } }],
    ['an unknown field of a role', { roles: { root: { keyids: [], threshold: 1, weight: 2 } } }],
    ['an unknown field of what is revoked', { revoked: { keys: [], payloads: [], hosts: [] } }],
    ['nothing revoked', { revoked: undefined }],
    ['version 0', { version: 0 }],
    ['a version as text', { version: '1' }],
    ['a threshold as text', { roles: { root: { keyids: [keyid('root-a')], threshold: '1' } } }],
    ['a date without milliseconds', { expires: '2029-01-01T00:00:00Z' }],
    ['a date in another zone', { expires: '2029-01-01T00:00:00.000+01:00' }],
    ['a day that is none', { expires: '2029-02-30T00:00:00.000Z' }],
    ['a year of five digits, which sorts before others', { expires: '+12029-01-01T00:00:00.000Z' }],
    ['an enclave with a space', { enclave: 'site 7' }],
    ['no keys', { keys: {} }],
    ['a payload that is revoked by no digest', { revoked: { keys: [], payloads: ['sha256:abc'] } }],
    ['a recipient that is no age key', { recipients: { reveal: ['age1abc'] } }],
  ])('is refused with %s', (_what, change) => expectRoot(changed(change), 'ROOT_MALFORMED'));

  const text = canonicalJson(rootDocument());
  it.each([
    ['is not in canonical form', JSON.stringify(JSON.parse(text), null, 2), 'JSON_NOT_CANONICAL'],
    ['ends in a newline', `${text}\n`, 'JSON_NOT_CANONICAL'],
    ['has a field twice', text.replace('"version":1', '"version":1,"version":1'), 'JSON_DUPLICATE_KEY'],
    ['has a key listed twice', text.replace(/("[0-9a-f]{64}":)({[^}]*}),/, '$1$2,$1$2,'), 'JSON_DUPLICATE_KEY'],
    ['has a threshold that is no integer', text.replace('"threshold":2', '"threshold":1.5'), 'JSON_NUMBER'],
    ['has a huge threshold', text.replace('"threshold":2', '"threshold":9007199254740993'), 'JSON_NUMBER'],
    ['has a role named __proto__', text.replace('"roles":{', '"roles":{"__proto__":{},'), 'JSON_FORBIDDEN_KEY'],
    ['is cut short', text.slice(0, -1), 'JSON_SYNTAX'],
    ['is a list', '[]', 'SCHEMA_MISMATCH'],
    ['is empty', '', 'JSON_SYNTAX'],
  ])('is refused when it %s', (_what, payload, cause) => expectMalformed(() => parsePayload(utf8(payload)), cause));

  it('is refused in an envelope of another type', () => {
    const envelope = signed(BUNDLE_PAYLOAD_TYPE, encodeRoot(rootDocument()), ['root-a', 'root-b']);
    expectMalformed(() => parseRoot(encodeEnvelope(envelope)), 'PAYLOAD_TYPE');
  });

  it('is refused over the size limit, though only spaces take it there', () => {
    const { bytes } = rootFile(rootDocument());
    const padded = (size: number) => concatBytes(bytes, utf8(' '.repeat(size - bytes.length)));
    expect(parseRoot(padded(MAX_ROOT_BYTES)).version).toBe(1);
    expectMalformed(() => parseRoot(padded(MAX_ROOT_BYTES + 1)), 'ENVELOPE_TOO_LARGE');
  });

  it('is refused when it is no JSON at all', () => {
    expectCode(() => parseRoot(Uint8Array.of(0xff, 0xfe)), 'ROOT_MALFORMED');
    expectCode(() => parseRoot(new Uint8Array()), 'ROOT_MALFORMED');
  });
});
