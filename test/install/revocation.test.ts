import { copyFileSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signBundle } from '../../src/bundle/sign-io.ts';
import { decidingCheck } from '../../src/core/checks.ts';
import { encodeEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { type ApplyOptions, type ApplyOutcome, applyBundle } from '../../src/install/apply-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { rollBack } from '../../src/install/rollback-io.ts';
import { loadPinnedRoot } from '../../src/install/root-store-io.ts';
import { revokedAt, revokedBundles } from '../../src/install/standing.ts';
import { activeBundlesOf } from '../../src/install/stored-bundle-io.ts';
import { type Line, parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { DOWNGRADE } from '../../src/verify/downgrade.ts';
import type { RootDocument } from '../../src/verify/root-document.ts';
import { withKey, withRevokedPayload, withRole } from '../../src/verify/root-draft.ts';
import { sealDocument } from '../../src/verify/signed-document.ts';
import {
  anyContent,
  BUILT_AT,
  CHANNEL,
  ISSUED_AT,
  makeBundle,
  makeEnclave,
  open,
  ROOT_EXPIRES,
  rootOne,
  rootTwo,
  rootWithoutB,
  type TestBundle,
} from '../support/enclave.ts';
import { testKey } from '../support/keys.ts';
import { keyid } from '../support/trust.ts';

const defaults = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true };

async function apply(data: string, path: string, options: Partial<ApplyOptions> = {}): Promise<ApplyOutcome> {
  await using install = await open(data);
  return await applyBundle(install, path, 'bundle', { ...defaults, ...options });
}

async function lines(data: string): Promise<Line[]> {
  using reader = await openLedgerReader(join(data, 'logs', 'install'));
  const all: Line[] = [];
  for await (const line of reader.lines()) all.push(parseLine(line));
  return all;
}

const typesOf = async (data: string) => (await lines(data)).map(({ type }) => type);

async function standing(data: string) {
  const { layout, state } = await readInstall(data, BUILT_AT);
  const root = loadPinnedRoot(layout, state);
  const { believed, revoked } = activeBundlesOf('rules', layout, state, root);
  return { state, root, believed: believed.map(({ payload }) => payload), revoked };
}

/** c joins the signers of rules; what else is changed comes after. */
const joined = (change: (draft: RootDocument) => RootDocument) => (draft: RootDocument) => {
  const withC = withKey(draft, testKey('c').publicKey, { operator: 'c' });
  return change(withRole(withC, 'rules', { keyids: ['a', 'b', 'c'].map(keyid), threshold: 2 }));
};
const rootChain = [rootOne(), rootWithoutB()];

async function enclave(plan: TestBundle = {}) {
  const data = await makeEnclave();
  const one = await makeBundle(dirname(data), plan);
  expect((await apply(data, one.path)).status).toBe('applied');
  return { data, one, dir: dirname(data) };
}

describe('a root that revokes what is active', () => {
  it('says so when it arrives, though the bundle that brings it is refused; nothing is deleted, nothing is loaded', async () => {
    const { data, one, dir } = await enclave();
    const brings = await makeBundle(dir, { seq: 2, prev: one.payload, rootChain, signers: ['a'] });

    const looked = await apply(data, brings.path, { dryRun: true });
    expect(looked.revoked).toMatchObject([{ channel: CHANNEL, seq: 1, payload: one.payload, code: 'KEY_REVOKED' }]);
    expect((await standing(data)).revoked).toEqual([]);

    const outcome = await apply(data, brings.path);
    expect(outcome.status).toBe('refused');
    expect(outcome.revoked).toEqual(looked.revoked);
    expect(outcome.revoked[0]?.reason).toContain('the key of b;');
    expect((await typesOf(data)).slice(-3)).toEqual(['trust.rotated', 'bundle.revoked', 'bundle.refused']);
    expect((await lines(data)).find(({ type }) => type === 'bundle.revoked')?.data).toEqual({
      ...outcome.revoked[0],
      root_version: 2,
    });
    expect(await standing(data)).toMatchObject({ believed: [], revoked: [{ payload: one.payload }] });
    const channel = join(data, 'bundles', 'rules~test');
    expect([readdirSync(channel).sort(), readlinkSync(join(channel, 'active'))]).toEqual([['1', 'active'], '1']);

    // Told once in the log, and every time to who applies something.
    const again = await apply(data, brings.path);
    expect(again.revoked).toEqual(outcome.revoked);
    expect((await typesOf(data)).filter((type) => type === 'bundle.revoked')).toHaveLength(1);
  });

  it('is no word about a bundle that it leaves enough signers, or about another one', async () => {
    const { data, dir } = await enclave({ rootChain: [rootOne()] });
    const other = joined((draft) => withRevokedPayload(draft, `sha256:${'0'.repeat(64)}`));
    const { state } = await standing(data);
    const next = await makeBundle(dir, {
      seq: 2,
      prev: state.channels.get(CHANNEL)?.active.payload ?? null,
      rootChain: [rootOne(), rootTwo(rootOne(), other)],
      signers: ['a', 'b', 'c'],
    });
    const outcome = await apply(data, next.path);
    expect([outcome.status, outcome.revoked]).toEqual(['applied', []]);
    // Three signed this one: without b it still stands.
    const { layout, state: now } = await readInstall(data, BUILT_AT);
    const root = loadPinnedRoot(layout, now);
    expect(revokedBundles({ ...root, revokedKeys: new Set([keyid('b')]) }, now)).toEqual([]);
  });

  it('comes with the bundle that replaces it: then nothing revoked is active, and what was before may not come back', async () => {
    const { data, one, dir } = await enclave();
    const rootChain = [
      rootOne(),
      rootTwo(
        rootOne(),
        joined((draft) => withRevokedPayload(draft, one.payload)),
      ),
    ];
    const two = await makeBundle(dir, { seq: 2, prev: one.payload, rootChain, files: { 'x.yaml': 'x' } });
    const outcome = await apply(data, two.path);
    expect([outcome.status, outcome.revoked]).toEqual(['applied', []]);
    // That it was revoked while it was active is history, and stands in the log.
    expect((await typesOf(data)).slice(-3)).toEqual(['trust.rotated', 'bundle.revoked', 'bundle.applied']);
    const { state, root, believed } = await standing(data);
    expect(believed).toEqual([two.payload]);
    const previous = state.channels.get(CHANNEL)?.previous;
    expect(previous && revokedAt(root, state, CHANNEL, previous)?.code).toBe('PAYLOAD_REVOKED');
    await using install = await open(data);
    const back = await rollBack(install, CHANNEL, { ...defaults, reason: 'x' });
    expect(decidingCheck(back.report)?.code).toBe('PAYLOAD_REVOKED');
  });

  it('lets the same bundle come again when others sign it, and keeps what was before it', async () => {
    const { data, one, dir } = await enclave();
    const two = await makeBundle(dir, { seq: 2, prev: one.payload, files: { 'x.yaml': 'x' } });
    expect((await apply(data, two.path)).status).toBe('applied');
    const resigned = await makeBundle(dir, {
      seq: 2,
      prev: one.payload,
      files: { 'x.yaml': 'x' },
      rootChain,
      signers: ['a'],
    });
    expect(resigned.payload).toBe(two.payload);
    expect((await apply(data, resigned.path)).revoked).toHaveLength(1);
    await signBundle(resigned.path, testKey('c'));
    const outcome = await apply(data, resigned.path);
    expect([outcome.status, outcome.revoked]).toEqual(['applied', []]);
    const { state, believed } = await standing(data);
    expect(believed).toEqual([two.payload]);
    expect(state.channels.get(CHANNEL)).toMatchObject({
      active: { seq: 2 },
      previous: { seq: 1 },
      highest: { seq: 2 },
    });
    expect((await apply(data, resigned.path)).status).toBe('unchanged');
  });

  it('is not talked out of it by signatures that are taken off the stored bundle', async () => {
    const { data, one, dir } = await enclave();
    const stripped = await makeBundle(dir, { seq: 2, prev: one.payload, rootChain, signers: ['a'] });
    await apply(data, stripped.path);
    const unsigned = await makeBundle(dir, { signers: ['a'] });
    expect(unsigned.payload).toBe(one.payload);
    copyFileSync(join(unsigned.path, 'bundle.dsse.json'), join(data, 'bundles/rules~test/1/bundle.dsse.json'));
    expect((await standing(data)).believed).toEqual([]);
  });

  it('reaches a bundle that a downgrade statement let in', async () => {
    const { data, one, dir } = await enclave();
    const two = await makeBundle(dir, { seq: 2, prev: one.payload, files: { 'x.yaml': 'x' } });
    const three = await makeBundle(dir, { seq: 3, prev: two.payload, files: { 'y.yaml': 'y' } });
    for (const { path } of [two, three]) expect((await apply(data, path)).status).toBe('applied');
    const statement = {
      v: 1,
      channel: CHANNEL,
      from: three.payload,
      to: one.payload,
      audience: [],
      reason: 'x',
      issuedAt: ISSUED_AT,
      expires: ROOT_EXPIRES,
    } as const;
    const downgrade = encodeEnvelope(signEnvelope(sealDocument(DOWNGRADE, statement), testKey('a')));
    expect((await apply(data, one.path, { downgrade })).status).toBe('applied');
    const brings = await makeBundle(dir, { seq: 4, prev: three.payload, rootChain, signers: ['a'] });
    expect((await apply(data, brings.path)).revoked).toMatchObject([{ seq: 1, code: 'KEY_REVOKED' }]);
  });
});
