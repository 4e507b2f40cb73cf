import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/core/bytes.ts';
import { signCheckpoint } from '../../src/core/checkpoint.ts';
import type { Report } from '../../src/core/checks.ts';
import { type HashName, sha256 } from '../../src/core/digest.ts';
import type { PrivateKey } from '../../src/core/keys.ts';
import { acceptCosigned, makeRequest } from '../../src/ledger/cosigned-io.ts';
import { parseGenesis } from '../../src/ledger/genesis.ts';
import { rotateLedger } from '../../src/ledger/rotate-io.ts';
import { createWitness, Witness } from '../../src/ledger/witness-io.ts';
import { encodeRequest, parseRequest, type WitnessRequest } from '../../src/ledger/witness-request.ts';
import { expectError, inside } from '../support/cli.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { append, copyOf, expectTrusted, fakeSurroundings, logKey, open, origin, testLedger } from './ledger-support.ts';

const NOW = '2026-06-01T12:00:00.000Z';
const second = testKey('second');
const third = testKey('third');

async function write(directory: string, key: PrivateKey, lines: number): Promise<void> {
  await using writer = await open(directory, { key });
  for (let i = 0; i < lines; i += 1) await append(writer, i);
}

async function rotate(directory: string, from: PrivateKey, to: PrivateKey): Promise<void> {
  await rotateLedger({ directory, key: from, newKey: to, issuedAt: NOW, ...fakeSurroundings() });
}

function witnessOf(log: string) {
  const directory = join(tempDirectory(), 'witness');
  createWitness(directory, 'witness.example');
  const opened = <T>(use: (witness: Witness) => T): T => {
    using witness = Witness.open(directory);
    return use(witness);
  };
  const genesis = new Uint8Array(readFileSync(join(log, 'genesis.json')));
  opened((witness) => witness.watch(genesis, parseGenesis(genesis).digest));
  const cosign = (request: Uint8Array) => opened((witness) => witness.cosign(request, NOW));
  return {
    directory,
    key: opened(({ key }) => key),
    opened,
    cosign,
    refuses: (request: Uint8Array, check: string, code: string, conflicts: number) => {
      const { report, cosigned } = cosign(request);
      const failed = report.checks.find(({ status }) => status === 'fail');
      expect([failed?.name, failed?.code, cosigned]).toEqual([check, code, undefined]);
      expect(readdirSync(join(directory, 'conflicts'))).toHaveLength(conflicts);
    },
  };
}

const codeOf = ({ verdict, signers }: Report) => [verdict, signers.map(({ keyid }) => keyid)];

/** Seen at 4 lines; then rotated at 4 and at 8, and grown to 12. */
async function seenAndRotated(hash: HashName = 'blake3') {
  const { directory } = await testLedger({ hash, lines: 4 });
  const witness = witnessOf(directory);
  const before = copyOf(directory);
  const { cosigned: first = utf8('') } = witness.cosign((await makeRequest(directory)).bytes);
  await acceptCosigned(directory, first, { witnesses: [witness.key], now: NOW });
  await rotate(directory, logKey, second);
  await write(directory, second, 3);
  await rotate(directory, second, third);
  await write(directory, third, 3);
  const request = parseRequest((await makeRequest(directory)).bytes);
  const as = (changes: Partial<WitnessRequest>) => encodeRequest({ ...request, ...changes });
  return { directory, before, witness, first, request, as };
}

const note = (size: number, key: PrivateKey, text = 'x') =>
  signCheckpoint({ origin, size, root: sha256(utf8(text)) }, key, 'blake3');

describe('a witness of a log whose key changed', () => {
  it.each(['sha256', 'blake3'] as const)('follows it from key to key, and the log takes that in (%s)', async (hash) => {
    const { directory, witness, first } = await seenAndRotated(hash);
    const accept = (cosigned: Uint8Array) =>
      acceptCosigned(directory, cosigned, { witnesses: [witness.key], now: NOW });
    // What the first key signed still counts.
    expect((await accept(first)).checkpoint.size).toBe(4);
    const { bytes, since } = await makeRequest(directory);
    expect([since, parseRequest(bytes).rotations.length]).toEqual([4, 2]);
    expect(encodeRequest(parseRequest(bytes))).toEqual(bytes);
    const { report, cosigned = utf8('') } = witness.cosign(bytes);
    expect(codeOf(report)).toEqual(['trusted', [third.publicKey.keyid]]);
    const { checkpoint } = await accept(cosigned);
    expect(checkpoint.size).toBe(12);
    await expectTrusted(directory, { anchors: [checkpoint] });
    // Both changes are known now: the next request carries none.
    await write(directory, third, 2);
    const next = await makeRequest(directory);
    expect(parseRequest(next.bytes).rotations).toEqual([]);
    expect(codeOf(witness.cosign(next.bytes).report)).toEqual(['trusted', [third.publicKey.keyid]]);
    expect(witness.opened((one) => one.logs().map(({ epochs }) => epochs.length))).toEqual([3]);
  });

  it('learns of it at first contact, and from before the first entry', async () => {
    const { directory } = await testLedger();
    await rotate(directory, logKey, second);
    await write(directory, second, 3);
    await rotate(directory, second, third);
    const { bytes } = await makeRequest(directory);
    expect(parseRequest(bytes).rotations).toHaveLength(2);
    expect(witnessOf(directory).cosign(bytes).report.verdict).toBe('trusted');
  });

  it('keeps it in its state, which is checked like all of it', async () => {
    const { directory, witness } = await seenAndRotated();
    witness.cosign((await makeRequest(directory)).bytes);
    const [file = ''] = readdirSync(join(witness.directory, 'logs'));
    const path = join(witness.directory, 'logs', file);
    const whole = readFileSync(path, 'utf8');
    const state = JSON.parse(whole) as { rotations: string[]; seen: string };
    const { bytes } = await makeRequest(directory, 12);
    expect(state.rotations).toHaveLength(2);
    for (const rotations of [undefined, [], state.rotations.slice(0, 1), state.rotations.toReversed(), ['x'], 'x']) {
      const { rotations: _, ...rest } = state;
      writeFileSync(path, JSON.stringify(Object.fromEntries(Object.entries({ ...rest, rotations }).sort())));
      expectCode(() => witness.cosign(bytes), 'WITNESS_STATE');
    }
    writeFileSync(path, whole);
    expect(witness.cosign(bytes).report.verdict).toBe('trusted');
  });

  it('refuses the old key that goes on, whether it has seen the change or hears of it now', async () => {
    const { witness, as, request } = await seenAndRotated();
    witness.refuses(as({ note: note(12, logKey) }), 'signature', 'EPOCH_MISMATCH', 1);
    witness.refuses(as({ note: note(12, second) }), 'signature', 'EPOCH_MISMATCH', 2);
    // A change of the key beyond the head that it comes with.
    witness.refuses(as({ note: note(5, logKey) }), 'signature', 'REQUEST_MALFORMED', 2);
    witness.refuses(as({ note: note(8, third) }), 'signature', 'REQUEST_MALFORMED', 2);
    expect(witness.cosign(encodeRequest(request)).report.verdict).toBe('trusted');
    const later = (size: number, key: PrivateKey) => as({ rotations: [], old: 12, proof: [], note: note(size, key) });
    witness.refuses(later(13, logKey), 'signature', 'EPOCH_MISMATCH', 3);
    witness.refuses(later(13, second), 'signature', 'EPOCH_MISMATCH', 4);
    // Nor may the new one sign for what was the old one's.
    witness.refuses(later(8, third), 'signature', 'EPOCH_MISMATCH', 5);
    witness.refuses(later(4, second), 'signature', 'EPOCH_MISMATCH', 6);
    witness.refuses(later(12, testKey('stranger')), 'signature', 'NOTE_SIGNATURE', 6);
  });

  it('refuses a log that was cut back to before the change and went on with the old key', async () => {
    const { directory, before, witness } = await seenAndRotated();
    witness.cosign((await makeRequest(directory)).bytes);
    witness.refuses((await makeRequest(before, 4)).bytes, 'extension', 'WITNESS_ROLLBACK', 1);
    await write(before, logKey, 20);
    witness.refuses((await makeRequest(before, 12)).bytes, 'signature', 'EPOCH_MISMATCH', 2);
    // Or changed its key another time.
    await rotate(before, logKey, testKey('fourth'));
    witness.refuses((await makeRequest(before, 12)).bytes, 'signature', 'ROTATION_ORDER', 2);
  });

  it('refuses a new key that rewrites what the old one signed last, though the witness has not seen that', async () => {
    const { before, witness } = await seenAndRotated();
    const forged = copyOf(before);
    // Two more under the old key, which the witness has not seen; then the key changes.
    await write(before, logKey, 2);
    await rotate(before, logKey, second);
    const kept = parseRequest((await makeRequest(before, 4)).bytes);
    // Whoever has the new key and that change of it makes others of the two, and a head over them.
    await using writer = await open(forged);
    for (const i of [77, 78, 79]) await append(writer, i);
    await writer.close();
    const claim = await resigned(forged, 4, second);
    const rotations = await Promise.all(
      kept.rotations.map(async ({ line }) => ({ line, proof: (await resigned(forged, 6, second)).proof })),
    );
    witness.refuses(encodeRequest({ ...claim, rotations }), 'extension', 'WITNESS_INCONSISTENT', 1);
    witness.refuses(encodeRequest({ ...claim, rotations: kept.rotations }), 'extension', 'WITNESS_INCONSISTENT', 2);
    const bare = kept.rotations.map(({ line }) => ({ line, proof: [] }));
    witness.refuses(encodeRequest({ ...kept, rotations: bare }), 'extension', 'PROOF_MALFORMED', 2);
    witness.refuses(encodeRequest({ ...kept, rotations: [] }), 'signature', 'NOTE_SIGNATURE', 2);
    expect(witness.cosign(encodeRequest(kept)).report.verdict).toBe('trusted');
  });

  it('refuses a change of the key that comes before what it saw of the old one', async () => {
    const { directory, before, witness } = await seenAndRotated();
    const { rotations } = parseRequest((await makeRequest(directory)).bytes);
    await write(before, logKey, 2);
    expect(witness.cosign((await makeRequest(before, 4)).bytes).report.verdict).toBe('trusted');
    await write(before, logKey, 1);
    const claim = await resigned(before, 6, second);
    witness.refuses(encodeRequest({ ...claim, rotations: rotations.slice(0, 1) }), 'extension', 'WITNESS_FORK', 1);
  });

  it('tells what to ask for when the request lacks a change, without accusing anybody', async () => {
    const { directory, witness } = await seenAndRotated();
    witness.refuses((await makeRequest(directory, 9)).bytes, 'signature', 'WITNESS_STALE', 0);
    expect(witness.cosign((await makeRequest(directory, 4)).bytes).report.verdict).toBe('trusted');
    witness.refuses((await makeRequest(directory, 4)).bytes, 'extension', 'WITNESS_STALE', 0);
  });

  it('refuses changes that are not signed by both, in another order, of another log, or no frame', async () => {
    const { witness, as, request } = await seenAndRotated();
    const [one, two] = request.rotations;
    if (one === undefined || two === undefined) throw new Error('two changes were expected');
    witness.refuses(as({ rotations: [two, one] }), 'signature', 'ROTATION_ORDER', 0);
    witness.refuses(as({ rotations: [one] }), 'signature', 'NOTE_SIGNATURE', 0);
    witness.refuses(as({ rotations: [one, one, two] }), 'signature', 'ROTATION_ORDER', 0);
    const line = utf8(decodeUtf8(one.line).replace(/"sig":"(.)/, (_, c: string) => `"sig":"${c === 'A' ? 'B' : 'A'}`));
    expect(line).not.toEqual(one.line);
    witness.refuses(as({ rotations: [{ ...one, line }, two] }), 'signature', 'ROTATION_SIGNATURE', 0);
    witness.refuses(as({ rotations: [{ ...one, line: utf8('{}') }, two] }), 'signature', 'LINE_MALFORMED', 0);
    expectCode(() => parseRequest(utf8('x\nrotated {}\nold 1\n\nx')), 'REQUEST_MALFORMED');
    expectCode(() => parseRequest(utf8(`rotated {}\n${'A'.repeat(44)}\nold 1\n\nx`)), 'REQUEST_MALFORMED');
    expectCode(() => parseRequest(utf8('rotated {}\n\nx')), 'REQUEST_MALFORMED');
  });
});

describe('ledger verify with cosignatures of a log whose key changed', () => {
  it('counts those under every key of the log, and finds a log that was cut back to the old one', async () => {
    const { directory, before, witness, first } = await seenAndRotated();
    const place = tempDirectory();
    const file = (name: string, bytes: Uint8Array | string) => {
      writeFileSync(join(place, name), bytes);
      return join(place, name);
    };
    const witnessKey = file('witness.pem', witness.key.pem);
    const keys = [logKey, second, third].map((key, i) => file(`${i}.pem`, key.publicKey.pem));
    const cosigned = file('second', witness.cosign((await makeRequest(directory)).bytes).cosigned ?? '');
    const run = (log: string, key: string, note: string) =>
      inside(['ledger', 'verify', log, '--key', key, '--witness-key', witnessKey, '--cosigned', note]);
    for (const key of keys) {
      for (const note of [cosigned, file('first', first)]) {
        const { code, stdout } = await run(directory, key, note);
        expect(code).toBe(0);
        expect(stdout).toContain(`${note === cosigned ? 12 : 4} lines are known elsewhere, unchanged`);
      }
    }
    const stranger = file('stranger.pem', testKey('stranger').publicKey.pem);
    expectError(await run(directory, stranger, cosigned), 'COSIGNED_DAMAGED', 3);
    const cut = await run(before, keys[0] ?? '', cosigned);
    expectError(cut, 'COSIGNED_DAMAGED', 3);
    expect(cut.stderr).toContain('cut back to before that');
    await expectCodeAsync(
      acceptCosigned(before, new Uint8Array(readFileSync(cosigned)), { witnesses: [witness.key], now: NOW }),
      'NOTE_SIGNATURE',
    );
  });
});

/** A request about the head of this log, under another key's signature. */
async function resigned(directory: string, since: number, key: PrivateKey): Promise<WitnessRequest> {
  const { bytes, checkpoint } = await makeRequest(directory, since);
  return { ...parseRequest(bytes), note: signCheckpoint(checkpoint, key, 'blake3') };
}
