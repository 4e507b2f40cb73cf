import { describe, expect, it } from 'vitest';
import { encodeEnvelope } from '../../src/core/dsse.ts';
import { assertRootNotExpired, extendPinnedRoot, type RootFile, verifyRootChain } from '../../src/verify/root-chain.ts';
import type { TrustRoot } from '../../src/verify/root-document.ts';
import { encodeRoot, parseRoot, parseRootEnvelope } from '../../src/verify/trust-root.ts';
import { expectCode } from '../support/expect-code.ts';
import { day, keyid, type RootPlan, rootDocument, rootFile } from '../support/trust.ts';

const OLD = { root: { keys: ['old-1', 'old-2', 'old-3'], threshold: 2 } };
const NEW = { root: { keys: ['new-1', 'new-2', 'new-3'], threshold: 2 } };

/** A version of a root, its root role and its signers. */
function version(n: number, roles: RootPlan['roles'], signers: readonly string[], plan: RootPlan = {}): RootFile {
  return rootFile(rootDocument({ ...plan, version: n, ...(roles === undefined ? {} : { roles }) }), signers);
}

const first = version(1, OLD, ['old-1', 'old-2']);
/** What version 2 with other root keys leads to, by who signed it. */
const rotatedBy = (signers: readonly string[], plan?: RootPlan) =>
  verifyRootChain([first, version(2, NEW, signers, plan)]);

function pin(file: RootFile): TrustRoot {
  return parseRoot(file.bytes);
}

/** The file with every signature listed `times` times. */
function repeated({ version: n, bytes }: RootFile, times: number): RootFile {
  const envelope = parseRootEnvelope(bytes);
  return {
    version: n,
    bytes: encodeEnvelope({ ...envelope, signatures: Array(times).fill(envelope.signatures).flat() }),
  };
}

describe('a root chain', () => {
  it('of one version stands by its own signatures', () => {
    expect(verifyRootChain([first]).map((root) => root.version)).toEqual([1]);
  });

  it('takes five versions with every key exchanged on the way', () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const files = [1, 2, 3, 4, 5].map((n) => {
      // Each version drops its oldest key and takes in one; the two it shares with the last one sign, and its newest.
      const held = keys.slice(n - 1, n + 2);
      return version(n, { root: { keys: held, threshold: 2 } }, held);
    });
    const chain = verifyRootChain(files);
    expect(chain.map((root) => root.version)).toEqual([1, 2, 3, 4, 5]);
    const newest = chain.at(-1);
    expect(newest?.roles.get('root')?.keyids).toEqual(['e', 'f', 'g'].map(keyid));
    expect(['a', 'b', 'c', 'd'].some((name) => newest?.keys.has(keyid(name)))).toBe(false);
    for (const file of files) expect(extendPinnedRoot(pin(file), files).at(-1)?.version).toBe(5);
  });

  it('changes its threshold with the version that says so', () => {
    const three = { root: { keys: ['old-1', 'old-2', 'old-3'], threshold: 3 } };
    const second = version(2, three, ['old-1', 'old-2', 'old-3']);
    expect(verifyRootChain([first, second]).length).toBe(2);
    expectCode(() => verifyRootChain([first, version(2, three, ['old-1', 'old-2'])]), 'ROOT_SIGNATURES_OWN');
    expectCode(() => verifyRootChain([first, second, version(3, OLD, ['old-1', 'old-2'])]), 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('lets a lost key of a 2-of-3 be rotated out by the other two', () => {
    const replaced = { root: { keys: ['old-1', 'old-2', 'new-3'], threshold: 2 } };
    const second = version(2, replaced, ['old-1', 'old-2'], { keys: { 'old-3': {} }, revoked: ['old-3'] });
    const third = (signers: readonly string[]) => version(3, replaced, signers);
    expect(verifyRootChain([first, second, third(['old-1', 'new-3'])]).length).toBe(3);
    // Whoever found it can't take part any more, not even with one of the others.
    expectCode(() => verifyRootChain([first, second, third(['old-1', 'old-3'])]), 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('has no use for the expiry of its intermediate versions (TUF 5.3.6)', () => {
    const expired = version(1, OLD, ['old-1', 'old-2'], { issuedAt: day(0), expires: day(1) });
    const second = version(2, OLD, ['old-1', 'old-2'], { issuedAt: day(50), expires: day(60) });
    const third = version(3, OLD, ['old-1', 'old-2'], { issuedAt: day(100), expires: day(200) });
    expect(verifyRootChain([expired, second, third]).length).toBe(3);
  });

  it('is refused empty', () => expectCode(() => verifyRootChain([]), 'ROOT_CHAIN_EMPTY'));

  const steps = [1, 2, 3, 4].map((n) => version(n, OLD, ['old-1', 'old-2']));
  it.each([
    ['a gap', [1, 2, 4]],
    ['a start that is not version 1', [2, 3]],
    ['a version twice', [1, 2, 2]],
    ['versions that run backwards', [2, 1]],
    ['a return to its start', [1, 2, 1]],
  ])('is refused with %s', (_what, versions) => {
    const files = versions.flatMap((n) => steps[n - 1] ?? []);
    expect(files.length).toBe(versions.length);
    expectCode(() => verifyRootChain(files), 'ROOT_CHAIN_GAP');
    // Also when the names tell another story than the payloads.
    expectCode(() => verifyRootChain(files.map(({ bytes }, i) => ({ version: i + 1, bytes }))), 'ROOT_CHAIN_GAP');
  });

  it('is refused when a file is named for another version than it holds', () => {
    expectCode(() => verifyRootChain([{ ...first, version: 2 }]), 'ROOT_CHAIN_GAP');
    expectCode(() => verifyRootChain([first, { version: 2, bytes: first.bytes }]), 'ROOT_CHAIN_GAP');
  });

  it('is refused with a version that is none', () => {
    expectCode(() => verifyRootChain([first, { version: 2, bytes: new Uint8Array() }]), 'ROOT_MALFORMED');
  });
});

describe('a new root version (TUF 5.3.4)', () => {
  it('counts when the old keys and its own signed it', () => {
    expect(rotatedBy(['old-1', 'old-2', 'new-1', 'new-2']).length).toBe(2);
    expect(rotatedBy(['old-2', 'old-3', 'new-1', 'new-3']).length).toBe(2);
  });

  it.each([
    ['nobody', [], 'ROOT_SIGNATURES_PREVIOUS'],
    ['its new keys alone', ['new-1', 'new-2', 'new-3'], 'ROOT_SIGNATURES_PREVIOUS'],
    ['the old keys alone', ['old-1', 'old-2', 'old-3'], 'ROOT_SIGNATURES_OWN'],
    ['one old key and all new ones', ['old-1', 'new-1', 'new-2', 'new-3'], 'ROOT_SIGNATURES_PREVIOUS'],
    ['one new key and all old ones', ['old-1', 'old-2', 'old-3', 'new-1'], 'ROOT_SIGNATURES_OWN'],
    ['strangers', ['x', 'y', 'new-1', 'new-2'], 'ROOT_SIGNATURES_PREVIOUS'],
  ])('is refused when signed by %s', (_who, signers, code) => expectCode(() => rotatedBy(signers), code));

  it.each([2, 8, 20])(
    'is refused when one signature of each side is listed %i times (GHSA-r7vq-6425-j94w)',
    (times) => {
      const once = version(2, NEW, ['old-1', 'new-1', 'new-2']);
      expectCode(() => verifyRootChain([first, repeated(once, times)]), 'ROOT_SIGNATURES_PREVIOUS');
      const own = version(2, NEW, ['old-1', 'old-2', 'new-1']);
      expectCode(() => verifyRootChain([first, repeated(own, times)]), 'ROOT_SIGNATURES_OWN');
    },
  );

  it('is refused when a signature is listed under the id of another holder', () => {
    const once = parseRootEnvelope(version(2, NEW, ['old-1', 'new-1', 'new-2']).bytes);
    const mine = once.signatures.find((signature) => signature.keyid === keyid('old-1'));
    if (mine === undefined) throw new Error('old-1 signed');
    const claimed = { ...once, signatures: [...once.signatures, { ...mine, keyid: keyid('old-2') }] };
    const file = { version: 2, bytes: encodeEnvelope(claimed) };
    expectCode(() => verifyRootChain([first, file]), 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('is refused when two keys of one operator sign for the old ones', () => {
    const keys = { 'old-1': { operator: 'ann' }, 'old-2': { operator: 'ann' } };
    const start = version(1, OLD, ['old-1', 'old-3'], { keys });
    const by = (...signers: string[]) => verifyRootChain([start, version(2, NEW, [...signers, 'new-1', 'new-2'])]);
    expectCode(() => by('old-1', 'old-2'), 'ROOT_SIGNATURES_PREVIOUS');
    expect(by('old-2', 'old-3').length).toBe(2);
  });

  it('is refused when two keys of one operator sign for its own', () => {
    const keys = { 'new-1': { operator: 'ann' }, 'new-2': { operator: 'ann' } };
    expectCode(() => rotatedBy(['old-1', 'old-2', 'new-1', 'new-2'], { keys }), 'ROOT_SIGNATURES_OWN');
    expect(rotatedBy(['old-1', 'old-2', 'new-1', 'new-3'], { keys }).length).toBe(2);
  });

  it('is refused when it names two operators where the old version knows one', () => {
    const start = version(1, OLD, ['old-1', 'old-3'], {
      keys: { 'old-1': { operator: 'ann' }, 'old-2': { operator: 'ann' } },
    });
    const keys = { 'old-1': { operator: 'ann' }, 'old-2': { operator: 'bob' } };
    const second = version(2, OLD, ['old-1', 'old-2'], { keys });
    expectCode(() => verifyRootChain([start, second]), 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('is refused when a key that the old version revoked has to help', () => {
    const start = version(1, { root: { ...OLD.root, threshold: 1 } }, ['old-1'], { revoked: ['old-2'] });
    const by = (signer: string) => verifyRootChain([start, version(2, NEW, [signer, 'new-1', 'new-2'])]);
    expectCode(() => by('old-2'), 'ROOT_SIGNATURES_PREVIOUS');
    expect(by('old-3').length).toBe(2);
  });

  it('is refused when a key that it revokes itself has to help on its own side', () => {
    const plan = { revoked: ['new-3'] };
    expectCode(() => rotatedBy(['old-1', 'old-2', 'new-1', 'new-3'], plan), 'ROOT_SIGNATURES_OWN');
    expect(rotatedBy(['old-1', 'old-2', 'new-1', 'new-2'], plan).length).toBe(2);
  });

  it('is not held against the end of its signers: it is history, and was signed in time', () => {
    const start = version(1, OLD, ['old-1', 'old-2'], { keys: { 'old-1': { notAfter: day(5) } } });
    const signers = ['old-1', 'old-2', 'new-1', 'new-2'];
    expect(verifyRootChain([start, version(2, NEW, signers, { issuedAt: day(90) })]).length).toBe(2);
  });

  it('is refused when keys of other roles sign it', () => {
    const roles = { ...OLD, rules: { keys: ['r', 's'], threshold: 2 } };
    const start = version(1, roles, ['old-1', 'old-2']);
    const second = version(2, NEW, ['r', 's', 'new-1', 'new-2']);
    expectCode(() => verifyRootChain([start, second]), 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('is refused when its payload was changed after signing', () => {
    const second = version(2, NEW, ['old-1', 'old-2', 'new-1', 'new-2']);
    const other = encodeRoot(rootDocument({ version: 2, roles: NEW, enclave: 'site-8' }));
    const bytes = encodeEnvelope({ ...parseRootEnvelope(second.bytes), payload: other });
    expectCode(() => verifyRootChain([first, { version: 2, bytes }]), 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('is refused as version 1 when its own threshold did not sign it', () => {
    expectCode(() => verifyRootChain([version(1, OLD, ['old-1'])]), 'ROOT_SIGNATURES_OWN');
    expectCode(() => verifyRootChain([version(1, OLD, [])]), 'ROOT_SIGNATURES_OWN');
  });
});

describe('a chain against the pinned version', () => {
  const second = version(2, NEW, ['old-1', 'old-2', 'new-1', 'new-2']);
  const third = version(3, NEW, ['new-1', 'new-2']);

  it('gives the versions from the pinned one on', () => {
    const files = [first, second, third];
    expect(extendPinnedRoot(pin(first), files).map((root) => root.version)).toEqual([1, 2, 3]);
    expect(extendPinnedRoot(pin(second), files).map((root) => root.version)).toEqual([2, 3]);
    expect(extendPinnedRoot(pin(third), files).map((root) => root.version)).toEqual([3]);
  });

  it('knows the pinned version by its payload, whoever else signed it', () => {
    const elsewhere = version(2, NEW, ['old-2', 'old-3', 'new-2', 'new-3']);
    expect(extendPinnedRoot(pin(second), [first, elsewhere, third]).length).toBe(2);
  });

  it('is refused when it ends before it: a rollback', () => {
    expectCode(() => extendPinnedRoot(pin(third), [first, second]), 'ROOT_ROLLBACK');
    expectCode(() => extendPinnedRoot(pin(second), [first]), 'ROOT_ROLLBACK');
  });

  it('is refused when it is empty', () => expectCode(() => extendPinnedRoot(pin(first), []), 'ROOT_CHAIN_EMPTY'));

  it('is refused when its version is another, though properly signed by the same people', () => {
    const other = version(2, NEW, ['old-1', 'old-2', 'new-1', 'new-2'], { expires: day(1001) });
    expect(verifyRootChain([first, other]).length).toBe(2);
    expectCode(() => extendPinnedRoot(pin(second), [first, other]), 'ROOT_PIN_MISMATCH');
  });

  it('is refused when it comes from another publisher', () => {
    const theirs = { root: { keys: ['their-1', 'their-2'], threshold: 2 } };
    const chain = [1, 2, 3].map((n) => version(n, theirs, ['their-1', 'their-2']));
    expect(verifyRootChain(chain).length).toBe(3);
    for (const pinned of [first, second, third]) {
      expectCode(() => extendPinnedRoot(pin(pinned), chain), 'ROOT_PIN_MISMATCH');
    }
  });

  it('is refused when a stranger continues it', () => {
    const theirs = { root: { keys: ['their-1'], threshold: 1 } };
    const files = [first, version(2, theirs, ['their-1'])];
    expectCode(() => extendPinnedRoot(pin(first), files), 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('gives nothing that a stranger put before the pinned version by signing that one too', () => {
    const theirs = version(1, { root: { keys: ['their-1'], threshold: 1 } }, ['their-1']);
    const countersigned = version(2, NEW, ['their-1', 'new-1', 'new-2']);
    const chain = extendPinnedRoot(pin(second), [theirs, countersigned, third]);
    expect(chain.map((root) => root.digest)).toEqual([pin(second).digest, pin(third).digest]);
  });

  it('of a stranger is refused before any of its keys is looked at', () => {
    const unsafe = rootDocument({ roles: OLD });
    const broken = { ...unsafe, keys: { ...unsafe.keys, [keyid('old-1')]: { pem: 'none' } } };
    const theirs = rootFile(broken, ['old-1']);
    expectCode(() => verifyRootChain([theirs]), 'ROOT_KEY_UNSAFE');
    expectCode(() => extendPinnedRoot(pin(first), [theirs]), 'ROOT_PIN_MISMATCH');
  });

  it('is refused with a gap, a wrong start or rubbish where the pinned version should be', () => {
    expectCode(() => extendPinnedRoot(pin(second), [first, third]), 'ROOT_CHAIN_GAP');
    expectCode(() => extendPinnedRoot(pin(second), [second, third]), 'ROOT_CHAIN_GAP');
    expectCode(() => extendPinnedRoot(pin(first), [{ version: 1, bytes: new Uint8Array(3) }]), 'ROOT_MALFORMED');
    expectCode(() => extendPinnedRoot(pin(first), [first, { version: 2, bytes: first.bytes }]), 'ROOT_CHAIN_GAP');
  });
});

describe('the newest version against the floor (TUF 5.3.10)', () => {
  const root = pin(version(1, OLD, ['old-1'], { issuedAt: day(1), expires: day(10) }));

  it('stands until the floor has passed its end', () => {
    assertRootNotExpired(root, day(0));
    assertRootNotExpired(root, day(10));
  });

  it('is refused from then on', () => {
    expectCode(() => assertRootNotExpired(root, '2027-01-11T00:00:00.001Z'), 'ROOT_EXPIRED');
    expectCode(() => assertRootNotExpired(root, day(11)), 'ROOT_EXPIRED');
  });
});
