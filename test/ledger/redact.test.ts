import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '../../src/core/bytes.ts';
import type { Digest } from '../../src/core/digest.ts';
import { signEnvelope } from '../../src/core/dsse.ts';
import { formatPrivateKey } from '../../src/core/keys.ts';
import { verifyEntryProof } from '../../src/ledger/entry-proof.ts';
import { parseLine } from '../../src/ledger/line.ts';
import { encodeOrder, parseOrder, REDACTION_ORDER, type RedactionOrder } from '../../src/ledger/orders.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { type RedactOptions, redactSealed } from '../../src/ledger/redact-io.ts';
import { systemRandom } from '../../src/ledger/surroundings-io.ts';
import { findSealed, readSealedFile } from '../../src/seal/reader-io.ts';
import { revealRecordKey } from '../../src/seal/recipients.ts';
import { destroySealed, hasSealed } from '../../src/seal/redact-io.ts';
import { openRecord } from '../../src/seal/sealed-record.ts';
import { openSealer } from '../../src/seal/writer-io.ts';
import type { EnrollableRole } from '../../src/verify/enrolment-document.ts';
import { ENCLAVE, enrolOperator } from '../forensics/evidence/sample.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { rootDocument, rootFile } from '../support/trust.ts';
import {
  actor,
  copyOf,
  expectTrusted,
  fakeSurroundings,
  logKey,
  open,
  origin,
  snapshot,
  testLedger,
} from './ledger-support.ts';

const SECRETS = ['mysql\0-pPLANTED-1\0', 'curl\0PLANTED-2\0', 'ls\0PLANTED-3\0'].map((text) => Buffer.from(text));

/** A log of three lines, each with a sealed value, laid out as on a host; the values open for `identity`. */
async function sealedLog() {
  const data = tempDirectory();
  const { directory: made } = await testLedger();
  mkdirSync(join(data, 'logs'));
  const [directory, sealed] = [join(data, 'logs/procmond'), join(data, 'sealed/procmond')];
  renameSync(made, directory);
  mkdirSync(sealed, { recursive: true });
  const identity = await generateX25519Identity();
  const recipients = [await identityToRecipient(identity)];
  await using sealer = await openSealer({ directory: sealed, recipients, random: systemRandom, mono: () => 0 });
  const commits: Digest[] = SECRETS.map((secret) => sealer.seal('argv', secret));
  await sealer.flush(0);
  await using writer = await open(directory);
  for (const commit of commits) await writer.append({ type: 'process.exec', actor, data: { argv_commit: commit } });
  const opens = async (i: number) => {
    const entry = findSealed(sealed, commits[i] as Digest);
    const key = await revealRecordKey(entry, identity);
    return Buffer.from(openRecord(entry.record, key, commits[i] as Digest));
  };
  const store = {
    has: (commit: Digest) => hasSealed(sealed, commit),
    destroy: (commit: Digest) => destroySealed(sealed, commit),
  };
  return { data, directory, sealed, commits, opens, store };
}

async function orderFor(directory: string, seq: number, changes: Partial<RedactionOrder> = {}) {
  using reader = await openLedgerReader(directory);
  const { digest: genesis } = reader.genesis;
  const commit = parseLine(await reader.line(seq)).data['argv_commit'] as Digest;
  const order = { v: 1, genesis, origin, seq, field: 'argv', commit, reason: 'GDPR 17' } as const;
  const envelope = encodeOrder(REDACTION_ORDER, { ...order, issuedAt: '2026-03-01T00:00:00.000Z', ...changes });
  return { ...parseOrder(REDACTION_ORDER, signEnvelope(envelope, testKey('ada'))), operator: 'ada' };
}

type Setting = Awaited<ReturnType<typeof sealedLog>>;

async function redact(
  { directory, store }: Setting,
  seq: number,
  changes: Partial<RedactionOrder> = {},
  more: Partial<RedactOptions> = {},
) {
  const approval = await orderFor(directory, seq, changes);
  return await redactSealed({ directory, key: logKey, approval, store, ...fakeSurroundings(), ...more });
}

const onDisk = (sealed: string) =>
  readdirSync(sealed)
    .map((name) => readFileSync(join(sealed, name), 'latin1'))
    .join();

describe('a sealed value that is redacted', () => {
  it('is gone from the disk, by an entry that says whose order it was; the line and every proof stay', async () => {
    const setting = await sealedLog();
    const { directory, sealed, commits, opens } = setting;
    const { record } = findSealed(sealed, commits[1] as Digest);
    using before = await openLedgerReader(directory);
    const line = await before.line(1);
    expect(await redact(setting, 1)).toEqual({ entry: 3, changed: true });
    for (const bytes of [record.key as Uint8Array, record.box])
      expect(onDisk(sealed)).not.toContain(encodeBase64(bytes));
    await expectCodeAsync(opens(1), 'SEALED_REDACTED');
    expect(hasSealed(sealed, commits[1] as Digest)).toBe(false);
    expect([await opens(0), await opens(2)]).toEqual([SECRETS[0], SECRETS[2]]);
    await expectTrusted(directory);
    using reader = await openLedgerReader(directory);
    const { data, type } = parseLine(await reader.line(3));
    expect([type, data]).toMatchObject([
      'log.redact',
      { seq: 1, commit: commits[1], operator: 'ada', reason: 'GDPR 17' },
    ]);
    const proof = await reader.proveInclusion(1);
    expect(await reader.line(1)).toEqual(line);
    expect(verifyEntryProof({ proof, line, key: logKey.publicKey, hash: 'blake3' }).verdict).toBe('trusted');
    // Sealing goes on beside it.
    expect(await redact(setting, 0)).toEqual({ entry: 4, changed: true });
    expect(await opens(2)).toEqual(SECRETS[2]);
  });

  it('is redacted once; a crash between the entry and the value is finished by the same order', async () => {
    const setting = await sealedLog();
    const { directory, store, opens } = setting;
    const dead = {
      ...store,
      destroy: () => {
        throw new Error('killed');
      },
    };
    await expect(redact(setting, 1, {}, { store: dead })).rejects.toThrow('killed');
    await expectTrusted(directory);
    expect(await opens(1)).toEqual(SECRETS[1]);
    expect(await redact(setting, 1)).toEqual({ entry: 3, changed: false });
    await expectCodeAsync(opens(1), 'SEALED_REDACTED');
    expect(await redact(setting, 1)).toEqual({ entry: 3, changed: false });
    using reader = await openLedgerReader(directory);
    expect(reader.size).toBe(4);
  });

  it('never takes another with it, killed at any byte of it', async () => {
    const setting = await sealedLog();
    const { sealed, commits, opens } = setting;
    const [name = ''] = readdirSync(sealed);
    const path = join(sealed, name);
    // A crash of the collector left half a line.
    appendFileSync(path, '{"batch":"');
    const whole = readFileSync(path, 'latin1');
    const { record } = findSealed(sealed, commits[1] as Digest);
    const secrets = [record.key as Uint8Array, record.box].map(encodeBase64);
    const half = (text: string, bytes: number) =>
      'A'.repeat(Math.min(bytes, text.replace(/=+$/, '').length)) +
      text.slice(Math.min(bytes, text.replace(/=+$/, '').length));
    for (const bytes of [0, 1, 3, 40, 10_000]) {
      let text = whole;
      for (const secret of secrets) text = text.replace(secret, half(secret, bytes));
      writeFileSync(path, text, 'latin1');
      expect([await opens(0), await opens(2)]).toEqual([SECRETS[0], SECRETS[2]]);
      destroySealed(sealed, commits[1] as Digest);
      await expectCodeAsync(opens(1), 'SEALED_REDACTED');
      expect([await opens(0), await opens(2)]).toEqual([SECRETS[0], SECRETS[2]]);
      expect(readFileSync(path, 'latin1')).toMatch(/\{"batch":"$/);
      expect([...readSealedFile(path)]).toHaveLength(3);
    }
  });

  it('is overwritten where it stood, wherever it was kept twice', async () => {
    const { sealed, commits } = await sealedLog();
    const [name = ''] = readdirSync(sealed);
    const path = join(sealed, name);
    const other = join(sealed, name.replace(/-[0-9a-f]{8}/, '-00000000'));
    writeFileSync(other, readFileSync(path));
    const kept = join(tempDirectory(), 'kept');
    linkSync(path, kept);
    const { record } = findSealed(sealed, commits[1] as Digest);
    destroySealed(sealed, commits[1] as Digest);
    for (const bytes of [record.key as Uint8Array, record.box].map(encodeBase64)) {
      expect(onDisk(sealed)).not.toContain(bytes);
      // The very blocks: what the file was before it was replaced.
      expect(readFileSync(kept, 'latin1')).not.toContain(bytes);
    }
  });
});

describe('a redaction is refused', () => {
  it('for another log, line, field or value than was ordered, and where nothing would be destroyed', async () => {
    const setting = await sealedLog();
    const { directory, sealed, store } = setting;
    const before = [snapshot(directory), onDisk(sealed)];
    const zeros: Digest = `sha256:${'0'.repeat(64)}`;
    await expectCodeAsync(redact(setting, 1, { genesis: zeros }), 'ORDER_ELSEWHERE');
    await expectCodeAsync(redact(setting, 1, { origin: 'another/log' }), 'ORDER_ELSEWHERE');
    await expectCodeAsync(redact(setting, 1, { commit: zeros }), 'REDACTION_REFUSED');
    await expectCodeAsync(redact(setting, 1, { seq: 2 }), 'REDACTION_REFUSED');
    await expectCodeAsync(redact(setting, 1, { field: 'env' }), 'REDACTION_REFUSED');
    await expectCodeAsync(redact(setting, 1, { seq: 3 }), 'NO_SUCH_ENTRY');
    // An entry that says what was not done would be worse than none.
    const empty = { ...store, has: (commit: Digest) => hasSealed(tempDirectory(), commit) };
    await expectCodeAsync(redact(setting, 1, {}, { store: empty }), 'REDACTION_REFUSED');
    await expectCodeAsync(redact(setting, 1, {}, { key: testKey('other') }), 'WRONG_KEY');
    mkdirSync(join(directory, 'holds'));
    writeFileSync(join(directory, 'holds/case-7'), '');
    await expectCodeAsync(redact(setting, 1), 'LOG_HELD');
    expect([snapshot(directory), onDisk(sealed)]).toEqual([
      { ...(before[0] as object), 'holds/case-7': '' },
      before[1],
    ]);
  });

  it('while a collector seals into the log', async () => {
    const setting = await sealedLog();
    await using _ = await open(setting.directory);
    await expectCodeAsync(redact(setting, 1), 'LOCKED');
  });

  it('where a file of sealed values is a link, or does not read: nothing is written through it', async () => {
    const { sealed, commits } = await sealedLog();
    const [name = ''] = readdirSync(sealed);
    const elsewhere = join(tempDirectory(), 'file');
    renameSync(join(sealed, name), elsewhere);
    symlinkSync(elsewhere, join(sealed, name));
    const before = readFileSync(elsewhere);
    expectCode(() => destroySealed(sealed, commits[1] as Digest), 'IO');
    expect(readFileSync(elsewhere)).toEqual(before);
    const { sealed: other, commits: others } = await sealedLog();
    const [only = ''] = readdirSync(other);
    appendFileSync(join(other, only), '{}\n');
    expectCode(() => destroySealed(other, others[1] as Digest), 'SEALED_MALFORMED');
  });
});

describe('ledger redact', () => {
  it('carries out what an approver or admin ordered, and what nobody else did', async () => {
    const { directory, opens } = await sealedLog();
    const folder = tempDirectory();
    const file = (name: string, bytes: string | Uint8Array) => {
      writeFileSync(join(folder, name), bytes, { mode: 0o600 });
      return join(folder, name);
    };
    const key = (name: string) => file(`${name}.pem`, formatPrivateKey(testKey(name).handle));
    const root = file('1.root.dsse.json', rootFile(rootDocument({ roles: ENCLAVE })).bytes);
    const enrol = (name: string, role: EnrollableRole) => file(`${name}.enrolment`, enrolOperator(name, [role]));
    const people = [enrol('ada', 'operator:approver'), enrol('vera', 'operator:viewer')];
    const order = (name: string, ...more: string[]) =>
      inside([
        'ledger',
        'redact',
        directory,
        '--key',
        key(name),
        '--out',
        join(folder, `${name}.order`),
        '--reason',
        'GDPR 17',
        '--json',
        ...more,
      ]);
    const asked = ['--seq', '1', '--field', 'argv'];
    expect(jsonOf(await order('ada', ...asked), 'ledger-redact')).toMatchObject({ seq: 1, field: 'argv' });
    await order('vera', ...asked);
    const carryOut = (name: string) =>
      inside([
        'ledger',
        'redact',
        directory,
        '--order',
        join(folder, `${name}.order`),
        '--key',
        key('log'),
        '--trust',
        root,
        ...people.flatMap((path) => ['--enrolment', path]),
      ]);
    expectError(await carryOut('vera'), 'ORDER_NOT_APPROVED', 5);
    expect(await opens(1)).toEqual(SECRETS[1]);
    expect((await carryOut('ada')).stdout).toContain('argv of entry 1 is redacted, as ada ordered; entry 3 says so');
    await expectCodeAsync(opens(1), 'SEALED_REDACTED');
    const again = await inside([
      'ledger',
      'redact',
      directory,
      '--order',
      join(folder, 'ada.order'),
      '--key',
      key('log'),
      '--trust',
      root,
      ...people.flatMap((path) => ['--enrolment', path]),
      '--json',
    ]);
    expect(jsonOf(again, 'ledger-redact')).toEqual({
      log: directory,
      seq: 1,
      field: 'argv',
      entry: 3,
      changed: false,
      operators: ['ada'],
    });
    for (const args of [
      ['--seq', '1'],
      ['--seq', '1', '--field', 'stdin'],
      ['--seq', 'x', '--field', 'argv'],
    ]) {
      expect(
        (
          await inside([
            'ledger',
            'redact',
            copyOf(directory),
            '--key',
            key('ada'),
            '--out',
            join(folder, 'z'),
            '--reason',
            'x',
            ...args,
          ])
        ).code,
      ).toBe(2);
    }
    expectError(
      await inside([
        'ledger',
        'redact',
        directory,
        '--key',
        key('ada'),
        '--out',
        join(folder, 'y'),
        '--reason',
        'x',
        '--seq',
        '1',
        '--field',
        'env',
      ]),
      'REDACTION_REFUSED',
      5,
    );
  });
});
