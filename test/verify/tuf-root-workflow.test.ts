import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_ROOT_BYTES, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { concatBytes, utf8 } from '../../src/core/bytes.ts';
import { encodeEnvelope } from '../../src/core/dsse.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { type RootFile, verifyRootChain } from '../../src/verify/root-chain.ts';
import type { RootDocument } from '../../src/verify/root-document.ts';
import { parseRoot, parseRootEnvelope } from '../../src/verify/trust-root.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import {
  day,
  expectRefused,
  expectTrusted,
  judge,
  keyid,
  makeBundle,
  type RootPlan,
  rootDocument,
  rootFile,
  signed,
  trustOf,
} from '../support/trust.ts';

/**
 * TUF's root workflow (The Update Framework specification 1.0.33, sections 5.2 and 5.3, and what 4.2 and 4.3 ask of a root), a
 * test a rule, each through the verifier of bundles: what an enclave that pinned a version says of a chain.
 */
const RULES = { keys: ['rules-a'], threshold: 1 };
const OLD = { root: { keys: ['old-1', 'old-2', 'old-3'], threshold: 2 }, rules: RULES };
const NEW = { root: { keys: ['new-1', 'new-2', 'new-3'], threshold: 2 }, rules: RULES };
const EVERYBODY = ['old-1', 'old-2', 'new-1', 'new-2'];

function version(n: number, roles: RootPlan['roles'], signers: readonly string[], plan: RootPlan = {}): RootFile {
  return rootFile(rootDocument({ ...plan, version: n, ...(roles === undefined ? {} : { roles }) }), signers);
}

const first = version(1, OLD, ['old-1', 'old-2']);
const second = version(2, NEW, EVERYBODY);
const third = version(3, NEW, ['new-1', 'new-2']);

/** What an enclave that pinned `pinned` says of a bundle with this chain; the bundle itself is in order. */
function judged(roots: readonly RootFile[], pinned: RootFile = first, floor = day(1), signers = ['rules-a']) {
  return judge(makeBundle({ roots, signers }), trustOf({ pinned: parseRoot(pinned.bytes), floor }));
}

const refused = (roots: readonly RootFile[], code: string, pinned?: RootFile) =>
  expectRefused(judged(roots, pinned), 'root-chain', code);
/** A version 2 that everybody signed, whatever is in it. */
const refusedSecond = (document: RootDocument, code: string) => refused([first, rootFile(document, EVERYBODY)], code);
const refusedPayload = (payload: string, code: string) => {
  const bytes = encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, utf8(payload), EVERYBODY));
  refused([first, { version: 2, bytes }], code);
};

it('the sample chain is trusted, from whichever version is pinned', () => {
  for (const pinned of [first, second, third]) expectTrusted(judged([first, second, third], pinned));
});

describe('5.2 trust begins at the root that was pinned', () => {
  it("a pinned root that differs from the chain's: another publisher", () => {
    const theirs = { root: { keys: ['their-1'] }, rules: RULES };
    refused([version(1, theirs, ['their-1'])], 'ROOT_PIN_MISMATCH');
  });

  it("a pinned root that differs from the chain's: the same people signed both", () => {
    const other = version(2, NEW, EVERYBODY, { expires: day(1001) });
    expectTrusted(judged([first, other]));
    refused([first, other], 'ROOT_PIN_MISMATCH', second);
    refused([first, other, third], 'ROOT_PIN_MISMATCH', second);
  });

  it("a pinned root that differs from the chain's in its bytes alone, the document being the same", () => {
    const spaced = JSON.stringify(JSON.parse(canonicalJson(rootDocument({ roles: OLD }))), null, 1);
    const bytes = encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, utf8(spaced), ['old-1', 'old-2']));
    refused([{ version: 1, bytes }], 'ROOT_PIN_MISMATCH');
  });

  it('the pinned root is known by its payload: other signatures on it are no difference', () => {
    expectTrusted(judged([version(1, OLD, ['old-2', 'old-3']), second]));
  });
});

describe('5.3.3 what is read of a version is bounded', () => {
  it('one of 512 KiB is read, and not one byte more', () => {
    const padded = (size: number) => concatBytes(second.bytes, utf8(' '.repeat(size - second.bytes.length)));
    expectTrusted(judged([first, { version: 2, bytes: padded(MAX_ROOT_BYTES) }]));
    refused([first, { version: 2, bytes: padded(MAX_ROOT_BYTES + 1) }], 'ROOT_MALFORMED');
  });

  it('256 versions are read, and not one more', () => {
    const one = { root: { keys: ['old-1'] }, rules: RULES };
    const chain = Array.from({ length: 257 }, (_, i) => version(i + 1, one, ['old-1']));
    const pinned = chain[0];
    if (pinned === undefined) throw new Error('there are 257');
    expectTrusted(judged(chain.slice(0, 256), pinned));
    refused(chain, 'ROOT_CHAIN_TOO_LONG', pinned);
  });
});

describe('5.3.4 a version is signed by the threshold of the one before and by its own', () => {
  it.each([
    ['nobody', [], 'ROOT_SIGNATURES_PREVIOUS'],
    ['its new keys only', ['new-1', 'new-2', 'new-3'], 'ROOT_SIGNATURES_PREVIOUS'],
    ['the old keys only', ['old-1', 'old-2', 'old-3'], 'ROOT_SIGNATURES_OWN'],
    ['all new keys and one old too few', ['old-1', 'new-1', 'new-2', 'new-3'], 'ROOT_SIGNATURES_PREVIOUS'],
    ['all old keys and one new too few', ['old-1', 'old-2', 'old-3', 'new-1'], 'ROOT_SIGNATURES_OWN'],
    ['keys of another role', ['rules-a', 'new-1', 'new-2'], 'ROOT_SIGNATURES_PREVIOUS'],
  ])('the newest, signed by %s', (_who, signers, code) => refused([first, version(2, NEW, signers)], code));

  const last = { root: { keys: ['last-1', 'last-2'], threshold: 2 }, rules: RULES };
  it.each([
    ['only by the new keys', ['new-1', 'new-2'], 'ROOT_SIGNATURES_PREVIOUS'],
    ['only by the old keys', ['old-1', 'old-2'], 'ROOT_SIGNATURES_OWN'],
  ])('an intermediate root, signed %s, though everybody signed the newest', (_who, signers, code) => {
    const newest = version(3, last, [...EVERYBODY, 'last-1', 'last-2']);
    expectTrusted(judged([first, second, newest]));
    refused([first, version(2, NEW, signers), newest], code);
  });

  it('the first, by its own', () => refused([version(1, OLD, ['old-1']), second], 'ROOT_SIGNATURES_OWN'));

  it('one signature in many entries is one signature (CVE-2020-6174)', () => {
    const once = parseRootEnvelope(version(2, NEW, ['old-1', 'new-1', 'new-2']).bytes);
    const bytes = encodeEnvelope({ ...once, signatures: Array(20).fill(once.signatures).flat() });
    refused([first, { version: 2, bytes }], 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('nothing is parsed of a version that the one before does not vouch for', () => {
    const bytes = encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, utf8('not even JSON'), ['their-1']));
    refused([first, { version: 2, bytes }], 'ROOT_SIGNATURES_PREVIOUS');
    refusedPayload('not even JSON', 'ROOT_MALFORMED');
  });
});

describe('5.3.5 versions count up by one', () => {
  it.each([
    ['a gap', [first, third]],
    ['a start after the first', [second, third]],
    ['a version twice', [first, second, second]],
    ['versions backwards', [second, first]],
    ['a return to the start', [first, second, first]],
  ])('%s', (_what, files) => refused(files, 'ROOT_CHAIN_GAP'));

  it('a gap that the names of the files hide', () => {
    refused([first, second, { ...version(4, NEW, ['new-1', 'new-2']), version: 3 }], 'ROOT_CHAIN_GAP');
  });

  it('rollback of the root: a chain that ends before the pinned version', () => {
    refused([first, second], 'ROOT_ROLLBACK', third);
    refused([first], 'ROOT_ROLLBACK', second);
  });

  it('rollback of the root: an older version under the number of the pinned one', () => {
    const again = { ...rootDocument({ roles: OLD }), version: 2 };
    refused([first, rootFile(again, EVERYBODY)], 'ROOT_PIN_MISMATCH', second);
  });
});

describe('5.3.6 expiry of intermediate versions is ignored', () => {
  const short = (n: number, from: number) =>
    version(n, OLD, ['old-1', 'old-2'], { issuedAt: day(from), expires: day(from + 1) });
  it('long expired versions lead to one that stands', () => {
    const newest = version(3, OLD, ['old-1', 'old-2'], { issuedAt: day(100), expires: day(200) });
    expectTrusted(judged([short(1, 0), short(2, 50), newest], short(1, 0), day(150)));
  });

  it('also when the pinned one is among them', () => {
    const newest = version(2, OLD, ['old-1', 'old-2'], { issuedAt: day(100), expires: day(200) });
    expectTrusted(judged([short(1, 0), newest], short(1, 0), day(150)));
  });
});

describe('5.3.8 verified versions are kept', () => {
  it('when the bundle around them is refused', () => {
    const verification = judged([first, second], first, day(1), ['stranger']);
    expectRefused(verification, 'signatures', 'NO_TRUSTED_SIGNATURE');
    expect(verification.chain.map((root) => root.version)).toEqual([1, 2]);
  });

  it('when the newest has expired', () => {
    const expired = version(2, NEW, EVERYBODY, { expires: day(20) });
    const verification = judged([first, expired], first, day(21));
    expectRefused(verification, 'root-chain', 'ROOT_EXPIRED');
    expect(verification.chain.map((root) => root.version)).toEqual([1, 2]);
  });

  it('but none of a chain that does not hold', () => {
    const verification = judged([first, version(2, NEW, ['new-1', 'new-2'])]);
    expectRefused(verification, 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
    expect(verification.chain).toEqual([]);
  });
});

describe('5.3.10 the newest version has not expired', () => {
  const newest = version(2, NEW, EVERYBODY, { expires: day(20) });
  it('expired against the floor', () => {
    expectRefused(judged([first, newest], first, day(21)), 'root-chain', 'ROOT_EXPIRED');
    expectRefused(judged([first, newest], first, '2027-01-21T00:00:00.001Z'), 'root-chain', 'ROOT_EXPIRED');
  });

  it('not yet expired against the floor, to the millisecond', () => {
    expectTrusted(judged([first, newest], first, day(20)));
  });
});

describe('5.3.11 keys that were rotated out do not count any more', () => {
  const rotated = version(2, { ...NEW, rules: { keys: ['rules-b'] } }, EVERYBODY);
  it('not for bundles', () => {
    expectRefused(judged([first, rotated]), 'signatures', 'NO_TRUSTED_SIGNATURE');
    expectTrusted(judged([first, rotated], first, day(1), ['rules-b']));
  });

  it('not for the next version', () => {
    refused([first, second, version(3, NEW, ['old-1', 'old-2', 'new-1'])], 'ROOT_SIGNATURES_PREVIOUS');
  });
});

describe('4.2 and 4.3: what a version says of its keys and roles', () => {
  const next = (plan: RootPlan = {}) => rootDocument({ ...plan, version: 2, roles: plan.roles ?? NEW });
  const withRoot = (grant: { keyids: string[]; threshold: number }) => ({
    ...next(),
    roles: { ...next().roles, root: grant },
  });

  it('duplicate keyids in a role', () => {
    refusedSecond(
      withRoot({ keyids: [keyid('new-1'), keyid('new-1'), keyid('new-2')], threshold: 2 }),
      'ROLE_DUPLICATE_KEY',
    );
  });

  it('duplicate keyids among the keys', () => {
    const text = canonicalJson(next());
    refusedPayload(text.replace(/("[0-9a-f]{64}":)({[^}]*}),/, '$1$2,$1$2,'), 'ROOT_MALFORMED');
  });

  it('the same key under two ids', () => {
    const alias = 'ab'.repeat(32);
    const keys = { ...next().keys, [alias]: { pem: testKey('new-1').publicKey.pem } };
    refusedSecond({ ...withRoot({ keyids: [keyid('new-1'), alias], threshold: 2 }), keys }, 'ROOT_KEYID_MISMATCH');
  });

  it('the same key under two ids, spelled in two ways', () => {
    const { pem } = testKey('new-1').publicKey;
    const keys = { ...next().keys, [keyid('new-1').toUpperCase()]: { pem } };
    refusedSecond({ ...next(), keys }, 'ROOT_MALFORMED');
  });

  it.each([0, -1])('threshold %i', (threshold) => {
    refusedSecond(withRoot({ keyids: [keyid('new-1')], threshold }), 'THRESHOLD_INVALID');
  });

  it.each<[string, RootPlan]>([
    ['more than keys', { roles: { ...NEW, root: { keys: ['new-1', 'new-2'], threshold: 3 } } }],
    ['no keys at all', { roles: { ...NEW, root: { keys: [] } } }],
    ['more than unrevoked keys', { revoked: ['new-2', 'new-3'] }],
    [
      'more than people',
      { keys: { 'new-1': { operator: 'a' }, 'new-2': { operator: 'a' }, 'new-3': { operator: 'a' } } },
    ],
  ])('threshold unreachable: %s', (_what, plan) => refusedSecond(next(plan), 'THRESHOLD_UNREACHABLE'));

  it('a key that is named and not listed', () => {
    refusedSecond(withRoot({ keyids: [keyid('new-1'), keyid('nobody')], threshold: 1 }), 'ROLE_UNKNOWN_KEY');
  });

  it('nobody to sign the next one', () => {
    refusedSecond(next({ roles: { rules: RULES } }), 'ROOT_ROLE_MISSING');
  });
});

describe('a chain of any shape', () => {
  const NAMES = ['a', 'b', 'c', 'd'];
  const OPERATORS = { a: 'ann', b: 'ann', c: 'cyd' } as Record<string, string>;
  const subset = fc.subarray(NAMES);
  const step = fc.record({
    keys: fc.subarray(NAMES, { minLength: 1 }),
    threshold: fc.integer({ min: 1, max: 3 }),
    revoked: fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, subset),
    signers: fc.oneof({ weight: 3, arbitrary: fc.constant(NAMES) }, subset),
  });
  type Step = { keys: string[]; threshold: number; revoked: string[]; signers: string[] };

  /** Said again in the plainest way: how many people stand behind `names`. */
  const people = ({ keys, revoked }: Step, names: readonly string[]) =>
    new Set(
      names.filter((name) => keys.includes(name) && !revoked.includes(name)).map((name) => OPERATORS[name] ?? name),
    ).size;

  function expected(steps: readonly Step[]): string | undefined {
    for (const [i, step] of steps.entries()) {
      const before = steps[i - 1];
      if (before !== undefined && people(before, step.signers) < before.threshold) return 'ROOT_SIGNATURES_PREVIOUS';
      if (people(step, NAMES) < step.threshold) return 'THRESHOLD_UNREACHABLE';
      if (people(step, step.signers) < step.threshold) return 'ROOT_SIGNATURES_OWN';
    }
    return undefined;
  }

  it('is accepted exactly when each step has enough people on both sides', { timeout: runs(60_000, 3_600_000) }, () => {
    const listed = Object.fromEntries(
      NAMES.map((name) => [name, OPERATORS[name] === undefined ? {} : { operator: OPERATORS[name] }]),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => {
        const files = steps.map(({ keys, threshold, revoked, signers }, i) =>
          version(i + 1, { root: { keys, threshold } }, signers, { keys: listed, revoked }),
        );
        let code: string | undefined;
        try {
          verifyRootChain(files);
        } catch (error) {
          if (!(error instanceof DaemonEyeError)) throw error;
          code = error.code;
        }
        expect(code).toBe(expected(steps));
      }),
      { numRuns: runs(60, 20_000) },
    );
  });
});
