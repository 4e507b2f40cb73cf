import { appendFileSync, cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Digest, sha256Digest } from '../../src/core/digest.ts';
import { encodeEnvelope, parseEnvelope } from '../../src/core/dsse.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { type ApplyOutcome, applyBundle } from '../../src/install/apply-io.ts';
import { resetFloor } from '../../src/install/floor-reset-io.ts';
import { acceptHeads } from '../../src/install/heads-io.ts';
import { readPrivateKey } from '../../src/install/host-keys-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { dataLayout, logKeyFiles } from '../../src/install/layout.ts';
import { issueReceipt } from '../../src/install/receipt-io.ts';
import { MAX_OPEN_RECEIPTS } from '../../src/install/state.ts';
import type { Surroundings } from '../../src/ledger/composer.ts';
import { type Line, parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { systemRandom } from '../../src/ledger/surroundings-io.ts';
import { openLedgerWriter } from '../../src/ledger/writer-io.ts';
import { FLOOR_RESET } from '../../src/verify/floor-reset.ts';
import { HEADS, type HeadsDocument } from '../../src/verify/heads.ts';
import type { ReceiptDocument } from '../../src/verify/receipt.ts';
import { withRevokedKey } from '../../src/verify/root-draft.ts';
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
} from '../support/enclave.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { signed } from '../support/trust.ts';

/** A machine whose clock says so, whatever the time is. */
function clockAt(time: string): Surroundings {
  return { clock: { now: () => Date.parse(time), mono: () => 1 }, boot: `b${Date.parse(time)}`, random: systemRandom };
}

async function receiptOf(data: string, surroundings?: Surroundings): Promise<ReceiptDocument> {
  await using install = await open(data, surroundings);
  return (await issueReceipt(install)).document;
}

type Heads = Partial<HeadsDocument> & { readonly nonce: string; readonly seq?: number; readonly payload: Digest };

function headsFor({ nonce, seq = 1, payload, ...changes }: Heads, signer = 'b'): Uint8Array {
  const channels = { [CHANNEL]: { seq, payload } };
  const document = { v: 1, channels, answers: [nonce], issuedAt: '2026-04-01T00:00:00.000Z', expires: ROOT_EXPIRES };
  return encodeEnvelope(signed(HEADS.payloadType, encodeCanonicalJson({ ...document, ...changes }), [signer]));
}

async function accept(data: string, bytes: Uint8Array, surroundings?: Surroundings): Promise<void> {
  await using install = await open(data, surroundings);
  await acceptHeads(install, bytes);
}

async function apply(
  data: string,
  path: string,
  requireFresh = false,
  surroundings?: Surroundings,
): Promise<ApplyOutcome> {
  await using install = await open(data, surroundings);
  const options = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true, requireFresh };
  return await applyBundle(install, path, 'bundle', options);
}

const stateOf = async (data: string) => (await readInstall(data, BUILT_AT)).state;

async function refusals(data: string): Promise<unknown[]> {
  return (await logged(data)).flatMap((line) => (line.type === 'statement.refused' ? line.data : []));
}

async function logged(data: string): Promise<Line[]> {
  using reader = await openLedgerReader(join(data, 'logs', 'install'));
  const lines: Line[] = [];
  for await (const line of reader.lines()) lines.push(parseLine(line));
  return lines;
}

describe('a receipt', () => {
  it('tells what is held and refused, and its nonce is remembered', async () => {
    const data = await makeEnclave();
    const { path, payload } = await makeBundle(dirname(data));
    await apply(data, path);
    const bad = await makeBundle(dirname(data), { audience: ['elsewhere'] });
    await apply(data, bad.path);
    const receipt = await receiptOf(data);
    expect(receipt).toMatchObject({
      enclave: 'enclave-1',
      floor: ISSUED_AT,
      channels: { [CHANNEL]: { active: { seq: 1, payload }, highest: { seq: 1, payload } } },
      holds: [payload],
      refused: [{ payload: bad.payload, check: 'audience' }],
    });
    expect(receipt.checkpoints).toEqual([readFileSync(join(data, 'trust/install.checkpoint'), 'utf8')]);
    const { state } = await readInstall(data, BUILT_AT);
    expect(state.nonces).toEqual([receipt.nonce]);
    expect((await receiptOf(data)).nonce).not.toBe(receipt.nonce);
  });

  it('is made by a host with a trust root and a receipt key of its own', async () => {
    const data = await makeEnclave();
    const keys = readdirSync(join(data, 'keys')).sort();
    expect(keys).toEqual(['logs', 'receipt.key.pem', 'receipt.pub.pem']);
    const [log, receipt] = ['logs/install', 'receipt'].map((name) =>
      readFileSync(join(data, `keys/${name}.pub.pem`), 'utf8'),
    );
    expect(receipt).not.toBe(log);
  });

  it('leaves only so many nonces open, the newest', async () => {
    const data = await makeEnclave();
    const nonces: string[] = [];
    await using install = await open(data);
    for (let i = 0; i < MAX_OPEN_RECEIPTS + 2; i += 1) {
      const nonce = i.toString(16).padStart(32, '0');
      nonces.push(nonce);
      await install.append({ type: 'receipt.issued', data: { nonce } });
    }
    expect(install.state.nonces).toEqual(nonces.slice(2));
  });
});

describe('a heads statement', () => {
  it('that answers makes fresh, raises the floor, and closes the receipt', async () => {
    const data = await makeEnclave();
    const { path, payload } = await makeBundle(dirname(data));
    expect((await apply(data, path, true)).status).toBe('refused');
    const { nonce } = await receiptOf(data);
    const answer = headsFor({ nonce, payload });
    await accept(data, answer);
    const { floor, nonces } = await stateOf(data);
    expect([floor, nonces]).toEqual(['2026-04-01T00:00:00.000Z', []]);
    const { report } = await apply(data, path, true);
    expect(report.freshness).toMatchObject({ status: 'fresh', asOf: '2026-04-01T00:00:00.000Z' });
    await expectCodeAsync(accept(data, answer), 'HEADS_REPLAYED');
    await expectCodeAsync(
      accept(data, headsFor({ nonce, payload, issuedAt: '2026-04-02T00:00:00.000Z' })),
      'HEADS_NONCE',
    );
  });

  it('of another role, nonce or enclave changes nothing', async () => {
    const data = await makeEnclave();
    const { payload } = await makeBundle(dirname(data));
    const { nonce } = await receiptOf(data);
    const before = await stateOf(data);
    await expectCodeAsync(accept(data, headsFor({ nonce, payload }, 'a')), 'ROLE_NOT_HELD');
    await expectCodeAsync(accept(data, headsFor({ nonce: 'f'.repeat(32), payload })), 'HEADS_NONCE');
    const late = { issuedAt: '2027-03-01T00:00:00.000Z', expires: '2028-01-01T00:00:00.000Z' };
    await expectCodeAsync(accept(data, headsFor({ nonce, payload, ...late })), 'ISSUED_AFTER_ROOT_EXPIRES');
    const past = { issuedAt: '2026-01-15T00:00:00.000Z', expires: '2026-01-31T00:00:00.000Z' };
    await expectCodeAsync(accept(data, headsFor({ nonce, payload, ...past })), 'EXPIRED');
    expect(await stateOf(data)).toEqual(before);
    await expectCodeAsync(accept(data, new TextEncoder().encode('{}')), 'DOCUMENT_MALFORMED');
    const codes = ['ROLE_NOT_HELD', 'HEADS_NONCE', 'ISSUED_AFTER_ROOT_EXPIRES', 'EXPIRED', 'DOCUMENT_MALFORMED'];
    expect(await refusals(data)).toMatchObject(codes.map((code) => ({ statement: 'heads', code })));
    const forged = sha256Digest(parseEnvelope(headsFor({ nonce, payload }, 'a'), HEADS.payloadType).payload);
    expect((await refusals(data))[0]).toMatchObject({ payload: forged });
  });

  it('that is older than what is active is refused, and so is one older than the last', async () => {
    const data = await makeEnclave();
    const one = await makeBundle(dirname(data));
    const two = await makeBundle(dirname(data), { seq: 2, prev: one.payload });
    await apply(data, one.path);
    await apply(data, two.path);
    const [first, second] = [await receiptOf(data), await receiptOf(data)];
    await expectCodeAsync(accept(data, headsFor({ nonce: first.nonce, payload: one.payload })), 'HEADS_OLDER');
    const now = { seq: 2, payload: two.payload };
    await accept(data, headsFor({ nonce: second.nonce, ...now, issuedAt: '2026-05-01T00:00:00.000Z' }));
    await expectCodeAsync(accept(data, headsFor({ nonce: first.nonce, ...now })), 'HEADS_OLDER');
  });

  it('proves nothing any more when a bundle brings a root that revokes its key', async () => {
    const data = await makeEnclave();
    const first = rootOne();
    const { nonce } = await receiptOf(data);
    const { keyid } = testKey('b').publicKey;
    const second = rootTwo(first, (draft) => {
      const { heads: _, rules, ...roles } = withRevokedKey(draft, keyid).roles;
      const kept = { keyids: [testKey('a').publicKey.keyid], threshold: 1 };
      return { ...withRevokedKey(draft, keyid), roles: { ...roles, rules: { ...rules, ...kept } } };
    });
    const { path, payload } = await makeBundle(dirname(data), { rootChain: [first, second], signers: ['a'] });
    await accept(data, headsFor({ nonce, payload }));
    const { report } = await apply(data, path, true);
    expect(report.checks.find(({ status }) => status === 'fail')?.code).toBe('NOT_PROVABLY_FRESH');
    expect(report.freshness.reason).toContain('no longer counts');
  });
});

describe('the clock of the machine', () => {
  const CLOCKS = ['1970-01-01T00:00:00.000Z', '2099-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'];

  it('decides nothing: wiped, far ahead or set back, the verdicts and the state are the same', async () => {
    const run = async (clocks: readonly string[]) => {
      const data = await makeEnclave();
      const at = (i: number) => clockAt(clocks[i % clocks.length] ?? '');
      const one = await makeBundle(dirname(data), { issuedAt: '2026-03-01T00:00:00.000Z' });
      const two = await makeBundle(dirname(data), { seq: 2, prev: one.payload, expires: '2026-03-15T00:00:00.000Z' });
      const verdicts = [(await apply(data, one.path, false, at(0))).status];
      verdicts.push((await apply(data, two.path, false, at(1))).status);
      const { nonce } = await receiptOf(data, at(2));
      await accept(data, headsFor({ nonce, seq: 2, payload: two.payload }), at(0));
      // The heads statement has shown that its day has passed.
      const three = await makeBundle(dirname(data), { seq: 3, prev: two.payload, expires: '2026-03-16T00:00:00.000Z' });
      verdicts.push((await apply(data, three.path, false, at(1))).status);
      const { floor, channels } = await stateOf(data);
      return { verdicts, floor, active: channels.get(CHANNEL)?.active.seq };
    };
    const expected = { verdicts: ['applied', 'applied', 'refused'], floor: '2026-04-01T00:00:00.000Z', active: 2 };
    for (const clock of CLOCKS) expect(await run([clock])).toEqual(expected);
    expect(await run(CLOCKS)).toEqual(expected);
    expect(await run([...CLOCKS].reverse())).toEqual(expected);
  });

  it('leaves its steps back in the log, and the log stays good', async () => {
    const data = await makeEnclave();
    for (const clock of ['2099-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z']) await receiptOf(data, clockAt(clock));
    expect((await logged(data)).map(({ type }) => type)).toEqual([
      'trust.pinned',
      'receipt.issued',
      'clock.jump',
      'receipt.issued',
    ]);
    expect((await stateOf(data)).floor).toBe(ISSUED_AT);
  });
});

describe('the floor', () => {
  it('is raised by a verified statement also when its files are refused, and stays raised', async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data), { issuedAt: '2026-06-01T00:00:00.000Z' });
    await using install = await open(data);
    const content = async () => ({ ok: false, reason: 'no' });
    const options = { toolVersion: '0.1.0', content, confirm: async () => true };
    expect((await applyBundle(install, path, 'bundle', options)).status).toBe('refused');
    expect(install.state.floor).toBe('2026-06-01T00:00:00.000Z');
  });

  it('is not raised by what is not verified, nor by a dry run', async () => {
    const data = await makeEnclave();
    const late = { issuedAt: '2026-06-01T00:00:00.000Z' };
    const unsigned = await makeBundle(dirname(data), { ...late, signers: ['a'] });
    expect((await apply(data, unsigned.path)).status).toBe('refused');
    const beyond = await makeBundle(dirname(data), { issuedAt: '2027-06-01T00:00:00.000Z' });
    expect((await apply(data, beyond.path)).status).toBe('refused');
    const good = await makeBundle(dirname(data), late);
    await using install = await open(data);
    const options = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true, dryRun: true };
    expect((await applyBundle(install, good.path, 'bundle', options)).status).toBe('dry-run');
    expect(install.state.floor).toBe(ISSUED_AT);
  });

  const POISON = '2027-01-31T00:00:00.000Z';
  const resetFor = (receipt: ReceiptDocument, changes: object = {}, signer = 'a') => {
    const { host, nonce: answers, floor: from } = receipt;
    const to = '2026-03-01T00:00:00.000Z';
    const document = { v: 1, host, answers, from, to, reason: 'a wrong clock', issuedAt: '2026-03-02T00:00:00.000Z' };
    const bytes = encodeCanonicalJson({ ...document, ...changes });
    return encodeEnvelope(signed(FLOOR_RESET.payloadType, bytes, [signer]));
  };
  const reset = async (data: string, bytes: Uint8Array) => {
    await using install = await open(data);
    await resetFloor(install, bytes);
    return install.state;
  };
  const poisoned = async () => {
    const data = await makeEnclave();
    const { path, payload } = await makeBundle(dirname(data), { issuedAt: POISON });
    await apply(data, path);
    expect((await stateOf(data)).floor).toBe(POISON);
    return { data, payload, receipt: await receiptOf(data) };
  };

  it('that was pushed ahead is put right once, and what was refused for it is accepted again', async () => {
    const { data, payload, receipt } = await poisoned();
    const next = await makeBundle(dirname(data), { seq: 2, prev: payload, expires: '2026-12-01T00:00:00.000Z' });
    expect((await apply(data, next.path)).status).toBe('refused');
    const bytes = resetFor(receipt);
    expect((await reset(data, bytes)).floor).toBe('2026-03-01T00:00:00.000Z');
    expect((await stateOf(data)).floor).toBe('2026-03-01T00:00:00.000Z');
    await expectCodeAsync(reset(data, bytes), 'FLOOR_RESET_USED');
    await expectCodeAsync(reset(data, resetFor(receipt, { reason: 'again' })), 'FLOOR_RESET_MISMATCH');
    expect(await refusals(data)).toMatchObject([
      { statement: 'floor-reset', code: 'FLOOR_RESET_USED' },
      { statement: 'floor-reset', code: 'FLOOR_RESET_MISMATCH' },
    ]);
    expect((await apply(data, next.path)).status).toBe('applied');
  });

  it('is put right here only by a reset for here, and never below what the root and the program prove', async () => {
    const { data, receipt } = await poisoned();
    await expectCodeAsync(reset(data, resetFor(receipt, {}, 'b')), 'ROLE_NOT_HELD');
    await expectCodeAsync(reset(data, resetFor(receipt, { host: 'another' })), 'FLOOR_RESET_MISMATCH');
    expect((await stateOf(data)).floor).toBe(POISON);
    const lowest = { to: '1970-01-01T00:00:00.000Z' };
    expect((await reset(data, resetFor(receipt, lowest))).floor).toBe(ISSUED_AT);
  });

  it('put right lets go of a heads statement from the wrong clock: it would keep every later one out', async () => {
    const data = await makeEnclave();
    const { payload } = await makeBundle(dirname(data));
    const wrong = { issuedAt: POISON, expires: '2027-06-01T00:00:00.000Z' };
    await accept(data, headsFor({ nonce: (await receiptOf(data)).nonce, payload, ...wrong }));
    const state = await reset(data, resetFor(await receiptOf(data)));
    expect(state.heads).toBeUndefined();
    await accept(data, headsFor({ nonce: (await receiptOf(data)).nonce, payload }));
  });
});

const installKey = (data: string) => readPrivateKey(logKeyFiles(dataLayout(data), 'install').privateKey);

describe('a line that somebody else attached to the install log', () => {
  /** As a crash may leave one: it chains, and no head covers it. */
  async function attach(data: string, change: object): Promise<void> {
    const log = join(data, 'logs/install');
    const copy = join(data, '..', 'copy');
    cpSync(log, copy, { recursive: true });
    const actor = { type: 'process', id: 'cli/uid-0' } as const;
    const writer = await openLedgerWriter({
      directory: copy,
      key: installKey(data),
      ...clockAt('2099-05-01T00:00:00.000Z'),
    });
    const appended = await writer.append({ actor, type: 'receipt.issued', data: {}, ...change });
    await writer.close();
    rmSync(copy, { recursive: true });
    const [entries = ''] = readdirSync(join(log, 'entries'));
    appendFileSync(join(log, 'entries', entries), Buffer.concat([appended.line, Buffer.from('\n')]));
  }
  const forged = {
    type: 'bundle.applied',
    data: { kind: 'rules', channel: CHANNEL, seq: 9, payload: `sha256:${'1'.repeat(64)}` },
  };

  it.each([
    ['by nobody', forged],
    ['by another key', { ...forged, signer: testKey('a') }],
    ['that would open a receipt', { data: { nonce: 'f'.repeat(32) } }],
  ])('signed %s is tampering, not state', async (_what, line) => {
    const data = await makeEnclave();
    await attach(data, line);
    // Who only reads goes by what the head covers, or finds the stranger's key.
    const read = await readInstall(data, BUILT_AT).catch((error: DaemonEyeError) => error);
    if (read instanceof DaemonEyeError) expect(read.code).toBe('STATE_TAMPERED');
    else expect([read.state.channels.size, read.state.nonces]).toEqual([0, []]);
    await expectCodeAsync(open(data), 'TAMPERED');
    // And stays it: opening must not have signed a head over the line.
    await expectCodeAsync(open(data), 'TAMPERED');
  });

  it('is taken in when it is ours: acknowledged before the crash, only the head was missing', async () => {
    const data = await makeEnclave();
    await attach(data, { data: { nonce: 'f'.repeat(32) }, signer: installKey(data) });
    await using install = await open(data);
    expect(install.state.nonces).toEqual(['f'.repeat(32)]);
  });

  it('never gets that far in normal work: every line that acts is signed', async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data));
    await apply(data, path);
    await receiptOf(data);
    expect((await logged(data)).every(({ kid }) => kid !== undefined)).toBe(true);
  });
});

describe('tree files of the install log', () => {
  it('that are gone are made again, and nothing else is lost', async () => {
    const data = await makeEnclave();
    rmSync(join(data, 'logs/install/tree'), { recursive: true });
    const { path } = await makeBundle(dirname(data));
    expect((await apply(data, path)).status).toBe('applied');
    expect(readdirSync(join(data, 'logs/install/tree'))).toContain('0');
    expect((await logged(data)).map(({ type }) => type)).toEqual(['trust.pinned', 'bundle.applied']);
  });
});
