import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeBase64, utf8 } from '../../src/core/bytes.ts';
import { signCheckpoint } from '../../src/core/checkpoint.ts';
import type { Report } from '../../src/core/checks.ts';
import { verifyCosignatures } from '../../src/core/cosignature.ts';
import { type HashName, sha256 } from '../../src/core/digest.ts';
import { parseNote } from '../../src/core/signed-note.ts';
import { acceptCosigned, makeRequest, readCosignedNotes } from '../../src/ledger/cosigned-io.ts';
import { parseGenesis } from '../../src/ledger/genesis.ts';
import { createWitness, Witness } from '../../src/ledger/witness-io.ts';
import { encodeRequest, parseRequest } from '../../src/ledger/witness-request.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { append, copyOf, edit, expectTrusted, logKey, open, origin, testLedger } from './ledger-support.ts';

const NOW = '2026-06-01T12:00:00.000Z';
const LATER = '2026-06-02T12:00:00.000Z';
const NAME = 'witness.example';

function genesisOf(directory: string): Uint8Array {
  return new Uint8Array(readFileSync(join(directory, 'genesis.json')));
}

/** A witness that watches the log; opened anew each time, as a person would. */
function witnessOf(log: string) {
  const directory = join(tempDirectory(), 'witness');
  createWitness(directory, NAME);
  const opened = <T>(use: (witness: Witness) => T): T => {
    using witness = Witness.open(directory);
    return use(witness);
  };
  opened((witness) => witness.watch(genesisOf(log), parseGenesis(genesisOf(log)).digest));
  return {
    directory,
    key: opened(({ key }) => key),
    opened,
    cosign: (request: Uint8Array, now = NOW) => opened((witness) => witness.cosign(request, now)),
  };
}

async function grow(directory: string, from: number, to: number): Promise<void> {
  await using writer = await open(directory);
  for (let i = from; i < to; i += 1) await append(writer, i);
}

function refusal(report: Report): readonly [string | undefined, string | undefined] {
  expect(report.verdict).toBe('refused');
  const check = report.checks.find(({ status }) => status === 'fail');
  return [check?.name, check?.code];
}

/** A log, a witness that cosigned it at 5 entries, and the same log grown to 12. */
async function seenAndGrown(hash: HashName = 'blake3') {
  const { directory } = await testLedger({ hash, lines: 5 });
  const witness = witnessOf(directory);
  const old = copyOf(directory);
  const first = witness.cosign((await makeRequest(directory)).bytes);
  expect(first.report.verdict).toBe('trusted');
  await grow(directory, 5, 12);
  return { directory, old, witness, first: first.cosigned as Uint8Array };
}

describe('a witness', () => {
  it.each(['sha256', 'blake3'] as const)('cosigns a log as it grows, and the log takes that in (%s)', async (hash) => {
    const { directory, witness, first } = await seenAndGrown(hash);
    const accept = (note: Uint8Array) => acceptCosigned(directory, note, { witnesses: [witness.key], now: NOW });
    expect((await accept(first)).checkpoint.size).toBe(5);

    const request = await makeRequest(directory);
    expect([request.since, request.checkpoint.size, request.hashes > 0]).toEqual([5, 12, true]);
    const { report, cosigned = utf8('') } = witness.cosign(request.bytes, LATER);
    expect(report.checks.map(({ name, status }) => [name, status])).toEqual(
      ['request', 'log', 'signature', 'extension', 'clock'].map((name) => [name, 'pass']),
    );
    const { checkpoint, cosignatures } = await accept(cosigned);
    expect([checkpoint.size, cosignatures]).toEqual([12, [{ name: NAME, key: witness.key, time: LATER }]]);
    expect(readCosignedNotes(directory)).toEqual(
      [first, cosigned].map((note) => Buffer.from(note)).map((note) => new Uint8Array(note)),
    );
    expect(parseNote(cosigned).signatures.map(({ name }) => name)).toEqual([origin, NAME]);

    // The same head again is no growth, and no trouble: a newer time for the same.
    const again = await makeRequest(directory);
    expect([again.since, again.hashes]).toEqual([12, 0]);
    expect(witness.cosign(again.bytes, LATER).report.verdict).toBe('trusted');
    expect(witness.opened((one) => one.logs().map(({ seen }) => seen?.checkpoint.size))).toEqual([12]);
    await grow(directory, 12, 14);
    await expectTrusted(directory, { anchors: [checkpoint] });
  });

  it('keeps its state to itself', async () => {
    const { witness } = await seenAndGrown();
    const modes = ['', 'logs', 'conflicts', 'witness.key.pem', 'witness.json'].map(
      (name) => statSync(join(witness.directory, name)).mode & 0o777,
    );
    expect(modes).toEqual([0o700, 0o700, 0o700, 0o600, 0o600]);
    expectCode(() => createWitness(witness.directory, NAME), 'WITNESS_EXISTS');
    expectCode(() => createWitness(join(tempDirectory(), 'x'), 'two words'), 'WITNESS_NAME');
    expectCode(() => Witness.open(tempDirectory()), 'WITNESS_NOT_FOUND');
    witness.opened(() => expectCode(() => Witness.open(witness.directory), 'LOCKED'));
  });

  it('remembers before it hands out: what could not be stored is not cosigned', async () => {
    const { directory, witness } = await seenAndGrown();
    const request = (await makeRequest(directory, 5)).bytes;
    const [file = ''] = readdirSync(join(witness.directory, 'logs'));
    witness.opened((one) => {
      const cosigned = one.cosign(request, LATER).cosigned;
      const stored = JSON.parse(readFileSync(join(witness.directory, 'logs', file), 'utf8')) as { seen: string };
      expect(stored.seen).toBe(decodeUtf8(cosigned as Uint8Array));
    });
  });
});

describe('a witness refuses', () => {
  it('a log that it was not told to watch, by fingerprint', async () => {
    const { directory } = await testLedger({ lines: 3 });
    const state = join(tempDirectory(), 'witness');
    createWitness(state, NAME);
    using witness = Witness.open(state);
    const { bytes } = await makeRequest(directory);
    expect(refusal(witness.cosign(bytes, NOW).report)).toEqual(['log', 'WITNESS_LOG_UNKNOWN']);
    expectCode(() => witness.watch(genesisOf(directory), `sha256:${'0'.repeat(64)}`), 'WITNESS_FINGERPRINT');
    const { digest } = witness.watch(genesisOf(directory), parseGenesis(genesisOf(directory)).digest);
    expectCode(() => witness.watch(genesisOf(directory), digest), 'WITNESS_LOG_KNOWN');
    // Another log that took the same name.
    const { directory: other } = await testLedger({ hash: 'sha256', lines: 3 });
    expectCode(() => witness.watch(genesisOf(other), parseGenesis(genesisOf(other)).digest), 'WITNESS_LOG_KNOWN');
    expect(refusal(witness.cosign((await makeRequest(other)).bytes, NOW).report)).toEqual([
      'signature',
      'NOTE_SIGNATURE',
    ]);
  });

  it('a log that was cut back, and shows both heads', async () => {
    const { directory, witness } = await seenAndGrown();
    const truncated = await testLedger({ lines: 3 });
    const { report, cosigned } = witness.cosign((await makeRequest(truncated.directory)).bytes);
    expect(refusal(report)).toEqual(['extension', 'WITNESS_ROLLBACK']);
    expect(cosigned).toBeUndefined();
    const check = report.checks.find(({ name }) => name === 'extension');
    expect(check?.reason).toMatch(
      /seen 2026-06-01T12:00:00.000Z: 5 entries, root blake3:[0-9a-f]{64}; given now: 3 entries, root blake3:/,
    );
    expect([check?.detail?.['seenSize'], check?.detail?.['size']]).toEqual([5, 3]);
    expect(readdirSync(join(witness.directory, 'conflicts'))).toHaveLength(1);
    // And it goes on from what it saw.
    expect(witness.cosign((await makeRequest(directory, 5)).bytes).report.verdict).toBe('trusted');
  });

  it('a fork: another log of the same length and key', async () => {
    const { directory, witness } = await seenAndGrown();
    const size = 5;
    const fork = signCheckpoint({ origin, size, root: sha256(utf8('fork')) }, logKey, 'blake3');
    const { report } = witness.cosign(encodeRequest({ rotations: [], old: size, proof: [], note: fork }));
    expect(refusal(report)).toEqual(['extension', 'WITNESS_FORK']);
    const { seenRoot, root } = report.checks.find(({ name }) => name === 'extension')?.detail ?? {};
    expect(seenRoot).not.toBe(root);
    expect(readdirSync(join(witness.directory, 'conflicts'))).toHaveLength(1);
    expect(witness.cosign((await makeRequest(directory, 5)).bytes).report.verdict).toBe('trusted');
  });

  it('a log that was cut back and has grown again, with proofs of its own', async () => {
    const { witness } = await seenAndGrown();
    const { directory } = await testLedger({ lines: 2 });
    await grow(directory, 100, 120);
    const { report } = witness.cosign((await makeRequest(directory, 5)).bytes);
    expect(refusal(report)).toEqual(['extension', 'WITNESS_INCONSISTENT']);
    expect(readdirSync(join(witness.directory, 'conflicts'))).toHaveLength(1);
  });

  it('a proof since another size than it saw, without accusing anybody', async () => {
    const { directory, witness } = await seenAndGrown();
    for (const since of [0, 4, 12]) {
      const { report } = witness.cosign((await makeRequest(directory, since)).bytes);
      expect(refusal(report)).toEqual(['extension', 'WITNESS_STALE']);
    }
    expect(readdirSync(join(witness.directory, 'conflicts'))).toEqual([]);
    const fresh = witnessOf(directory);
    expect(refusal(fresh.cosign((await makeRequest(directory, 5)).bytes).report)).toEqual([
      'extension',
      'WITNESS_STALE',
    ]);
  });

  it('when its own clock went back', async () => {
    const { directory, witness } = await seenAndGrown();
    const { report } = witness.cosign((await makeRequest(directory, 5)).bytes, '2026-06-01T11:59:59.000Z');
    expect(refusal(report)).toEqual(['clock', 'WITNESS_CLOCK']);
  });

  it('an altered request', async () => {
    const { directory, witness } = await seenAndGrown();
    const request = parseRequest((await makeRequest(directory, 5)).bytes);
    const [first = new Uint8Array(32), ...rest] = request.proof;
    const judged = (changes: Partial<typeof request>) =>
      refusal(witness.cosign(encodeRequest({ ...request, ...changes })).report);
    expect(judged({ proof: rest })).toEqual(['extension', 'PROOF_MALFORMED']);
    expect(judged({ proof: [...request.proof, first] })).toEqual(['extension', 'PROOF_MALFORMED']);
    expect(judged({ proof: [] })).toEqual(['extension', 'PROOF_MALFORMED']);
    expect(judged({ proof: [first.with(0, (first[0] ?? 0) ^ 1), ...rest] })).toEqual([
      'extension',
      'WITNESS_INCONSISTENT',
    ]);
    expect(judged({ proof: [first.slice(1), ...rest] })).toEqual(['request', 'REQUEST_MALFORMED']);
    expect(judged({ old: 13 })).toEqual(['extension', 'REQUEST_MALFORMED']);
    const checkpoint = { origin, size: 12, root: sha256(utf8('x')) };
    const note = (changes: Partial<typeof checkpoint>, key = logKey) =>
      signCheckpoint({ ...checkpoint, ...changes }, key, 'blake3');
    expect(judged({ note: note({ size: 0 }), old: 0, proof: [] })).toEqual(['extension', 'REQUEST_MALFORMED']);
    expect(judged({ note: note({ size: 13 }) })[0]).toBe('extension');
    expect(judged({ note: note({ origin: 'example.org/other' }) })).toEqual(['log', 'WITNESS_LOG_UNKNOWN']);
    expect(judged({ note: note({}, testKey('mallory')) })).toEqual(['signature', 'NOTE_SIGNATURE']);
    expect(judged({ note: signCheckpoint(checkpoint, logKey, 'sha256') })).toEqual(['signature', 'NOTE_SIGNATURE']);
    expect(judged({ note: utf8('x') })).toEqual(['log', 'NOTE_MALFORMED']);
  });

  it.each([
    ['nothing', ''],
    ['no size', 'old\n\nx'],
    ['a leading zero', 'old 01\n\nx'],
    ['a size past 2^53', 'old 9007199254740993\n\nx'],
    ['64 hashes', `old 1\n${`${encodeBase64(new Uint8Array(32))}\n`.repeat(64)}\nx`],
    ['a hash of 31 bytes', `old 1\n${encodeBase64(new Uint8Array(31))}\n\nx`],
    ['a hash in another spelling', `old 1\n${encodeBase64(new Uint8Array(32)).replace('A=', 'B=')}\n\nx`],
    ['carriage returns', 'old 1\r\n\r\nx'],
    ['a hundred kilobytes', `old 1\n\n${'x'.repeat(100_000)}`],
  ])('a request with %s', (_, text) => {
    expectCode(() => parseRequest(utf8(text)), 'REQUEST_MALFORMED');
  });

  it('to work on with a state that was tampered with', async () => {
    const { directory, witness } = await seenAndGrown();
    const request = (await makeRequest(directory, 5)).bytes;
    const [file = ''] = readdirSync(join(witness.directory, 'logs'));
    const path = join(witness.directory, 'logs', file);
    const whole = readFileSync(path, 'utf8');
    const { seen } = JSON.parse(whole) as { seen: string };
    const broken = [
      '',
      '{}',
      whole.replace('"v":1', '"v":2'),
      whole.replace(JSON.stringify(seen), '7'),
      // Set back to something the witness never signed: the checkpoint alone.
      whole.replace(JSON.stringify(seen), JSON.stringify(seen.split('\n').slice(0, 5).join('\n').concat('\n'))),
      whole.replace('"genesis":"', '"genesis":"A'),
      whole.replace('\\n5\\n', '\\n4\\n'),
    ];
    for (const text of broken) {
      expect(text).not.toBe(whole);
      writeFileSync(path, text);
      expectCode(() => witness.cosign(request), 'WITNESS_STATE');
    }
    writeFileSync(path, whole);
    edit(join(witness.directory, 'witness.json'), () => utf8('{"name":"a b","v":1}'));
    expectCode(() => witness.cosign(request), 'WITNESS_STATE');
  });
});

describe('the side of the log refuses', () => {
  it('a cosignature by a key that is not admitted, of another checkpoint, log or time', async () => {
    const { directory, witness, first } = await seenAndGrown();
    const accept = (note: Uint8Array, changes: object = {}) =>
      acceptCosigned(directory, note, { witnesses: [witness.key], now: NOW, ...changes });
    await expectCodeAsync(accept(first, { witnesses: [] }), 'WITNESS_NOT_ADMITTED');
    await expectCodeAsync(accept(first, { witnesses: [testKey('other').publicKey] }), 'WITNESS_NOT_ADMITTED');
    const second = witness.cosign((await makeRequest(directory, 5)).bytes).cosigned as Uint8Array;
    const [line] = parseNote(first).signatures.slice(1);
    const lines = decodeUtf8(second).split('\n');
    const replayed = utf8([...lines.slice(0, -2), decodeUtf8(first).split('\n').at(-2), ''].join('\n'));
    expect(parseNote(replayed).signatures[1]).toEqual(line);
    await expectCodeAsync(accept(replayed), 'NOTE_SIGNATURE');
    const other = await testLedger({ hash: 'sha256', lines: 5 });
    await expectCodeAsync(
      acceptCosigned(other.directory, first, { witnesses: [witness.key], now: NOW }),
      'NOTE_SIGNATURE',
    );
    await expectCodeAsync(accept(utf8(decodeUtf8(first).replace('host-1', 'host-2'))), 'CHECKPOINT_ORIGIN');
    await expectCodeAsync(accept(first, { now: '2026-05-31T11:59:59.000Z' }), 'COSIGNATURE_AHEAD');
    expect(readCosignedNotes(directory)).toEqual([]);
    expect((await accept(first, { now: undefined })).cosignatures).toHaveLength(1);
  });

  it('a checkpoint from another history than the one here, and shows both heads', async () => {
    const { directory, old, witness } = await seenAndGrown();
    const second = witness.cosign((await makeRequest(directory, 5)).bytes).cosigned as Uint8Array;
    const options = { witnesses: [witness.key], now: NOW };
    // The log was set back to what it was at 5 entries.
    await expectCodeAsync(acceptCosigned(old, second, options), 'COSIGNED_ELSEWHERE');
    // And went on otherwise.
    await grow(old, 500, 520);
    await expectCodeAsync(acceptCosigned(old, second, options), 'COSIGNED_ELSEWHERE');
    expect(verifyCosignatures(parseNote(second), [witness.key], 'blake3')).toHaveLength(1);
  });

  it('to ask about nothing', async () => {
    const { directory } = await testLedger();
    await expectCodeAsync(makeRequest(directory), 'NO_SUCH_ENTRY');
    const some = await testLedger({ lines: 2 });
    await expectCodeAsync(makeRequest(some.directory, 3), 'NO_SUCH_ENTRY');
  });
});
