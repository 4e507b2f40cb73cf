import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/core/bytes.ts';
import { signCheckpoint } from '../../src/core/checkpoint.ts';
import { formatDigest, type HashName } from '../../src/core/digest.ts';
import { type Envelope, signEnvelope } from '../../src/core/dsse.ts';
import { embedEnvelope, parseEmbeddedEnvelope } from '../../src/core/embedded-envelope.ts';
import type { EmbeddedEnvelope } from '../../src/core/event-data.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../../src/core/jcs.ts';
import { formatPrivateKey, type PrivateKey } from '../../src/core/keys.ts';
import { rootOfLeaves } from '../../src/core/merkle.ts';
import type { JsonObject } from '../../src/core/strict-json.ts';
import { leafOf } from '../../src/ledger/chain.ts';
import type { Epoch } from '../../src/ledger/epochs.ts';
import { readEpochs } from '../../src/ledger/epochs-io.ts';
import { createHashFunction } from '../../src/ledger/hashing.ts';
import { encodeLine, type Line, parseLine, signLine } from '../../src/ledger/line.ts';
import { encodeLogProof, parseLogProof } from '../../src/ledger/log-proof.ts';
import { verifyLogProof } from '../../src/ledger/log-proof-check.ts';
import { proveLogRange } from '../../src/ledger/log-proof-io.ts';
import { readGenesis } from '../../src/ledger/open-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { type RotateOptions, rotateLedger } from '../../src/ledger/rotate-io.ts';
import { addEpoch, parseEpochs } from '../../src/ledger/rotation.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import {
  append,
  copyOf,
  expectRefused,
  expectTrusted,
  fakeSurroundings,
  logKey,
  open,
  origin,
  snapshot,
  testLedger,
} from './ledger-support.ts';

const second = testKey('second');
const third = testKey('third');
const ENTRIES = 'entries/000000000000.ndjson';

function rotate(directory: string, from: PrivateKey, to: PrivateKey, more: Partial<RotateOptions> = {}) {
  const issuedAt = '2026-02-01T00:00:00.000Z';
  return rotateLedger({ directory, key: from, newKey: to, issuedAt, ...fakeSurroundings(), ...more });
}

/** Lines, a rotation, lines, a rotation, lines: the rotations stand at 4 and 8. */
async function rotated(hash: HashName = 'blake3'): Promise<string> {
  const { directory } = await testLedger({ hash, lines: 4 });
  await rotate(directory, logKey, second);
  await write(directory, second, 3);
  await rotate(directory, second, third);
  await write(directory, third, 3);
  return directory;
}

async function write(directory: string, key: PrivateKey, lines: number): Promise<void> {
  await using writer = await open(directory, { key, history: { entries: 1, seconds: 3600 } });
  for (let i = 0; i < lines; i += 1) await append(writer, i);
}

const linesOf = (directory: string) =>
  readFileSync(join(directory, ENTRIES), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => utf8(line));

/**
 * A log of these lines, chained anew, with tree and history gone and a head by this key: what somebody can make who has
 * that key and no other.
 */
async function forge(directory: string, lines: readonly Line[], key: PrivateKey): Promise<void> {
  const genesis = readGenesis(directory);
  const hash = await createHashFunction(genesis.hash);
  const leaves: Uint8Array[] = [];
  let prev = genesis.digest as Line['prev'];
  let text = '';
  for (const [seq, line] of lines.entries()) {
    const chained = { ...line, seq, prev };
    const { kid, sig: _, ...plain } = chained;
    const signer = [logKey, second, third].find(({ publicKey }) => publicKey.keyid === kid);
    const bytes = encodeLine(signer === undefined ? chained : signLine(plain as Line, signer));
    leaves.push(leafOf(hash, bytes));
    prev = formatDigest(genesis.hash, leaves[seq] as Uint8Array);
    text += `${decodeUtf8(bytes)}\n`;
  }
  writeFileSync(join(directory, ENTRIES), text);
  const note = signCheckpoint({ origin, size: lines.length, root: rootOfLeaves(hash, leaves) }, key, genesis.hash);
  for (const slot of ['head.a', 'head.b']) writeFileSync(join(directory, 'checkpoints', slot), note);
  writeFileSync(join(directory, 'checkpoints/history.ndjson'), '');
  rmSync(join(directory, 'tree'), { recursive: true, force: true });
}

/** epochs.ndjson as the `log.rotate` lines in the log would have it. */
function keepEpochs(directory: string): void {
  const rotations = linesOf(directory).filter((line) => parseLine(line).type === 'log.rotate');
  writeFileSync(join(directory, 'epochs.ndjson'), rotations.map((line) => `${decodeUtf8(line)}\n`).join(''));
}

type RotationJson = {
  genesis: string;
  origin: string;
  epoch: number;
  from: string;
  key: { keyid: string; pem: string };
  last: { size: number; root: string };
  more?: number;
};

/** A `log.rotate` line with the payload of its document changed, signed again by these keys. */
function resigned(
  bytes: Uint8Array,
  keys: readonly PrivateKey[],
  change: (json: RotationJson) => void = () => undefined,
): Line {
  const line = parseLine(bytes);
  const envelope = parseEmbeddedEnvelope(line.data['document'] as unknown as EmbeddedEnvelope);
  const json = structuredClone(parseCanonicalJson(envelope.payload)) as unknown as RotationJson;
  change(json);
  let changed: Envelope = { ...envelope, payload: encodeCanonicalJson(json), signatures: [] };
  for (const key of keys) changed = signEnvelope(changed, key);
  return { ...line, data: { ...line.data, document: embedEnvelope(changed) as unknown as JsonObject } };
}

describe('a log whose key changes', () => {
  it.each<HashName>(['blake3', 'sha256'])(
    'verifies with the key of any epoch, and proves as before (%s)',
    async (hash) => {
      const directory = await rotated(hash);
      for (const key of [logKey, second, third]) {
        const report = await expectTrusted(directory, { key: key.publicKey });
        expect(report.signers).toEqual([{ keyid: third.publicKey.keyid, role: 'log' }]);
      }
      await expectRefused(directory, 'genesis', 'WRONG_KEY', { key: testKey('stranger').publicKey });
      const { epochs } = readEpochs(directory, readGenesis(directory));
      expect(epochs.map(({ key, start }) => [key.keyid, start])).toEqual([
        [logKey.publicKey.keyid, 0],
        [second.publicKey.keyid, 4],
        [third.publicKey.keyid, 8],
      ]);
      using reader = await openLedgerReader(directory);
      expect(reader.size).toBe(12);
      await reader.proveInclusion(2);
      // Under heads that older keys signed.
      await reader.proveInclusion(2, 3);
      await reader.proveInclusion(2, 7);
      await reader.proveConsistency(3, 12);
    },
  );

  it('is written to with the new key only', async () => {
    const directory = await rotated();
    const before = snapshot(directory);
    await expectCodeAsync(open(directory), 'WRONG_KEY');
    await expectCodeAsync(open(directory, { key: second }), 'WRONG_KEY');
    expect(snapshot(directory)).toEqual(before);
    await write(directory, third, 1);
    await expectTrusted(directory);
  });

  it('records a clock that ran backwards in the rotation itself', async () => {
    const { directory } = await testLedger({ lines: 2 });
    const past = fakeSurroundings();
    past.ts = 5;
    await rotate(directory, logKey, second, past);
    expect(parseLine(linesOf(directory)[2] as Uint8Array).data).toHaveProperty('clock');
    await expectTrusted(directory);
  });

  it('can change it before anything was written, and many times in a row', async () => {
    const { directory } = await testLedger();
    await rotate(directory, logKey, second);
    await rotate(directory, second, third);
    await expectTrusted(directory);
    await expectTrusted(directory, { key: third.publicKey });
  });

  it('never goes back to a key that it had', async () => {
    const directory = await rotated();
    const before = snapshot(directory);
    await expectCodeAsync(rotate(directory, third, logKey), 'KEY_REUSED');
    await expectCodeAsync(rotate(directory, third, second), 'KEY_REUSED');
    expect(snapshot(directory)).toEqual(before);
    expect((await rotate(directory, second, third)).changed).toBe(false);
    expect((await rotate(directory, third, third)).changed).toBe(false);
    await expectCodeAsync(rotate(directory, second, testKey('fourth')), 'WRONG_KEY');
  });

  it('is not taken over by an entry that anybody appends', async () => {
    const { directory } = await testLedger({ lines: 2 });
    await using writer = await open(directory);
    await expectCodeAsync(append(writer, 1, 'log.rotate'), 'LINE_MALFORMED');
  });
});

describe('whoever has one key and not the other', () => {
  it('can not rewrite with the new key what the old one signed', async () => {
    const directory = await rotated();
    const lines = linesOf(directory).map(parseLine);
    await forge(directory, lines.with(1, { ...(lines[1] as Line), data: { changed: true } }), third);
    keepEpochs(directory);
    for (const key of [logKey, second, third]) {
      await expectRefused(directory, 'tree', 'ROOT_MISMATCH', { key: key.publicKey });
    }
  });

  it('can not sign an earlier line with the newer key', async () => {
    const { directory } = await testLedger();
    const signed = (key: PrivateKey) => open(directory, { key });
    await using writer = await signed(logKey);
    for (let i = 0; i < 3; i += 1) {
      await writer.append({ type: 'process.start', actor: { type: 'process', id: 'x' }, data: { i }, signer: logKey });
    }
    await writer.close();
    await rotate(directory, logKey, second);
    await expectTrusted(directory);
    const lines = linesOf(directory).map(parseLine);
    const swapped = copyOf(directory);
    // With its root in a rotation that both keys sign, so that the epochs themselves agree.
    await forge(swapped, lines.slice(0, 3).with(1, { ...(lines[1] as Line), kid: second.publicKey.keyid }), logKey);
    rmSync(join(swapped, 'epochs.ndjson'));
    await rotate(swapped, logKey, second);
    await expectRefused(swapped, 'signatures', 'EPOCH_MISMATCH');
    // Nor a later one with the older.
    await write(directory, second, 1);
    await using later = await open(directory, { key: second });
    await later.append({ type: 'process.start', actor: { type: 'process', id: 'x' }, data: {}, signer: logKey });
    await later.close();
    await expectRefused(directory, 'signatures', 'EPOCH_MISMATCH');
  });

  it('can not go on with the old key', async () => {
    const directory = await rotated();
    const lines = linesOf(directory).map(parseLine);
    await forge(directory, lines, second);
    await expectRefused(directory, 'head', 'NOTE_SIGNATURE');
    await expectCodeAsync(openLedgerReader(directory), 'TAMPERED');
  });

  it('is found when the log is cut back to before the change, wherever a later key or the epochs are known', async () => {
    const directory = await rotated();
    const lines = linesOf(directory).map(parseLine);
    await forge(directory, lines.slice(0, 4), logKey);
    await expectRefused(directory, 'lines', 'LINES_MISSING');
    rmSync(join(directory, 'epochs.ndjson'));
    await expectRefused(directory, 'genesis', 'WRONG_KEY', { key: second.publicKey });
  });

  it('can not hide lines that were cut out behind empty epochs', async () => {
    const directory = await rotated();
    const lines = linesOf(directory).map(parseLine);
    // The lines of the second epoch gone, the third's rotation right after the second's.
    await forge(directory, [...lines.slice(0, 5), ...lines.slice(8)], third);
    keepEpochs(directory);
    await expectRefused(directory, 'epochs', 'ROTATION_ORDER');
    // The whole second epoch gone.
    await forge(directory, [...lines.slice(0, 4), ...lines.slice(8)], third);
    keepEpochs(directory);
    await expectRefused(directory, 'epochs', 'ROTATION_ORDER');
  });

  it('can not add, drop or change a line of epochs.ndjson', async () => {
    const directory = await rotated();
    const path = join(directory, 'epochs.ndjson');
    const [one = '', two = ''] = readFileSync(path, 'utf8').split('\n');
    const as = async (text: string, check: string, code: string) => {
      const copy = copyOf(directory);
      writeFileSync(join(copy, 'epochs.ndjson'), text);
      await expectRefused(copy, check, code);
      await expectCodeAsync(openLedgerReader(copy), 'TAMPERED');
      await expectCodeAsync(open(copy, { key: third }), 'TAMPERED');
    };
    await as(`${one}\n`, 'head', 'NOTE_SIGNATURE');
    await as('', 'head', 'NOTE_SIGNATURE');
    await as(`${two}\n${one}\n`, 'epochs', 'ROTATION_ORDER');
    await as(`${one}\n${one}\n`, 'epochs', 'ROTATION_ORDER');
    await as(`${one}\n${two}`, 'epochs', 'ROTATION_MALFORMED');
    await as(`${one}\n${two}\n{}\n`, 'epochs', 'LINE_MALFORMED');
    await as(`${one}\n${decodeUtf8(linesOf(directory)[1] as Uint8Array)}\n`, 'epochs', 'ROTATION_MALFORMED');
    // Another spelling of the same epoch: the log holds another line.
    const other = copyOf(directory);
    const line = parseLine(utf8(one));
    writeFileSync(join(other, 'epochs.ndjson'), `${decodeUtf8(encodeLine({ ...line, ts: line.ts + 1 }))}\n${two}\n`);
    await expectRefused(other, 'lines', 'EPOCH_MISMATCH');
  });
});

describe('a rotation', () => {
  it('counts only when both keys signed it, for this log, this place and the next epoch', async () => {
    const directory = await rotated();
    const genesis = readGenesis(directory);
    const { epochs } = readEpochs(directory, genesis);
    const [first] = epochs;
    const bytes = linesOf(directory)[4] as Uint8Array;
    const as = (keys: readonly PrivateKey[], change?: (json: RotationJson) => void) =>
      addEpoch([first], genesis, encodeLine(resigned(bytes, keys, change)));
    expect(as([logKey, second])).toHaveLength(2);
    expectCode(() => as([logKey]), 'ROTATION_SIGNATURE');
    expectCode(() => as([second]), 'ROTATION_SIGNATURE');
    expectCode(() => as([]), 'ROTATION_SIGNATURE');
    expectCode(() => as([logKey, third]), 'ROTATION_SIGNATURE');
    expectCode(() => as([second, third]), 'ROTATION_SIGNATURE');
    const both = [logKey, second];
    expectCode(() => as(both, (json) => (json.epoch = 2)), 'ROTATION_ORDER');
    expectCode(() => as(both, (json) => (json.origin = 'another/log')), 'ROTATION_ORDER');
    expectCode(() => as(both, (json) => (json.genesis = `sha256:${'0'.repeat(64)}`)), 'ROTATION_ORDER');
    expectCode(() => as(both, (json) => (json.from = third.publicKey.keyid)), 'ROTATION_ORDER');
    expectCode(() => as(both, (json) => (json.last.size = 3)), 'ROTATION_ORDER');
    expectCode(() => as(both, (json) => (json.last.root = `sha256:${'0'.repeat(64)}`)), 'ROTATION_ORDER');
    expectCode(() => as(both, (json) => (json.key.keyid = third.publicKey.keyid)), 'ROTATION_MALFORMED');
    expectCode(() => as(both, (json) => (json.more = 1)), 'ROTATION_MALFORMED');
    const { keyid, pem } = logKey.publicKey;
    const back = (json: RotationJson) => (json.key = { keyid, pem });
    expectCode(() => as(both, back), 'ROTATION_ORDER');
    const line = resigned(bytes, [logKey], back);
    const named = { ...line, data: { ...line.data, to_kid: keyid } };
    expectCode(() => addEpoch([first], genesis, encodeLine(named)), 'KEY_REUSED');
    expectCode(() => parseEpochs(utf8('junk'), genesis), 'ROTATION_MALFORMED');
  });

  it('does not come before the one before it: the key of today would sign for lines before its time', async () => {
    const directory = await rotated();
    const genesis = readGenesis(directory);
    const { epochs } = readEpochs(directory, genesis);
    const [first, next] = epochs;
    const line = linesOf(directory)[8] as Uint8Array;
    const at = (seq: number) => {
      const moved = resigned(line, [second, third], (json) => (json.last.size = seq));
      return addEpoch([first, next as Epoch], genesis, encodeLine({ ...moved, seq }));
    };
    for (const seq of [0, 1, 3, 4]) expectCode(() => at(seq), 'ROTATION_ORDER');
    expect(at(5)).toHaveLength(3);
  });

  it('of another root over as many lines is found', async () => {
    const directory = await rotated();
    const lines = linesOf(directory);
    const wrong = resigned(
      lines[4] as Uint8Array,
      [logKey, second],
      (json) => (json.last.root = `blake3:${'0'.repeat(64)}`),
    );
    await forge(directory, lines.map(parseLine).slice(0, 5).with(4, wrong), second);
    keepEpochs(directory);
    await expectRefused(directory, 'tree', 'ROOT_MISMATCH');
  });
});

describe('a crash in a rotation', () => {
  it('after its line was durable: the new key finishes it, the old one is refused', async () => {
    const { directory } = await testLedger({ lines: 4 });
    const before = snapshot(directory);
    const copy = copyOf(directory);
    await rotate(copy, logKey, second);
    const line = linesOf(copy)[4] as Uint8Array;
    // Only the line; the line and the new head; the line and epochs.ndjson.
    for (const kept of [[], ['checkpoints/head.a', 'checkpoints/head.b'], ['epochs.ndjson']]) {
      const crashed = copyOf(directory);
      appendFileSync(join(crashed, ENTRIES), `${decodeUtf8(line)}\n`);
      for (const name of kept) writeFileSync(join(crashed, name), readFileSync(join(copy, name)));
      await expectTrusted(crashed);
      await expectCodeAsync(open(crashed), 'WRONG_KEY');
      expect((await rotate(crashed, logKey, second)).epoch.key.keyid).toBe(second.publicKey.keyid);
      await expectTrusted(crashed, { key: second.publicKey });
      await write(crashed, second, 1);
      await expectTrusted(crashed);
      await expectCodeAsync(open(crashed), 'WRONG_KEY');
    }
    expect(snapshot(directory)).toEqual(before);
  });

  it('in the middle of its line: it did not happen', async () => {
    const { directory } = await testLedger({ lines: 4 });
    const copy = copyOf(directory);
    await rotate(copy, logKey, second);
    const line = linesOf(copy)[4] as Uint8Array;
    appendFileSync(join(directory, ENTRIES), line.subarray(0, -10));
    await expectCodeAsync(open(directory, { key: second }), 'WRONG_KEY');
    await write(directory, logKey, 1);
    await expectTrusted(directory);
    expect(existsSync(join(directory, 'epochs.ndjson'))).toBe(false);
  });

  it('is not feigned by a line that only looks like one', async () => {
    const { directory } = await testLedger({ lines: 4 });
    const copy = copyOf(directory);
    await rotate(copy, logKey, second);
    const half = encodeLine(resigned(linesOf(copy)[4] as Uint8Array, [second]));
    appendFileSync(join(directory, ENTRIES), `${decodeUtf8(half)}\n`);
    await expectCodeAsync(open(directory, { key: second }), 'WRONG_KEY');
    await expectCodeAsync(open(directory), 'TAMPERED');
  });
});

describe('what is shown of a log whose key changed', () => {
  it('is proved to whoever knows one of its keys, and to nobody else', async () => {
    const directory = await rotated();
    using reader = await openLedgerReader(directory);
    const { proof, lines } = await proveLogRange(reader, { from: 2, to: 10 });
    for (const key of [logKey, second, third]) {
      const report = verifyLogProof({ proof, lines, key: key.publicKey });
      expect([report.verdict, report.signers]).toEqual(['trusted', [{ keyid: third.publicKey.keyid, role: 'log' }]]);
    }
    const codeOf = (bytes: Uint8Array, key = logKey) =>
      verifyLogProof({ proof: bytes, lines, key: key.publicKey }).checks.find(({ status }) => status === 'fail')?.code;
    expect(codeOf(proof, testKey('stranger'))).toBe('WRONG_KEY');
    const parsed = parseLogProof(proof);
    const { genesis = '', rotations = [], links = [] } = parsed.keys ?? {};
    const as = (lines: readonly string[], linked = links) =>
      encodeLogProof({ ...parsed, keys: { genesis, rotations: lines, links: linked } });
    expect(codeOf(as(rotations.slice(0, 1)))).toBe('NOTE_SIGNATURE');
    expect(codeOf(as(rotations.toReversed()))).toBe('ROTATION_ORDER');
    const half = encodeLine(resigned(utf8(rotations[1] ?? ''), [third]));
    expect(codeOf(as([rotations[0] ?? '', decodeUtf8(half)]))).toBe('ROTATION_SIGNATURE');
    for (const linked of [links.slice(0, 1), links.toReversed(), [links[0] ?? [], links[0] ?? []]]) {
      expect(['EPOCH_UNLINKED', 'PROOF_MALFORMED', 'RANGE_PROOF_MALFORMED']).toContain(codeOf(as(rotations, linked)));
    }
    const { keys: _, ...without } = parsed;
    expect(codeOf(encodeLogProof(without))).toBe('NOTE_SIGNATURE');
  });

  it('is refused where other lines stand in place of those that an earlier key signed', async () => {
    const directory = await rotated();
    const lines = linesOf(directory).map(parseLine);
    const [, one] = lines;
    // Whoever stole the newest key can sign a head over anything, but not what the keys before it signed.
    const changed = { ...(one as Line), data: { i: 1, text: 'entry 7' } };
    const rotations = [4, 8].map((seq) => decodeUtf8(linesOf(directory)[seq] as Uint8Array));
    await forge(directory, lines.with(1, changed), third);
    using reader = await openLedgerReader(directory);
    const { proof, lines: shown } = await proveLogRange(reader, { from: 0, to: 3 });
    const parsed = parseLogProof(proof);
    const keys = { genesis: decodeUtf8(reader.genesisBytes), rotations, links: parsed.keys?.links ?? [] };
    for (const links of [keys.links, [[], []]]) {
      const forged = encodeLogProof({ ...parsed, keys: { ...keys, links } });
      for (const key of [logKey, second, third]) {
        const report = verifyLogProof({ proof: forged, lines: shown, key: key.publicKey });
        expect(report.verdict).toBe('refused');
        const { code } = report.checks.find(({ status }) => status === 'fail') ?? {};
        expect(['EPOCH_UNLINKED', 'PROOF_MALFORMED']).toContain(code);
      }
    }
  });
});

describe('ledger rotate', () => {
  it('changes the key of a log, once, and says which log needs which keys', async () => {
    const { directory } = await testLedger({ lines: 2 });
    const folder = tempDirectory();
    const files = [logKey, second].map((key, i) => {
      const path = join(folder, `${i}.pem`);
      writeFileSync(path, formatPrivateKey(key.handle), { mode: 0o600 });
      return path;
    });
    const [from = '', to = ''] = files;
    const run = () => inside(['ledger', 'rotate', directory, '--key', from, '--new-key', to, '--json']);
    const told = { log: directory, epoch: 1, keyid: second.publicKey.keyid, seq: 2 };
    expect(jsonOf(await run(), 'ledger-rotate')).toEqual({ ...told, changed: true });
    expect(jsonOf(await run(), 'ledger-rotate')).toEqual({ ...told, changed: false });
    await expectTrusted(directory, { key: second.publicKey });
    expectError(await inside(['ledger', 'rotate', directory, '--key', to, '--new-key', from]), 'KEY_REUSED', 5);
    const data = join(tempDirectory(), 'data');
    expect((await inside(['init', '--data', data])).code).toBe(0);
    const own = ['ledger', 'rotate', join(data, 'logs/install'), '--key', from, '--new-key', to, '--data', data];
    expectError(await inside(own), 'USAGE_OPTION', 2);
    expectError(await inside(['ledger', 'rotate', directory, '--data', data]), 'USAGE_OPTION', 2);
  });
});
