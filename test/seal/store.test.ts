import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/ledger/surroundings-io.ts';
import type { SecretKind } from '../../src/seal/format.ts';
import { findSealed, readSealedFile } from '../../src/seal/reader-io.ts';
import { revealRecordKey } from '../../src/seal/recipients.ts';
import { encodeSealedLine, openRecord, parseSealedLine, recordKeyOf } from '../../src/seal/sealed-record.ts';
import { openSealer } from '../../src/seal/writer-io.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const SECRET = Buffer.from('mysql\0-pPLANTED-hunter2\0');

async function person() {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

async function sealer(directory: string, recipients: readonly string[], mono = () => 0) {
  return await openSealer({ directory, recipients, random: systemRandom, mono });
}

function onlyFile(directory: string): string {
  const [name] = readdirSync(directory);
  return join(directory, name ?? '');
}

describe('sealed values', () => {
  it('open for the recipients, each of them, and for nobody else', async () => {
    const directory = tempDirectory();
    const [anna, ben, eve] = [await person(), await person(), await person()];
    await using store = await sealer(directory, [anna.recipient, ben.recipient]);
    const commit = store.seal('argv', SECRET);
    await store.flush(12);
    const entry = findSealed(directory, commit, 12);
    for (const { identity } of [anna, ben]) {
      const key = await revealRecordKey(entry, identity);
      expect(Buffer.from(openRecord(entry.record, key, commit))).toEqual(SECRET);
    }
    await expectCodeAsync(revealRecordKey(entry, eve.identity), 'IDENTITY_UNSUITABLE');
    await expectCodeAsync(revealRecordKey(entry, 'AGE-SECRET-KEY-1NONSENSE'), 'IDENTITY_MALFORMED');
  });

  it('lie on the disk without a trace of themselves', async () => {
    const directory = tempDirectory();
    const { recipient } = await person();
    await using store = await sealer(directory, [recipient]);
    store.seal('argv', SECRET);
    store.seal('env', Buffer.from('TOKEN=PLANTED-hunter3\0'));
    await store.flush(0);
    const bytes = readFileSync(onlyFile(directory));
    expect(bytes.length).toBeGreaterThan(300);
    expect(bytes.includes('PLANTED')).toBe(false);
    expect(bytes.includes(Buffer.from('PLANTED').toString('base64').slice(0, 8))).toBe(false);
  });

  it('are released one by one: a record key opens its own value only', async () => {
    const directory = tempDirectory();
    const { identity, recipient } = await person();
    await using store = await sealer(directory, [recipient]);
    const [one, two] = [store.seal('argv', SECRET), store.seal('argv', Buffer.from('ls\0'))];
    await store.flush(0);
    const [first, second] = [findSealed(directory, one), findSealed(directory, two)];
    expect(first.batch.batch).toBe(second.batch.batch);
    const key = await revealRecordKey(first, identity);
    expectCode(() => openRecord(second.record, key, two), 'SEALED_DAMAGED');
    expectCode(() => openRecord(first.record, key, two), 'COMMITMENT_MISMATCH');
  });

  it('are not passed off for another line by who changes the file', async () => {
    const directory = tempDirectory();
    const { identity, recipient } = await person();
    await using store = await sealer(directory, [recipient]);
    const [one, two] = [store.seal('argv', SECRET), store.seal('argv', Buffer.from('ls\0'))];
    await store.flush(0);
    const [first, second] = [findSealed(directory, one), findSealed(directory, two)];
    const swapped = { ...first.record, commit: two };
    await expectCodeAsync(revealRecordKey({ record: swapped, batch: first.batch }, identity), 'SEALED_DAMAGED');
    const key = await revealRecordKey(second, identity);
    expectCode(() => openRecord({ ...second.record, box: first.record.box }, key, two), 'SEALED_DAMAGED');
    const otherKind: SecretKind = 'env';
    await expectCodeAsync(
      revealRecordKey({ record: { ...first.record, kind: otherKind }, batch: first.batch }, identity),
      'SEALED_DAMAGED',
    );
  });

  it('are not kept where nobody could open them, and that is said', async () => {
    const directory = tempDirectory();
    await using store = await sealer(directory, []);
    expect(store.keeps).toBe(false);
    const [one, two] = [store.seal('argv', SECRET), store.seal('argv', SECRET)];
    await store.flush(0);
    expect(one).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(one).not.toBe(two);
    expect(readdirSync(directory)).toEqual([]);
    expectCode(() => findSealed(directory, one), 'SEALED_NOT_FOUND');
  });

  it('have a new batch key after so many records, and after so long', async () => {
    const directory = tempDirectory();
    const { recipient } = await person();
    let now = 0;
    await using store = await sealer(directory, [recipient], () => now);
    for (let i = 0; i < 1025; i += 1) store.seal('argv', SECRET);
    now += 3600 * 1_000_000;
    const last = store.seal('argv', SECRET);
    await store.flush(0);
    const batches = new Set(Array.from(readSealedFile(onlyFile(directory)), ({ batch }) => batch.batch));
    expect(batches.size).toBe(3);
    expect(findSealed(directory, last).record.commit).toBe(last);
  });

  it('survive a torn end, and are refused where the file was changed', async () => {
    const directory = tempDirectory();
    const { recipient } = await person();
    await using store = await sealer(directory, [recipient]);
    const commit = store.seal('argv', SECRET);
    await store.flush(0);
    const file = onlyFile(directory);
    appendFileSync(file, '{"batch":"torn');
    expect(findSealed(directory, commit).record.commit).toBe(commit);
    appendFileSync(file, '\n');
    expectCode(() => [...readSealedFile(file)], 'SEALED_MALFORMED');
  });

  it('are refused when their batch is missing', async () => {
    const directory = tempDirectory();
    const { recipient } = await person();
    await using store = await sealer(directory, [recipient]);
    store.seal('argv', SECRET);
    await store.flush(0);
    const file = onlyFile(directory);
    const lines = readFileSync(file, 'utf8').split('\n');
    writeFileSync(file, lines.slice(1).join('\n'));
    expectCode(() => [...readSealedFile(file)], 'SEALED_MALFORMED');
    truncateSync(file, 0);
    expect([...readSealedFile(file)]).toEqual([]);
  });

  it('are looked for only where a line could have its value', async () => {
    const directory = tempDirectory();
    const { recipient } = await person();
    await using store = await sealer(directory, [recipient]);
    const commit = store.seal('argv', SECRET);
    await store.flush(500);
    expectCode(() => findSealed(directory, commit, 499), 'SEALED_NOT_FOUND');
    expect(findSealed(directory, commit, 500).record.commit).toBe(commit);
  });

  it('open no more once the key of a record was destroyed', async () => {
    const directory = tempDirectory();
    const { recipient } = await person();
    await using store = await sealer(directory, [recipient]);
    const commit = store.seal('argv', SECRET);
    await store.flush(0);
    const { key: _, ...redacted } = findSealed(directory, commit).record;
    const read = parseSealedLine(encodeSealedLine(redacted));
    expect(read).toEqual(redacted);
    expectCode(() => recordKeyOf(redacted, new Uint8Array(32)), 'SEALED_REDACTED');
  });

  it.each(['age1nonsense', 'AGE-SECRET-KEY-1', '', 'ssh-ed25519 AAAA'])(
    'refuse the recipient %j',
    async (recipient) => {
      await expectCodeAsync(sealer('/nowhere', [recipient]), 'RECIPIENT_MALFORMED');
    },
  );

  it.each([
    '{"v":2}',
    '[]',
    'x',
    '{"batch":"00","key":"","recipients":[],"v":1}',
    `{"batch":"${'0'.repeat(32)}","box":"","commit":"sha256:${'0'.repeat(64)}","key":"","kind":"password","v":1}`,
    `{"batch":"${'0'.repeat(32)}","box":"","commit":"sha256:${'0'.repeat(64)}","extra":1,"key":"","kind":"argv","v":1}`,
  ])('refuse the line %s', (line) => {
    expectCode(() => parseSealedLine(Buffer.from(line)), 'SEALED_MALFORMED');
  });
});
