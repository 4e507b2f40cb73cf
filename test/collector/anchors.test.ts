import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AnchorDesk } from '../../src/collector/anchors.ts';
import type { Order } from '../../src/collector/pump.ts';
import { encodeBase64, parseBase64, utf8 } from '../../src/core/bytes.ts';
import { type Checkpoint, formatCheckpoint, signCheckpoint, verifyCheckpoint } from '../../src/core/checkpoint.ts';
import { HASHES } from '../../src/core/digest.ts';
import { validateEvent } from '../../src/core/event.ts';
import type { PrivateKey } from '../../src/core/keys.ts';
import { emptyRoot } from '../../src/core/merkle.ts';
import { encodeNote, parseNote, signNote } from '../../src/core/signed-note.ts';
import { loadLogPublicKey, readPrivateKey } from '../../src/install/host-keys-io.ts';
import { dataLayout, logKeyFiles } from '../../src/install/layout.ts';
import { rotateHostLog } from '../../src/install/log-rotation-io.ts';
import { MAX_ANCHOR_BYTES } from '../../src/ipc/format.ts';
import type { FromCollector } from '../../src/ipc/gen/ipc_pb.ts';
import { readEpochs } from '../../src/ledger/epochs-io.ts';
import { verifyHead } from '../../src/ledger/heads.ts';
import type { Line } from '../../src/ledger/line.ts';
import { readGenesis } from '../../src/ledger/open-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { expectIntact, linesOfType, startAgent } from '../agent/stage.ts';
import { makeEnclave } from '../support/enclave.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertContract, HOST, KEY, sharedProcmond, type Watched } from './procmond-support.ts';

const ORIGIN = `example.org/${HOST}/agent`;
const OWN = `example.org/${HOST}/procmond`;
const root = (byte: number) => new Uint8Array(32).fill(byte);
const noteOf = (size: number, byte = 1, origin = ORIGIN) =>
  signCheckpoint({ origin, size, root: root(byte) }, KEY, 'blake3');
const signedText = (text: string, name = ORIGIN) => encodeNote(signNote({ text, signatures: [] }, name, KEY));
const text = (origin = ORIGIN) => formatCheckpoint({ origin, size: 5, root: root(5) });

/** A note with so many bytes, good but for its size. */
function noteWith(bytes: number): Uint8Array {
  const note = parseNote(noteOf(5));
  const filler = (length: number) =>
    encodeNote({
      ...note,
      signatures: [...note.signatures, { name: 'w'.repeat(length), id: root(1).slice(0, 4), signature: root(1) }],
    });
  return filler(bytes - filler(1).length + 1);
}

const HOSTILE: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['nothing', new Uint8Array(), /not a signed note/],
  ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x0a, 0x0a), /not a signed note/],
  ['text that is no note', utf8('hello\n'), /no empty line/],
  ['a note that is no checkpoint', signedText('hello\n'), /not a checkpoint/],
  ['an extension line', signedText(`${text()}more\n`), /does not end after the root/],
  ['a terminal sequence', signedText(`${text().replace('agent', 'a\u009b2Jgent')}`), /did not sign/],
  ['a control character', utf8(`${text()}\n\u001b[2J`), /control character/],
  ['a negative size', signedText(`${ORIGIN}\n-1\n${encodeBase64(root(1))}\n`), /not a size/],
  ['a size beyond any', signedText(`${ORIGIN}\n9007199254740993\n${encodeBase64(root(1))}\n`), /not a size/],
  ['a root of another length', signedText(`${ORIGIN}\n5\nAAAA\n`), /hash of 32 bytes/],
  ['no signature of its log', signedText(text(), 'somebody'), /did not sign/],
  [
    'a signature of its log that is none',
    encodeNote({ text: text(), signatures: [{ name: ORIGIN, id: root(1).slice(0, 4), signature: root(1) }] }),
    /did not sign/,
  ],
  [
    '33 signatures',
    encodeNote({
      text: text(),
      signatures: Array.from({ length: 33 }, () => ({
        name: ORIGIN,
        id: root(1).slice(0, 4),
        signature: new Uint8Array(64),
      })),
    }),
    /over 32 signatures/,
  ],
  ["the collector's own log", noteOf(5, 1, OWN), /own log/],
  ["another host's log", noteOf(5, 1, 'example.org/otherhost/agent'), /another host/],
  ['a host that only looks like it', noteOf(5, 1, `example.org/${HOST}x/agent`), /another host/],
  ['an origin beyond any', noteOf(5, 1, `${'o'.repeat(300)}/${HOST}/agent`), /over 256 characters/],
  ['one byte too much', noteWith(MAX_ANCHOR_BYTES + 1), /over 16384 bytes/],
  ['megabytes', new Uint8Array(3 * 1024 * 1024).fill(0x41), /over 16384 bytes/],
];

/** A desk and what it did. */
function desk() {
  const at = { mono: 0 };
  const orders: Order[] = [];
  const answers: FromCollector['body'][] = [];
  const own = { origin: OWN, host: HOST };
  const anchors = new AnchorDesk({
    own,
    mono: () => at.mono,
    order: (order) => orders.push(order),
    answer: (body) => answers.push(body),
    written: () => undefined,
  });
  const written = () =>
    orders.flatMap((order) => (order.order === 'anchor' && order.data !== undefined ? [order.data] : []));
  return { anchors, at, answers, written };
}

describe("an anchor of the agent's log", () => {
  it.each(HOSTILE)('is refused when it is %s', (_, note, why) => {
    const { anchors, answers, written } = desk();
    anchors.take(note, true, 1n);
    expect(written()).toEqual([]);
    const [answer] = answers;
    expect(answer).toMatchObject({ case: 'failure', value: { code: 'ANCHOR_REFUSED', fatal: false } });
    expect(answer?.case === 'failure' && answer.value.message).toMatch(why);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for them is the point
    expect(answer?.case === 'failure' && answer.value.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });

  it('is taken up to its largest size, and fits into a line', () => {
    const { anchors, written } = desk();
    const note = noteWith(MAX_ANCHOR_BYTES);
    expect(note).toHaveLength(MAX_ANCHOR_BYTES);
    anchors.take(note, true, 0n);
    const [data] = written();
    validateEvent('log.anchor', data);
    expect(JSON.stringify(data).length).toBeLessThan(60_000);
  });

  it('is written once, however often it comes; one of another root or a smaller size is written too', () => {
    const { anchors, answers, written } = desk();
    const sent = [noteOf(9), noteOf(9), noteOf(9, 2), noteOf(4), noteOf(4), noteOf(9)];
    for (const note of sent) anchors.take(note, true, 0n);
    expect(written().map(({ size, root: hash }) => [size, parseBase64(hash)[0]])).toEqual([
      [9, 1],
      [9, 2],
      [4, 1],
      [9, 1],
    ]);
    expect(answers).toEqual([]);
  });

  it('is of one log, for as long as the collector lives', () => {
    const { anchors, answers, written } = desk();
    anchors.take(noteOf(1), true, 0n);
    anchors.take(noteOf(2, 1, `example.org/${HOST}/install`), true, 0n);
    expect(written()).toHaveLength(1);
    expect(answers).toMatchObject([{ value: { message: expect.stringContaining('another log than before') } }]);
  });

  it('comes at a pace: a flood costs some lines, and no more', () => {
    const { anchors, at, answers, written } = desk();
    for (let size = 1; size <= 1000; size += 1) anchors.take(noteOf(size), true, 0n);
    expect(written()).toHaveLength(10);
    expect(answers).toHaveLength(990);
    at.mono += 25_000_000;
    for (let size = 2001; size <= 2100; size += 1) anchors.take(noteOf(size), true, 0n);
    expect(written()).toHaveLength(12);
    at.mono += 86_400_000_000;
    for (let size = 3001; size <= 3100; size += 1) anchors.take(noteOf(size), true, 0n);
    expect(written()).toHaveLength(22);
  });

  it('is refused by a collector that does not watch', () => {
    const { anchors, answers, written } = desk();
    anchors.take(noteOf(1), false, 1n);
    expect(written()).toEqual([]);
    expect(answers).toMatchObject([{ case: 'failure', value: { code: 'ANCHOR_REFUSED' } }]);
  });
});

const ofType = ({ seen }: Watched, type: string) => seen.filter((line) => line.type === type);

describe.skipIf(process.platform !== 'linux')('procmond', () => {
  const shared = sharedProcmond();

  it("keeps the head of the agent's log in its own, and answers with its own head, which covers that", async () => {
    const { procmond, where } = await shared();
    await procmond.start();
    const note = noteOf(7);
    const { body } = await procmond.ask({ case: 'anchor', value: { note } });
    if (body.case !== 'checkpoint') throw new Error(`an answer about ${body.case}`);
    const [anchor] = ofType(procmond, 'log.anchor');
    expect(anchor?.data).toEqual({
      origin: ORIGIN,
      size: 7,
      root: encodeBase64(root(1)),
      note: Buffer.from(note).toString(),
    });
    const own = verifyCheckpoint(body.value.note, { key: KEY.publicKey, hash: 'blake3', origin: OWN });
    expect(own.size).toBeGreaterThan(anchor?.seq ?? Number.POSITIVE_INFINITY);
    assertContract(ofType(procmond, 'log.anchor'));
    const report = await verifyLedger(where.log, { key: KEY.publicKey, anchors: [own] });
    expect(report.verdict).toBe('trusted');
  });

  it('writes down that a log went back or forked, whoever signed it: that is the proof', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const before = ofType(procmond, 'log.anchor').length;
    const stranger = signCheckpoint({ origin: ORIGIN, size: 3, root: root(3) }, testKey('stranger'), 'blake3');
    for (const note of [noteOf(20), noteOf(20), stranger, noteOf(20, 2)]) {
      const { body } = await procmond.ask({ case: 'anchor', value: { note } });
      expect(body.case).toBe('checkpoint');
    }
    expect(
      ofType(procmond, 'log.anchor')
        .slice(before)
        .map(({ data }) => data['size']),
    ).toEqual([20, 3, 20]);
  });

  it.each(HOSTILE)('refuses %s in words, and goes on', async (_, note) => {
    const { procmond } = await shared();
    await procmond.start();
    const before = ofType(procmond, 'log.anchor').length;
    const { body } = await procmond.ask({ case: 'anchor', value: { note } });
    expect(body).toMatchObject({ case: 'failure', value: { code: 'ANCHOR_REFUSED', fatal: false } });
    const health = await procmond.ask({ case: 'healthRequest', value: {} });
    expect(health.body.case === 'health' && health.body.value.state).toBe('watching');
    expect(ofType(procmond, 'log.anchor')).toHaveLength(before);
  });
});

/** What a log knows of another. */
function anchorsIn(lines: readonly Line[]): Checkpoint[] {
  return lines.map(({ data }) => ({
    origin: String(data['origin']),
    size: Number(data['size']),
    root: parseBase64(String(data['root'])),
  }));
}

describe.skipIf(process.platform !== 'linux')('the agent and procmond', () => {
  it("keep each other's heads, so that neither log can be rolled back alone", async () => {
    const data = await makeEnclave();
    const agent = await startAgent(data);
    await agent.stop();
    for (const [log, other] of [
      ['agent', 'procmond'],
      ['procmond', 'agent'],
    ] as const) {
      const key = loadLogPublicKey(dataLayout(data), log);
      const directory = join(data, 'logs', log);
      const lines = await linesOfType(data, other, 'log.anchor');
      const anchors = anchorsIn(lines);
      // At the start, and again at the end, when more had been written.
      expect(anchors.length).toBeGreaterThanOrEqual(2);
      expect(anchors.at(-1)?.size).toBeGreaterThan(anchors[0]?.size ?? 0);
      for (const line of lines) {
        const origin = String(line.data['origin']);
        expect(origin).toMatch(new RegExp(`/${log}$`));
        verifyCheckpoint(utf8(String(line.data['note'])), { key, hash: 'blake3', origin });
      }
      expect((await verifyLedger(directory, { key, anchors })).verdict).toBe('trusted');
      const back = join(tempDirectory(), log);
      rollBack(directory, back, readPrivateKey(logKeyFiles(dataLayout(data), log).privateKey));
      expect((await verifyLedger(back, { key })).verdict).toBe('trusted');
      const report = await verifyLedger(back, { key, anchors });
      expect(report.verdict).toBe('refused');
      expect(report.checks.find(({ name }) => name === 'anchors')).toMatchObject({ code: 'ANCHOR_AHEAD' });
    }
  });
});

describe.skipIf(process.platform !== 'linux')('the agent and procmond, with new keys', () => {
  it("go on, and keep each other's heads under whichever key signed them", async () => {
    const data = await makeEnclave();
    const layout = dataLayout(data);
    await (await startAgent(data)).stop();
    for (const log of ['agent', 'procmond']) {
      const issuedAt = '2026-02-01T00:00:00.000Z';
      await rotateHostLog({ layout, log, issuedAt, surroundings: systemSurroundings() });
    }
    await (await startAgent(data)).stop();
    await expectIntact(data);
    for (const [log, other] of [
      ['agent', 'procmond'],
      ['procmond', 'agent'],
    ] as const) {
      const directory = join(data, 'logs', log);
      const genesis = readGenesis(directory);
      const { epochs } = readEpochs(directory, genesis);
      const start = epochs[1]?.start ?? 0;
      const lines = await linesOfType(data, other, 'log.anchor');
      const sizes = lines.map((line) => verifyHead(utf8(String(line.data['note'])), genesis, epochs).size);
      expect(sizes.some((size) => size <= start)).toBe(true);
      expect(sizes.some((size) => size > start)).toBe(true);
      const key = loadLogPublicKey(layout, log);
      expect(key.keyid).toBe(epochs[1]?.key.keyid);
      expect((await verifyLedger(directory, { key, anchors: anchorsIn(lines) })).verdict).toBe('trusted');
    }
  });
});

/** The log as it was before its first line, which who has its key can make without a trace. */
function rollBack(directory: string, target: string, key: PrivateKey): void {
  cpSync(directory, target, { recursive: true });
  for (const folder of ['entries', 'tree']) {
    for (const name of readdirSync(join(target, folder))) rmSync(join(target, folder, name));
  }
  const genesis = readGenesis(directory);
  const head = signCheckpoint(
    { origin: genesis.origin, size: 0, root: emptyRoot(HASHES[genesis.hash]) },
    key,
    genesis.hash,
  );
  for (const slot of ['head.a', 'head.b']) writeFileSync(join(target, 'checkpoints', slot), head);
  writeFileSync(join(target, 'checkpoints', 'history.ndjson'), '');
}
