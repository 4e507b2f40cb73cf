import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { sha256Digest } from '../../src/core/digest.ts';
import { type Envelope, encodeEnvelope, mergeSignatures, signEnvelope } from '../../src/core/dsse.ts';
import { verifyRootChain } from '../../src/verify/root-chain.ts';
import type { RootDocument, TrustRoot } from '../../src/verify/root-document.ts';
import {
  finishRoot,
  firstDraft,
  nextDraft,
  sealDraft,
  withKey,
  withRevokedKey,
  withRevokedPayload,
  withRole,
} from '../../src/verify/root-draft.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { day, keyid } from '../support/trust.ts';

const public_ = (name: string) => testKey(name).publicKey;
const signAs = (envelope: Envelope, ...names: string[]) =>
  names.reduce((signed, name) => signEnvelope(signed, testKey(name)), envelope);

/** Three people, two of whom must agree. */
function draft(): RootDocument {
  const keys = ['ann', 'bob', 'cyd'];
  const listed = keys.reduce(
    (document, name) => withKey(document, public_(name), { operator: name }),
    firstDraft(day(0), day(100), 'site-7'),
  );
  return withRole(listed, 'root', { keyids: keys.map(keyid), threshold: 2 });
}

function finished(document: RootDocument, previous: TrustRoot | undefined, ...signers: string[]): TrustRoot {
  return parseRoot(encodeEnvelope(finishRoot(signAs(sealDraft(document), ...signers), document, previous)));
}

describe('making a trust root', () => {
  it('ends in a root that stands', () => {
    const root = finished(draft(), undefined, 'ann', 'cyd');
    expect(root).toMatchObject({ version: 1, expires: day(100), enclave: 'site-7' });
    expect(verifyRootChain([{ version: 1, bytes: encodeEnvelope(root.envelope) }])).toHaveLength(1);
  });

  it('is not sealed before it could be a root', () => {
    expectCode(() => sealDraft(withRole(draft(), 'rules', { keyids: [], threshold: 1 })), 'THRESHOLD_UNREACHABLE');
    expectCode(() => sealDraft(withRole(draft(), 'rule', { keyids: [keyid('ann')], threshold: 1 })), 'ROLE_UNKNOWN');
    const listed = withKey(firstDraft(day(0), day(1)), public_('ann'), {});
    expectCode(() => sealDraft(listed), 'ROOT_ROLE_MISSING');
    expectCode(() => sealDraft({ ...draft(), expires: day(0) }), 'ROOT_DATES');
  });

  it.each([
    ['an operator that is no name', withKey(draft(), public_('dan'), { operator: 'Dan Smith' }), 'ROOT_MALFORMED'],
    ['a moment that is none', { ...draft(), expires: 'tomorrow' }, 'ROOT_MALFORMED'],
    [
      'a channel that is none',
      withRole(draft(), 'rules', { keyids: [keyid('ann')], threshold: 1, channels: ['*/a'] }),
      'ROOT_MALFORMED',
    ],
    ['nothing in it', {}, 'ROOT_MALFORMED'],
    [
      'more revoked than fits',
      { ...draft(), revoked: { keys: [], payloads: revokedPayloads(6000) } },
      'ROOT_MALFORMED',
    ],
  ])('is not sealed with %s, for somebody may have edited the draft', (_what, document, code) => {
    expectCode(() => sealDraft(document as RootDocument), code);
  });

  function revokedPayloads(count: number): string[] {
    return Array.from({ length: count }, (_, i) => sha256Digest(utf8(String(i))));
  }

  it('is not finished below the threshold', () => {
    expectCode(() => finished(draft(), undefined), 'ROOT_SIGNATURES_OWN');
    expectCode(() => finished(draft(), undefined, 'bob'), 'ROOT_SIGNATURES_OWN');
    expectCode(() => finished(draft(), undefined, 'bob', 'dan'), 'ROOT_SIGNATURES_OWN');
  });

  it('keeps no signature that is not by a root key of it or of the version before', () => {
    const root = finished(draft(), undefined, 'dan', 'ann', 'bob');
    expect(root.envelope.signatures.map((signature) => signature.keyid).sort()).toEqual(
      [keyid('ann'), keyid('bob')].sort(),
    );
  });
});

describe('copies that were signed apart', () => {
  const sealed = sealDraft(draft());

  it('make one envelope', () => {
    const merged = mergeSignatures(sealed, [signAs(sealed, 'ann'), signAs(sealed, 'bob', 'ann')]);
    expect(encodeEnvelope(merged)).toEqual(encodeEnvelope(signAs(sealed, 'ann', 'bob')));
  });

  it('are refused when one is of another draft', () => {
    const other = sealDraft({ ...draft(), expires: day(99) });
    expectCode(() => mergeSignatures(sealed, [signAs(sealed, 'ann'), signAs(other, 'bob')]), 'PAYLOADS_DIFFER');
  });

  it('can not push out a good signature with a broken one, in whichever order they come', () => {
    const good = [signAs(sealed, 'ann'), signAs(sealed, 'bob')];
    const broken = { ...sealed, signatures: [{ keyid: keyid('ann'), sig: new Uint8Array(64) }] };
    for (const copies of [
      [...good, broken],
      [broken, ...good],
    ]) {
      const root = finishRoot(mergeSignatures(sealed, copies), draft(), undefined);
      expect(encodeEnvelope(root)).toEqual(encodeEnvelope(signAs(sealed, 'ann', 'bob')));
    }
  });
});

describe('the next version of a trust root', () => {
  const first = finished(draft(), undefined, 'ann', 'bob');

  it('keeps everything and counts one up', () => {
    expect(nextDraft(first, day(10), day(200))).toEqual({
      ...draft(),
      version: 2,
      issuedAt: day(10),
      expires: day(200),
    });
  });

  it('after a lost key is signed by the two that are left, and the finder is out', () => {
    const without = withRevokedKey(nextDraft(first, day(10), day(200)), keyid('cyd'));
    const replaced = withKey(without, public_('dan'), { operator: 'dan' });
    const roles = { keyids: ['ann', 'bob', 'dan'].map(keyid), threshold: 2 };
    const second = finished(withRole(replaced, 'root', roles), first, 'ann', 'bob');
    expect(second.revokedKeys).toEqual(new Set([keyid('cyd')]));

    const next = nextDraft(second, day(20), day(300));
    expectCode(() => finished(next, second, 'ann', 'cyd'), 'ROOT_SIGNATURES_OWN');
    const third = finished(next, second, 'ann', 'dan');
    const files = [first, second, third].map(({ version, envelope }) => ({ version, bytes: encodeEnvelope(envelope) }));
    expect(verifyRootChain(files)).toHaveLength(3);
  });

  it('is not finished by its own keys alone', () => {
    const exchanged = ['eve', 'fay'].reduce(
      (document, name) => withKey(document, public_(name), {}),
      nextDraft(first, day(10), day(200)),
    );
    const document = withRole(exchanged, 'root', { keyids: ['eve', 'fay'].map(keyid), threshold: 2 });
    expectCode(() => finished(document, first, 'eve', 'fay'), 'ROOT_SIGNATURES_PREVIOUS');
    expectCode(() => finished(document, first, 'eve', 'fay', 'bob'), 'ROOT_SIGNATURES_PREVIOUS');
    const second = finished(document, first, 'eve', 'fay', 'bob', 'ann');
    const files = [first, second].map(({ version, envelope }) => ({ version, bytes: encodeEnvelope(envelope) }));
    expect(verifyRootChain(files)).toHaveLength(2);
  });
});

describe('revoking', () => {
  it('takes a key out of every role', () => {
    const roles = withRole(draft(), 'rules', { keyids: [keyid('ann'), keyid('bob')], threshold: 1 });
    const revoked = withRevokedKey(roles, keyid('ann'));
    expect(Object.values(revoked.roles).flatMap(({ keyids }) => keyids)).not.toContain(keyid('ann'));
    expect(revoked.revoked.keys).toEqual([{ keyid: keyid('ann') }]);
  });

  it('is seen to be too much when the rest can not reach the threshold', () => {
    const revoked = ['ann', 'bob'].reduce((document, name) => withRevokedKey(document, keyid(name)), draft());
    expectCode(() => sealDraft(revoked), 'THRESHOLD_UNREACHABLE');
  });

  it('a key again changes nothing, and does not forget up to where its log still counts', () => {
    const validThrough = [{ origin: 'host/1', size: 7, root: sha256Digest(utf8('head')) }];
    const revoked = { keys: [{ keyid: keyid('log'), validThrough }], payloads: [] };
    const document = { ...draft(), revoked };
    expect(withRevokedKey(document, keyid('log'))).toEqual(document);
  });

  it('a payload lists it once', () => {
    const payload = sha256Digest(utf8('bundle'));
    const twice = withRevokedPayload(withRevokedPayload(draft(), payload), payload);
    expect(twice.revoked.payloads).toEqual([payload]);
  });
});
