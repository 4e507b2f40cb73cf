import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decidingCheck } from '../../src/core/checks.ts';
import type { Digest } from '../../src/core/digest.ts';
import { encodeEnvelope } from '../../src/core/dsse.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { type ApplyOptions, type ApplyOutcome, applyBundle } from '../../src/install/apply-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { type RollbackOptions, type RollbackOutcome, rollBack } from '../../src/install/rollback-io.ts';
import { parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { DOWNGRADE } from '../../src/verify/downgrade.ts';
import { withRevokedPayload } from '../../src/verify/root-draft.ts';
import {
  anyContent,
  BUILT_AT,
  CHANNEL,
  makeBundle,
  makeEnclave,
  open,
  ROOT_EXPIRES,
  rootOne,
  rootTwo,
  type TestBundle,
} from '../support/enclave.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { signed } from '../support/trust.ts';

const defaults = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true };

async function apply(data: string, path: string, options: Partial<ApplyOptions> = {}): Promise<ApplyOutcome> {
  await using install = await open(data);
  return await applyBundle(install, path, 'bundle', { ...defaults, ...options });
}

async function back(data: string, options: Partial<RollbackOptions> = {}): Promise<RollbackOutcome> {
  await using install = await open(data);
  return await rollBack(install, CHANNEL, { ...defaults, reason: 'noise', ...options });
}

async function lastLine(data: string): Promise<{ type: string; data: unknown }> {
  using reader = await openLedgerReader(join(data, 'logs', 'install'));
  return parseLine(await reader.line(reader.size - 1));
}

type Made = { readonly path: string; readonly payload: Digest };
const channelOf = (data: string) => join(data, 'bundles', 'rules~test');
const heldAt = async (data: string) => (await readInstall(data, BUILT_AT)).state.channels.get(CHANNEL);

/** Bundles 1 to n, each applied after the other; `plans` changes some, by seq. */
async function applied(
  n: number,
  plans: { readonly [seq: number]: TestBundle } = {},
): Promise<{ data: string; bundles: Made[] }> {
  const data = await makeEnclave();
  const bundles: Made[] = [];
  for (let seq = 1; seq <= n; seq += 1) {
    const prev = bundles.at(-1)?.payload ?? null;
    const made = await makeBundle(dirname(data), { seq, prev, files: { 'rule.yaml': `rule ${seq}` }, ...plans[seq] });
    expect((await apply(data, made.path)).status).toBe('applied');
    bundles.push(made);
  }
  return { data, bundles };
}

describe('rollback', () => {
  it('makes the bundle before active, files and links, logs it, and remembers the highest', async () => {
    const { data, bundles } = await applied(2);
    const [one, two] = bundles;
    const outcome = await back(data);
    expect(outcome).toMatchObject({
      status: 'rolled-back',
      plan: { activeSeq: 2, diff: { relation: 'precedes', files: { changed: [{ path: 'rule.yaml' }] } } },
    });
    expect(readlinkSync(join(channelOf(data), 'active'))).toBe('1');
    expect(readFileSync(join(channelOf(data), 'active/files/rule.yaml'), 'utf8')).toBe('rule 1');
    expect(readdirSync(channelOf(data)).sort()).toEqual(['1', 'active']);
    expect(await heldAt(data)).toEqual({
      highest: { seq: 2, payload: two?.payload },
      active: { seq: 1, payload: one?.payload },
    });
    expect(await lastLine(data)).toMatchObject({
      type: 'bundle.rolled-back',
      data: { channel: CHANNEL, seq: 1, from_seq: 2, from_payload: two?.payload, reason: 'noise' },
    });
  });

  it('is one step: there is nothing before what was gone back to, and no way around the sequence', async () => {
    const { data, bundles } = await applied(3);
    await back(data);
    await expectCodeAsync(back(data), 'NOTHING_BEFORE');
    const replayed = await apply(data, bundles[0]?.path ?? '');
    expect(decidingCheck(replayed.report)?.code).toBe('SEQUENCE_REPLAY');
    const fork = await makeBundle(dirname(data), {
      seq: 3,
      prev: bundles[1]?.payload ?? null,
      files: { 'x.yaml': 'x' },
    });
    expect(decidingCheck((await apply(data, fork.path)).report)?.code).toBe('SEQUENCE_FORK');
  });

  it('can be taken back, and gone on from', async () => {
    const { data, bundles } = await applied(2);
    await back(data);
    expect((await apply(data, bundles[1]?.path ?? '')).status).toBe('applied');
    expect(await heldAt(data)).toMatchObject({ active: { seq: 2 }, previous: { seq: 1 }, highest: { seq: 2 } });
    await back(data);
    const next = await makeBundle(dirname(data), { seq: 3, prev: bundles[1]?.payload ?? null });
    expect((await apply(data, next.path)).status).toBe('applied');
    expect(await heldAt(data)).toMatchObject({ active: { seq: 3 }, previous: { seq: 1 }, highest: { seq: 3 } });
  });

  it('has nowhere to go from the first bundle, or on a channel never seen', async () => {
    const { data } = await applied(1);
    await expectCodeAsync(back(data), 'NOTHING_BEFORE');
    await using install = await open(data);
    await expectCodeAsync(rollBack(install, 'rules/none', { ...defaults, reason: 'x' }), 'CHANNEL_UNKNOWN');
  });

  it.each<[string, Partial<RollbackOptions>, string]>([
    ['a dry run', { dryRun: true }, 'dry-run'],
    ['a no', { confirm: async () => false }, 'declined'],
  ])('changes nothing after %s', async (_what, options, status) => {
    const { data } = await applied(2);
    expect((await back(data, options)).status).toBe(status);
    expect(await heldAt(data)).toMatchObject({ active: { seq: 2 }, previous: { seq: 1 } });
    expect((await lastLine(data)).type).toBe('bundle.applied');
  });

  it('stops when asked to, and nothing has changed', async () => {
    const { data } = await applied(2);
    const stop = new AbortController();
    const confirm = async () => {
      stop.abort();
      return true;
    };
    await expect(back(data, { signal: stop.signal, confirm })).rejects.toThrow();
    expect((await lastLine(data)).type).toBe('bundle.applied');
  });
});

describe('what has come to light since keeps a bundle from coming back', () => {
  const refused = async (data: string, options: Partial<RollbackOptions> = {}) => {
    const outcome = await back(data, options);
    expect(outcome.status).toBe('refused');
    expect((await heldAt(data))?.active.seq).toBe(2);
    return decidingCheck(outcome.report)?.code;
  };

  it('a root that revokes it', async () => {
    const { data, bundles } = await applied(2);
    const [one, two] = bundles;
    if (one === undefined || two === undefined) throw new Error('two were made');
    const first = rootOne();
    const rootChain = [first, rootTwo(first, (draft) => withRevokedPayload(draft, one.payload))];
    // Refused for its audience, it still brings the newer root.
    const carrier = await makeBundle(dirname(data), { seq: 3, prev: two.payload, rootChain, audience: ['elsewhere'] });
    await apply(data, carrier.path);
    expect(await refused(data)).toBe('PAYLOAD_REVOKED');
    expect(await lastLine(data)).toMatchObject({
      type: 'bundle.refused',
      data: { check: 'revocation', code: 'PAYLOAD_REVOKED', payload: one.payload, channel: CHANNEL, seq: 1 },
    });
    expect((await back(data, { dryRun: true })).status).toBe('refused');
  });

  it('its own end, which the floor has passed', async () => {
    const expires = '2026-03-01T00:00:00.000Z';
    const { data } = await applied(2, { 1: { expires }, 2: { issuedAt: '2026-04-01T00:00:00.000Z' } });
    expect(await refused(data)).toBe('EXPIRED');
  });

  it('a content check that refuses it now', async () => {
    const { data } = await applied(2);
    const content = async () => ({ ok: false, reason: 'the table is gone' });
    expect(await refused(data, { content })).toBe('CONTENT_REFUSED');
  });
});

describe('a stored bundle that somebody changed does not come back', () => {
  it.each<[string, (previous: string) => void]>([
    ['a file', (previous) => writeFileSync(join(previous, 'files/rule.yaml'), 'rule 9')],
    ['a file gone', (previous) => rmSync(join(previous, 'files/rule.yaml'))],
    ['a file more', (previous) => writeFileSync(join(previous, 'files/more.yaml'), '')],
    ['no files at all', (previous) => rmSync(join(previous, 'files'), { recursive: true })],
    ['an index', (previous) => writeFileSync(join(previous, 'index.jsonl'), '')],
    ['no statement', (previous) => rmSync(join(previous, 'bundle.dsse.json'))],
    [
      'a file that is a link to the same bytes',
      (previous) => {
        writeFileSync(join(previous, '../../same'), 'rule 1');
        rmSync(join(previous, 'files/rule.yaml'));
        symlinkSync(join(previous, '../../same'), join(previous, 'files/rule.yaml'));
      },
    ],
    [
      'a directory that is a link',
      (previous) => {
        rmSync(previous, { recursive: true });
        symlinkSync('2', previous);
      },
    ],
  ])('%s', async (_what, change) => {
    const { data } = await applied(2);
    change(join(channelOf(data), '1'));
    await expectCodeAsync(back(data), 'STATE_TAMPERED');
    expect((await heldAt(data))?.active.seq).toBe(2);
  });
});

describe('a downgrade statement', () => {
  const statement = (from: Digest, to: Digest, changes: object = {}, signer = 'a') => {
    const times = { issuedAt: '2026-03-01T00:00:00.000Z', expires: ROOT_EXPIRES };
    const document = { v: 1, channel: CHANNEL, from, to, audience: [], reason: 'breaks ssh', ...times, ...changes };
    return encodeEnvelope(signed(DOWNGRADE.payloadType, encodeCanonicalJson(document), [signer]));
  };
  const three = async () => {
    const { data, bundles } = await applied(3);
    const [one, two, newest] = bundles;
    if (one === undefined || two === undefined || newest === undefined) throw new Error('three were made');
    return { data, one, two, newest };
  };

  it('lets the one bundle it names become active, once, and its moment counts', async () => {
    const { data, one, newest } = await three();
    const downgrade = statement(newest.payload, one.payload);
    expect((await apply(data, one.path, { downgrade })).status).toBe('applied');
    expect(await heldAt(data)).toEqual({
      highest: { seq: 3, payload: newest.payload },
      active: { seq: 1, payload: one.payload },
    });
    expect((await readInstall(data, BUILT_AT)).state.floor).toBe('2026-03-01T00:00:00.000Z');
    expect(await lastLine(data)).toMatchObject({
      type: 'bundle.rolled-back',
      data: { reason: 'breaks ssh', from_seq: 3 },
    });
    expect((await apply(data, newest.path)).status).toBe('applied');
    await expectCodeAsync(apply(data, one.path, { downgrade, dryRun: true }), 'DOWNGRADE_USED');
    expect((await lastLine(data)).type).toBe('bundle.applied');
    await expectCodeAsync(apply(data, one.path, { downgrade }), 'DOWNGRADE_USED');
    expect(await lastLine(data)).toMatchObject({
      type: 'statement.refused',
      data: { statement: 'downgrade', code: 'DOWNGRADE_USED' },
    });
  });

  it('lets nothing else in', async () => {
    const { data, one, two, newest } = await three();
    const other = await makeBundle(dirname(data), { files: { 'rule.yaml': 'evil' } });
    const downgrade = statement(newest.payload, one.payload);
    const outcome = await apply(data, other.path, { downgrade });
    expect(decidingCheck(outcome.report)?.code).toBe('SEQUENCE_REPLAY');
    await expectCodeAsync(
      apply(data, one.path, { downgrade: statement(two.payload, one.payload) }),
      'DOWNGRADE_MISMATCH',
    );
    const elsewhere = statement(newest.payload, one.payload, { audience: ['enclave-2'] });
    await expectCodeAsync(apply(data, one.path, { downgrade: elsewhere }), 'NOT_FOR_THIS_ENCLAVE');
    await expectCodeAsync(
      apply(data, one.path, { downgrade: statement(newest.payload, one.payload, {}, 'b') }),
      'ROLE_NOT_HELD',
    );
    const expired = { issuedAt: '2026-01-02T00:00:00.000Z', expires: '2026-01-03T00:00:00.000Z' };
    await expectCodeAsync(
      apply(data, one.path, { downgrade: statement(newest.payload, one.payload, expired) }),
      'EXPIRED',
    );
    expect((await heldAt(data))?.active.seq).toBe(3);
  });

  it('does not bring back what is revoked', async () => {
    const { data, one, newest } = await three();
    const first = rootOne();
    const rootChain = [first, rootTwo(first, (draft) => withRevokedPayload(draft, one.payload))];
    const carrier = await makeBundle(dirname(data), {
      seq: 4,
      prev: newest.payload,
      rootChain,
      audience: ['elsewhere'],
    });
    await apply(data, carrier.path);
    // With the chain it needs now; the statement and the files are the old ones.
    const again = await makeBundle(dirname(data), { files: { 'rule.yaml': 'rule 1' }, rootChain });
    expect(again.payload).toBe(one.payload);
    const outcome = await apply(data, again.path, { downgrade: statement(newest.payload, one.payload) });
    expect(decidingCheck(outcome.report)?.code).toBe('PAYLOAD_REVOKED');
  });

  it('is judged again under the newest root that the bundle brings', async () => {
    const { data, one, newest } = await three();
    const downgrade = statement(newest.payload, one.payload);
    const first = rootOne();
    const { payloadDigest, parseEnvelope } = await import('../../src/core/dsse.ts');
    const used = payloadDigest(parseEnvelope(downgrade, DOWNGRADE.payloadType));
    const rootChain = [first, rootTwo(first, (draft) => withRevokedPayload(draft, used))];
    const again = await makeBundle(dirname(data), { files: { 'rule.yaml': 'rule 1' }, rootChain });
    await expectCodeAsync(apply(data, again.path, { downgrade }), 'PAYLOAD_REVOKED');
    expect((await heldAt(data))?.active.seq).toBe(3);
  });

  it('is not needed for what came just before, and not spent on it', async () => {
    const { data, two, newest } = await three();
    const downgrade = statement(newest.payload, two.payload);
    await expectCodeAsync(apply(data, two.path, { downgrade }), 'USE_ROLLBACK');
    expect((await back(data)).status).toBe('rolled-back');
    expect(existsSync(join(channelOf(data), '2/files/rule.yaml'))).toBe(true);
  });
});
