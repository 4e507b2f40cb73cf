import { describe, expect, it } from 'vitest';
import { sha256Digest } from '../../src/core/digest.ts';
import { revocationOf } from '../../src/verify/standing.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import {
  judge,
  keyid,
  makeBundle,
  pinnedRoot,
  ROLES,
  type RootPlan,
  rootDocument,
  rootFile,
  trustOf,
} from '../support/trust.ts';

const payload = sha256Digest(new TextEncoder().encode('a statement'));
const other = sha256Digest(new TextEncoder().encode('another'));

function codeOf(plan: RootPlan, signers: readonly string[] | undefined, channel = 'rules/linux') {
  const accepted = { channel, payload, signers: signers?.map(keyid) };
  return revocationOf(pinnedRoot({ version: 1, ...plan }), accepted)?.code;
}

/** `trust revoke` takes a key out of every role as well. */
const withoutB = { ...ROLES, rules: { keys: ['rules-a', 'rules-c'], threshold: 2 } };
const two = ['rules-a', 'rules-b'];

describe('a bundle that was accepted under an older root', () => {
  it('stands as long as nothing about it is revoked', () => {
    expect(codeOf({}, two)).toBeUndefined();
    expect(codeOf({ revokedPayloads: [other] }, two)).toBeUndefined();
    expect(codeOf({ roles: withoutB, keys: { x: {} }, revoked: ['x'] }, two)).toBeUndefined();
  });

  it('does not when it is revoked itself, whoever signed it', () => {
    expect(codeOf({ revokedPayloads: [payload] }, two)).toBe('PAYLOAD_REVOKED');
    expect(codeOf({ revokedPayloads: [payload] }, undefined)).toBe('PAYLOAD_REVOKED');
  });

  it('does not when a signer is revoked whom it needed, and does when enough are left', () => {
    const revoked = { roles: withoutB, keys: { 'rules-b': {} }, revoked: ['rules-b'] };
    expect(codeOf(revoked, two)).toBe('KEY_REVOKED');
    expect(codeOf(revoked, [...two, 'rules-c'])).toBeUndefined();
    // Also where the key is named by its revocation alone, and no longer listed.
    expect(codeOf({ roles: withoutB, revoked: ['rules-b'] }, two)).toBe('KEY_REVOKED');
    // And where the role still names it: what counts is that it is revoked.
    expect(codeOf({ revoked: ['rules-b'] }, two)).toBe('KEY_REVOKED');
  });

  it('is measured by the newest root: two keys of one person are one holder, and strangers none', () => {
    const roles = { ...ROLES, rules: { keys: ['rules-a', 'rules-c'], threshold: 2 } };
    const keys = { 'rules-a': { operator: 'ann' }, 'rules-c': { operator: 'ann' }, 'rules-d': {} };
    const revoked = ['rules-b'];
    const signers = ['rules-a', 'rules-b', 'rules-c', 'rules-d'];
    const one = { roles: { ...roles, rules: { ...roles.rules, threshold: 1 } }, keys, revoked };
    expect(codeOf(one, signers)).toBeUndefined();
    const enough = { roles: { ...roles, rules: { keys: ['rules-a', 'rules-c', 'rules-d'], threshold: 2 } }, keys };
    expect(codeOf({ ...enough, revoked }, ['rules-a', 'rules-b', 'rules-c'])).toBe('KEY_REVOKED');
    expect(codeOf({ ...enough, revoked }, signers)).toBeUndefined();
    const nobody = { roles: { root: ROLES.root }, keys: { 'rules-b': {} }, revoked };
    expect(codeOf(nobody, two)).toBe('KEY_REVOKED');
    const elsewhere = { ...ROLES, rules: { keys: ['rules-a'], threshold: 1, channels: ['rules/windows'] } };
    expect(codeOf({ roles: elsewhere, revoked }, two)).toBe('KEY_REVOKED');
    expect(codeOf({ roles: elsewhere, revoked }, two, 'rules/windows')).toBeUndefined();
  });

  it('stays in use when its signers have only handed over, and when their keys have ended', () => {
    const handedOver = { ...ROLES, rules: { keys: ['rules-x', 'rules-y'], threshold: 2 } };
    expect(codeOf({ roles: handedOver }, two)).toBeUndefined();
    expect(codeOf({ keys: { 'rules-a': { notAfter: '2027-01-02T00:00:00.000Z' } } }, two)).toBeUndefined();
  });

  it('is not believed when nobody wrote down who signed it and any key is revoked', () => {
    expect(codeOf({}, undefined)).toBeUndefined();
    expect(codeOf({ keys: { x: {} }, revoked: ['x'] }, undefined)).toBe('KEY_REVOKED');
  });

  it('is not spared by the heads of logs for which its signer still counts', () => {
    const document = rootDocument({ roles: withoutB, revoked: ['rules-b'] });
    const validThrough = [{ origin: 'example.org/log', size: 1, root: payload }];
    const keys = document.revoked.keys.map((revoked) => ({ ...revoked, validThrough }));
    const root = parseRoot(rootFile({ ...document, revoked: { ...document.revoked, keys } }).bytes);
    const accepted = { channel: 'rules/linux', payload, signers: two.map(keyid) };
    expect(revocationOf(root, accepted)?.code).toBe('KEY_REVOKED');
  });

  it('of a kind that nobody knows is not believed once a signer is revoked', () => {
    expect(codeOf({ revoked: ['rules-b'] }, two, 'constructor/x')).toBe('KEY_REVOKED');
  });

  it('stands after a revocation exactly when a verification under the same root would trust it', () => {
    const all = ['rules-a', 'rules-b', 'rules-c'];
    const seen = new Set<boolean>();
    for (const signers of [two, ['rules-b', 'rules-c'], all]) {
      for (const revoked of all) {
        const document = rootDocument({ revoked: [revoked] });
        const pinned = parseRoot(rootFile(document).bytes);
        const bundle = makeBundle({ signers, roots: [rootFile(document)] });
        const trusted = judge(bundle, trustOf({ pinned })).report('x').verdict === 'trusted';
        const accepted = { channel: 'rules/linux', payload: bundle.payload, signers: signers.map(keyid) };
        // Untouched, it was trusted before as well.
        expect(revocationOf(pinned, accepted) === undefined).toBe(trusted);
        seen.add(trusted);
      }
    }
    expect(seen.size).toBe(2);
  });
});
