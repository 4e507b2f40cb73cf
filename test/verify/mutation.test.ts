import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { decodeUtf8, encodeBase64, equalBytes, parseBase64, utf8 } from '../../src/core/bytes.ts';
import { type Envelope, encodeEnvelope, parseEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/core/strict-json.ts';
import { BUNDLE_CHECKS, type BundleVerification } from '../../src/verify/bundle-verification.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import {
  day,
  expectTrusted,
  judge,
  keyid,
  makeBundle,
  pinnedRoot,
  rootDocument,
  rootFile,
  type SampleBundle,
  signed,
  trustOf,
} from '../support/trust.ts';

/**
 * One valid bundle, and everything an attacker can do to its bytes. Few keys, since each costs milliseconds to check,
 * and no signature more than the thresholds need, so that there is no byte that doesn't matter.
 */
const plan = {
  roles: { root: { keys: ['rules-a'] }, rules: { keys: ['rules-a', 'rules-b'], threshold: 2 } },
  keys: { 'rules-b': { operator: 'rita', notAfter: day(500) } },
};
const first = rootFile(rootDocument(plan), ['rules-a']);
const second = rootFile(rootDocument({ ...plan, version: 2 }), ['rules-a']);
const statement = { audience: ['site-7'], expires: day(400), requires: { root: 1 } };
const bundle = makeBundle({ roots: [first], statement });
const trust = trustOf({ pinned: pinnedRoot(plan) });
/** With `SLOW=1` this file and mutation-tar.test.ts try 100,000 changes between them, which takes a quarter of an hour. */
const timeout = runs(60_000, 7_200_000);

const PARTS = ['envelope', 'root', 'index'] as const;
type Part = (typeof PARTS)[number];

function partOf(of: SampleBundle, part: Part): Uint8Array {
  return part === 'root' ? (of.roots.at(-1)?.bytes ?? new Uint8Array()) : of[part];
}

/** The part replaced: of the root chain its newest version. */
function withPart(of: SampleBundle, part: Part, bytes: Uint8Array): SampleBundle {
  if (part !== 'root') return { ...of, [part]: bytes };
  return { ...of, roots: [...of.roots.slice(0, -1), { version: of.roots.length, bytes }] };
}

/** Whatever came in, the report is whole: every check in its place, the verdict what they add up to. */
function verdictOf(verification: BundleVerification): string {
  const { checks, verdict } = verification.report('x');
  expect(checks.map(({ name }) => name)).toEqual(BUNDLE_CHECKS);
  const failures = checks.filter(({ status }) => status === 'fail');
  expect(failures.length).toBe(verdict === 'trusted' ? 0 : 1);
  expect(failures.every(({ code, reason }) => code !== undefined && reason.length > 0)).toBe(true);
  return verdict;
}

const typeOf = (part: Part) => (part === 'envelope' ? BUNDLE_PAYLOAD_TYPE : ROOT_PAYLOAD_TYPE);

/**
 * The two harmless changes: white space between the tokens of an envelope, and entries added to its signatures. Both
 * leave the payload and every signature that counted; neither touches what was signed.
 */
function isHarmless(of: SampleBundle, part: Part, bytes: Uint8Array): boolean {
  const original = partOf(of, part);
  if (part === 'index') return equalBytes(original, bytes);
  const [before, after] = [original, bytes].map((one) => parseEnvelope(one, typeOf(part)));
  if (before === undefined || after === undefined) return false;
  const has = (id: string, sig: Uint8Array) =>
    after.signatures.some((one) => one.keyid === id && equalBytes(one.sig, sig));
  return equalBytes(before.payload, after.payload) && before.signatures.every((one) => has(one.keyid, one.sig));
}

function expectRefusedOrHarmless(of: SampleBundle, part: Part, bytes: Uint8Array): void {
  if (verdictOf(judge(withPart(of, part, bytes), trust)) === 'trusted') expect(isHarmless(of, part, bytes)).toBe(true);
}

/** How bytes change: one of them flipped. */
const flips = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([where, flip]) => (bytes: Uint8Array) => {
  const at = where % bytes.length;
  return bytes.map((byte, i) => (i === at ? byte ^ flip : byte));
});

/** How bytes change: some cut out, some put in. */
const splices = fc
  .tuple(fc.nat(), fc.nat({ max: 8 }), fc.oneof(fc.constantFrom(' ', '\n', '', '{}', ',', '""', '"x":1,'), fc.string()))
  .map(([where, cut, text]) => (bytes: Uint8Array) => {
    const at = where % (bytes.length + 1);
    return new Uint8Array([...bytes.subarray(0, at), ...utf8(text), ...bytes.subarray(at + cut)]);
  });

/** The stranger's signature beside the others, and under every keyid that would count. */
function signedByStranger(envelope: Envelope): Envelope {
  const own = signEnvelope(envelope, testKey('stranger')).signatures.filter((one) => one.keyid === keyid('stranger'));
  const claimed = envelope.signatures.flatMap((one) => own.map(({ sig }) => ({ keyid: one.keyid, sig })));
  return { ...envelope, signatures: [...own, ...claimed] };
}

describe('a bundle that was tampered with on the way', () => {
  const parts = fc.constantFrom(...PARTS);
  const envelopes = fc.constantFrom('envelope', 'root');

  it('is trusted as long as it was not', () => expectTrusted(judge(bundle, trust)));

  it('is refused with any one byte changed', { timeout }, () => {
    fc.assert(
      fc.property(parts, flips, (part, flip) => {
        const hostile = withPart(bundle, part, flip(partOf(bundle, part)));
        expect(verdictOf(judge(hostile, trust))).toBe('refused');
      }),
      { numRuns: runs(300, 20_000) },
    );
  });

  it('is refused with anything cut out or put in, white space between the tokens of an envelope aside', {
    timeout,
  }, () => {
    fc.assert(
      fc.property(parts, splices, (part, splice) =>
        expectRefusedOrHarmless(bundle, part, splice(partOf(bundle, part))),
      ),
      { numRuns: runs(150, 12_000) },
    );
  });

  it('is refused with any field of an envelope changed, signatures that only came in addition aside', {
    timeout,
  }, () => {
    fc.assert(
      fc.property(envelopes, changes(), (part, change) =>
        expectRefusedOrHarmless(bundle, part, utf8(canonicalJson(change(jsonOf(partOf(bundle, part)))))),
      ),
      { numRuns: runs(150, 8_000) },
    );
  });

  it('is refused with any field of a signed document changed, also when a stranger signs it anew', { timeout }, () => {
    fc.assert(
      fc.property(envelopes, changes(), fc.boolean(), (part, change, resigned) => {
        const before = parseEnvelope(partOf(bundle, part), typeOf(part));
        const after = { ...before, payload: utf8(canonicalJson(change(jsonOf(before.payload)))) };
        expectRefusedOrHarmless(bundle, part, encodeEnvelope(resigned ? signedByStranger(after) : after));
      }),
      { numRuns: runs(150, 8_000) },
    );
  });

  it('is refused when the new root version it brings was changed in any way', { timeout }, () => {
    const newer = { ...bundle, roots: [first, second] };
    expectTrusted(judge(newer, trust));
    const before = parseEnvelope(second.bytes, ROOT_PAYLOAD_TYPE);
    const documents = changes().map((change) => () => {
      const after = { ...before, payload: utf8(canonicalJson(change(jsonOf(before.payload)))) };
      return encodeEnvelope(signedByStranger(after));
    });
    fc.assert(
      fc.property(fc.oneof(flips, splices, documents), (change) =>
        expectRefusedOrHarmless(newer, 'root', change(second.bytes)),
      ),
      { numRuns: runs(100, 6_000) },
    );
  });
});

describe('documents that the right people signed without looking', () => {
  const signAll = (payloadType: string, json: Json): Uint8Array =>
    encodeEnvelope(signed(payloadType, utf8(canonicalJson(json)), ['rules-a', 'rules-b']));

  // Most changes make no document at all, so here are some that do.
  const days = fc.integer({ min: 0, max: 1200 }).map(day);
  const fields = (record: Readonly<Record<string, fc.Arbitrary<Json>>>) =>
    fc.record(record, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>;
  const rootDates = fields({ issuedAt: days, expires: days, enclave: fc.constantFrom('site-7', 'site-8') }).map(
    (changed): Change =>
      (json) => ({ ...(json as JsonObject), ...changed }),
  );
  const statements = fields({
    issuedAt: days,
    expires: days,
    audience: fc.subarray(['site-7', 'site-8']),
    critical: fc.subarray(['x'], { maxLength: 1 }),
    requires: fc.constantFrom({}, { root: 2 }, { daemoneye: '2.0.0' }),
  }).map(
    (changed): Change =>
      (json) => {
        const statementJson = json as JsonObject;
        return { ...statementJson, predicate: { ...(statementJson['predicate'] as JsonObject), ...changed } };
      },
  );

  it('are judged and never crash the judge; what is trusted is still this index, here, in time', { timeout }, () => {
    const rootJson = jsonOf(parseEnvelope(second.bytes, ROOT_PAYLOAD_TYPE).payload);
    const bundleJson = jsonOf(parseEnvelope(bundle.envelope, BUNDLE_PAYLOAD_TYPE).payload);
    fc.assert(
      fc.property(fc.oneof(changes(), statements), fc.option(fc.oneof(changes(), rootDates)), (change, changeRoot) => {
        const roots = [first, { version: 2, bytes: signAll(ROOT_PAYLOAD_TYPE, changeRoot?.(rootJson) ?? null) }];
        const envelope = signAll(BUNDLE_PAYLOAD_TYPE, change(bundleJson));
        const verification = judge({ ...bundle, ...(changeRoot === null ? {} : { roots }), envelope }, trust);
        if (verdictOf(verification) !== 'trusted') return;
        const { statement: accepted, floor } = verification;
        const enclave = verification.chain.at(-1)?.enclave ?? '';
        expect(accepted?.critical).toEqual([]);
        expect(accepted?.index.size).toBe(bundle.index.length);
        expect(accepted?.audience.length === 0 || accepted?.audience.includes(enclave)).toBe(true);
        expect(floor >= (accepted?.issuedAt ?? '')).toBe(true);
        expect((accepted?.expires ?? floor) >= floor).toBe(true);
      }),
      { numRuns: runs(150, 6_000) },
    );
  });
});

type Change = (json: Json) => Json;

function jsonOf(bytes: Uint8Array): Json {
  return JSON.parse(decodeUtf8(bytes)) as Json;
}

/** A change of one place of a JSON document: another value, nothing, one more, twice the same. */
function changes(): fc.Arbitrary<Change> {
  const words = fc.constantFrom(
    ...['rules-a', 'rules-b', 'root-a', 'stranger'].map(keyid),
    ...['rules', 'root', 'update', 'trust', 'site-7', 'site-8', 'rules/linux', '*', 'constructor', 'toString'],
    ...[day(0), day(20), day(999), bundle.payload, testKey('stranger').publicKey.pem],
  );
  const leaf = fc.oneof(
    words,
    fc.string(),
    fc.integer({ min: -2, max: 3 }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
  );
  const value: fc.Arbitrary<Json> = fc.oneof(
    leaf,
    fc.array(leaf, { maxLength: 3 }),
    fc.dictionary(words, leaf, { maxKeys: 3 }),
  );
  const key = fc.oneof(
    words,
    fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
  );
  return fc
    .tuple(fc.array(fc.nat({ max: 40 }), { maxLength: 6 }), fc.constantFrom('set', 'drop', 'add', 'double'), key, value)
    .map(
      ([path, what, name, to]): Change =>
        (json) =>
          changeAt(json, path, what, name, to),
    );
}

function changeAt(json: Json, path: readonly number[], what: string, name: string, to: Json): Json {
  const [step, ...rest] = path;
  const children = Array.isArray(json) ? [...json.entries()] : isJsonObject(json) ? Object.entries(json) : [];
  const child = step === undefined || children.length === 0 ? undefined : children[step % children.length];
  if (child === undefined) {
    if (what === 'add') return Array.isArray(json) ? [...json, to] : isJsonObject(json) ? { ...json, [name]: to } : to;
    return to;
  }
  const [at, inner] = child;
  const last = rest.length === 0;
  const next = last && what === 'set' ? to : changeAt(inner, rest, what, name, to);
  if (Array.isArray(json)) {
    if (last && what === 'drop') return json.filter((_, i) => i !== at);
    if (last && what === 'double') return [...json, inner];
    return json.map((one, i) => (i === at ? next : one));
  }
  const object = json as { readonly [key: string]: Json };
  if (last && what === 'drop') return Object.fromEntries(Object.entries(object).filter(([other]) => other !== at));
  if (last && what === 'double') return { ...object, [name]: inner };
  return { ...object, [at]: next };
}

describe('the changes that do no harm', () => {
  const json = jsonOf(bundle.envelope) as { readonly signatures: readonly Json[]; readonly payload: string };
  const sig = encodeBase64(new Uint8Array(64));
  it.each([
    ['an indented envelope', JSON.stringify(json, null, 2)],
    ['its fields in another order', JSON.stringify(Object.fromEntries(Object.entries(json).reverse()))],
    ['a letter of it spelled as an escape', JSON.stringify(json).replace('"payload"', '"p\\u0061yload"')],
    ['its signatures in another order', canonicalJson({ ...json, signatures: [...json.signatures].reverse() })],
    ['a signature listed twice', canonicalJson({ ...json, signatures: [...json.signatures, ...json.signatures] })],
    [
      'a false one by a stranger',
      canonicalJson({ ...json, signatures: [{ keyid: keyid('x'), sig }, ...json.signatures] }),
    ],
    [
      'a false one by a signer',
      canonicalJson({ ...json, signatures: [{ keyid: keyid('rules-a'), sig }, ...json.signatures] }),
    ],
  ])('%s: trusted, and the same bundle', (_what, text) => {
    expect(text).not.toBe(decodeUtf8(bundle.envelope));
    const verification = judge({ ...bundle, envelope: utf8(text) }, trust);
    expectTrusted(verification);
    expect(verification.payload).toBe(bundle.payload);
    expect(isHarmless(bundle, 'envelope', utf8(text))).toBe(true);
  });

  it('do not include another spelling of the payload', () => {
    const spaced = canonicalJson({ ...json, payload: encodeBase64(utf8(` ${decodeUtf8(parseBase64(json.payload))}`)) });
    expect(verdictOf(judge({ ...bundle, envelope: utf8(spaced) }, trust))).toBe('refused');
  });
});
