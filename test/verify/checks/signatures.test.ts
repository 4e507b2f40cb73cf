import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE } from '../../../src/bundle/format.ts';
import type { BundleStatement } from '../../../src/bundle/statement.ts';
import { encodeHex } from '../../../src/core/bytes.ts';
import { type Envelope, encodeEnvelope, parseEnvelope } from '../../../src/core/dsse.ts';
import { testKey } from '../../support/keys.ts';
import {
  expectRefused,
  expectTrusted,
  judge,
  keyid,
  makeBundle,
  pinnedRoot,
  type RootPlan,
  rootDocument,
  rootFile,
  type SampleBundle,
  trustOf,
} from '../../support/trust.ts';

/** Judged by a version 1 as planned, which is the pinned one. */
function judgeUnder(plan: RootPlan, signers: readonly string[], statement: Partial<BundleStatement> = {}) {
  const roots = [rootFile(rootDocument(plan))];
  return judge(makeBundle({ roots, signers, statement }), trustOf({ pinned: pinnedRoot(plan) }));
}

/** The bundle with other signatures on the same payload. */
function withSignatures(bundle: SampleBundle, change: (of: Envelope['signatures']) => Envelope['signatures']) {
  const envelope = parseEnvelope(bundle.envelope, BUNDLE_PAYLOAD_TYPE);
  return { ...bundle, envelope: encodeEnvelope({ ...envelope, signatures: change(envelope.signatures) }) };
}

const root = { keys: ['root-a', 'root-b'], threshold: 2 };
const two = { root, rules: { keys: ['rules-a', 'rules-b', 'rules-c'], threshold: 2 } };

describe('the threshold of a bundle', () => {
  it.each([[['rules-a', 'rules-b']], [['rules-b', 'rules-c']], [['rules-a', 'rules-b', 'rules-c']]])(
    'is met by %j',
    (signers) => expectTrusted(judgeUnder({ roles: two }, signers)),
  );

  it('is not met by one', () => {
    expectRefused(judgeUnder({ roles: two }, ['rules-a']), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it.each([2, 3, 64])('is not met by one signature listed %i times', (times) => {
    const bundle = withSignatures(makeBundle({ signers: ['rules-a'] }), (signatures) =>
      Array(times).fill(signatures).flat(),
    );
    expectRefused(judge(bundle), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('is not met by one signature under the keyids of others', () => {
    const lies = ['rules-a', 'rules-b', 'rules-c'].map(keyid);
    const bundle = withSignatures(makeBundle({ signers: ['rules-a'] }), (signatures) =>
      lies.flatMap((claimed) => signatures.map((signature) => ({ ...signature, keyid: claimed }))),
    );
    expectRefused(judge(bundle), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('is not met by signatures that swapped their keyids', () => {
    const [a, b] = ['rules-a', 'rules-b'].map(keyid);
    const bundle = withSignatures(makeBundle(), (signatures) =>
      signatures.map(({ keyid: id, sig }) => ({ keyid: (id === a ? b : a) ?? '', sig })),
    );
    expectRefused(judge(bundle), 'signatures', 'NO_TRUSTED_SIGNATURE');
  });

  it('is not met by a stranger who claims a trusted keyid', () => {
    const bundle = withSignatures(makeBundle({ signers: ['rules-a', 'stranger'] }), (signatures) =>
      signatures.map((signature) =>
        signature.keyid === keyid('stranger') ? { ...signature, keyid: keyid('rules-b') } : signature,
      ),
    );
    expectRefused(judge(bundle), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('is not met by two keys of one operator, but by two operators', () => {
    const keys = {
      'rules-a': { operator: 'rita' },
      'rules-b': { operator: 'rita' },
      'rules-c': { operator: 'ravi' },
    };
    expectRefused(judgeUnder({ roles: two, keys }, ['rules-a', 'rules-b']), 'signatures', 'THRESHOLD_NOT_MET');
    const verification = judgeUnder({ roles: two, keys }, ['rules-b', 'rules-c']);
    expectTrusted(verification);
    const operators = verification.report('x').signers.map(({ operator }) => operator);
    expect(operators.sort()).toEqual(['ravi', 'rita']);
  });

  it('is not met by keys of another role beside one of its own', () => {
    const roles = { ...two, updates: { keys: ['up-a', 'up-b'], threshold: 1 } };
    const signers = ['rules-a', 'up-a', 'up-b', 'root-a', 'root-b'];
    expectRefused(judgeUnder({ roles }, signers), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it.each([
    ['cut out', () => []],
    ['zeroed', (of: Envelope['signatures']) => of.map(({ keyid: id }) => ({ keyid: id, sig: new Uint8Array(64) }))],
    [
      'reversed',
      (of: Envelope['signatures']) => of.map(({ keyid: id, sig }) => ({ keyid: id, sig: sig.toReversed() })),
    ],
    [
      'two bytes longer',
      (of: Envelope['signatures']) =>
        of.map(({ keyid: id, sig }) => ({ keyid: id, sig: new Uint8Array([...sig, 0, 0]) })),
    ],
  ])('is not met when the signatures are %s', (what, change) => {
    const code = what === 'cut out' ? 'UNSIGNED' : 'NO_TRUSTED_SIGNATURE';
    expectRefused(judge(withSignatures(makeBundle(), change)), what === 'cut out' ? 'envelope' : 'signatures', code);
  });

  it('is not met when one of two signatures is cut out', () => {
    const bundle = withSignatures(makeBundle(), (signatures) => signatures.slice(1));
    expectRefused(judge(bundle), 'signatures', 'THRESHOLD_NOT_MET');
  });

  // S + L verifies the same equation; RFC 8032 section 5.1.7 wants S < L.
  it('is not met by a signature that was made malleable', () => {
    const bundle = withSignatures(makeBundle({ signers: ['rules-a', 'rules-b'] }), (signatures) =>
      signatures.map(({ keyid: id, sig }) => ({ keyid: id, sig: plusGroupOrder(sig) })),
    );
    expectRefused(judge(bundle), 'signatures', 'NO_TRUSTED_SIGNATURE');
  });

  function plusGroupOrder(signature: Uint8Array): Uint8Array {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const scalar = BigInt(`0x${encodeHex(signature.slice(32).toReversed())}`) + order;
    const bytes = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').toReversed();
    return new Uint8Array([...signature.slice(0, 32), ...bytes]);
  }

  it('is met in spite of signatures by strangers, broken ones and repeated ones beside the good ones', () => {
    const bundle = withSignatures(makeBundle({ signers: ['rules-a', 'rules-b', 'stranger'] }), (signatures) => [
      { keyid: keyid('rules-c'), sig: new Uint8Array(64) },
      { keyid: keyid('rules-a'), sig: new Uint8Array(64) },
      ...signatures,
      ...signatures,
    ]);
    const verification = judge(bundle);
    expectTrusted(verification);
    expect(verification.payload).toBe(makeBundle().payload);
    const signers = verification.report('x').signers.map((signer) => signer.keyid);
    expect(signers.sort()).toEqual(['rules-a', 'rules-b'].map(keyid).sort());
  });
});

describe('the role of a bundle', () => {
  const four = {
    root: { keys: ['root-a', 'root-b'], threshold: 2 },
    rules: { keys: ['rules-a'] },
    updates: { keys: ['up-a'] },
    config: { keys: ['conf-a'] },
    heads: { keys: ['heads-a'] },
    'operator:admin': { keys: ['admin-a'] },
  };
  const kinds = { rules: ['rules-a'], update: ['up-a'], config: ['conf-a'], trust: ['root-a', 'root-b'] } as const;
  const everybody = ['rules-a', 'up-a', 'conf-a', 'heads-a', 'admin-a'];

  it.each(Object.entries(kinds))('of kind %s is held by %j and by nobody else', (kind, holders) => {
    const statement = { kind: kind as keyof typeof kinds };
    expectTrusted(judgeUnder({ roles: four }, holders, statement));
    const others = everybody.filter((name) => !(holders as readonly string[]).includes(name));
    expectRefused(judgeUnder({ roles: four }, others, statement), 'signatures', 'ROLE_NOT_HELD');
  });

  it('that the root grants to nobody is not taken over by the root keys', () => {
    const roles = { root };
    const verification = judgeUnder({ roles }, ['root-a', 'root-b'], { kind: 'update' });
    expectRefused(verification, 'signatures', 'ROLE_NOT_HELD');
  });

  it('can not be chosen by the statement: more signers of a weaker role do not help', () => {
    const signers = ['rules-a', 'heads-a', 'admin-a'];
    expectRefused(judgeUnder({ roles: four }, signers, { kind: 'config' }), 'signatures', 'ROLE_NOT_HELD');
  });

  it.each([
    [['rules/*'], 'rules/linux', true],
    [['rules/*'], 'rules/linux/x', true],
    [['rules/*'], 'rules', false],
    [['rules/a/*'], 'rules/ax/b', false],
    [['rules'], 'rules', true],
    [['rules'], 'rules/linux', false],
    [['other', 'rules/linux'], 'rules/linux', true],
    [['rules/linux'], 'rules/linux2', false],
    [['*'], 'rules/anything', true],
  ])('limited to %j covers %s: %s', (channels, channel, covered) => {
    const roles = { root, rules: { keys: ['rules-a'], channels } };
    const verification = judgeUnder({ roles }, ['rules-a'], { channel });
    if (covered) expectTrusted(verification);
    else expectRefused(verification, 'signatures', 'ROLE_NOT_HELD');
  });

  it.each([
    ['rules', 'update/agent'],
    ['rules', 'rulesx/a'],
    ['update', 'rules/linux'],
    ['trust', 'rules/linux'],
  ] as const)('of kind %s can not take a place on the channel %s', (kind, channel) => {
    const everyone = ['root-a', 'root-b', ...everybody];
    expectRefused(judgeUnder({ roles: four }, everyone, { kind, channel }), 'signatures', 'CHANNEL_OF_OTHER_KIND');
  });

  it('can be held by one key beside another role, each for its own kind', () => {
    const roles = { root, rules: { keys: ['both'] }, updates: { keys: ['both', 'up-a'], threshold: 2 } };
    expectTrusted(judgeUnder({ roles }, ['both']));
    expectRefused(judgeUnder({ roles }, ['both'], { kind: 'update' }), 'signatures', 'THRESHOLD_NOT_MET');
  });
});

describe('what a refusal of signatures says', () => {
  const reason = (verification: ReturnType<typeof judge>) =>
    verification.report('x').checks.find(({ status }) => status === 'fail')?.reason;

  it('tells a changed statement from a stranger', () => {
    const strange = judge(makeBundle({ signers: ['stranger'] }));
    const changed = judge(withSignatures(makeBundle(), (of) => of.map((one) => ({ ...one, sig: new Uint8Array(64) }))));
    expect(reason(strange)).toBe('no signature is by a key of the trust root');
    expect(reason(changed)).toMatch(/changed after signing/);
  });

  it('counts holders, not signatures', () => {
    expect(reason(judge(makeBundle({ signers: ['rules-a'] })))).toMatch(/^signed by 1 of the 2 holders/);
  });
});

// The builders really sign with the keys they name.
it('the sample keys are distinct', () => {
  const names = ['rules-a', 'rules-b', 'rules-c', 'root-a', 'stranger'];
  expect(new Set(names.map((name) => testKey(name).publicKey.pem)).size).toBe(names.length);
});
