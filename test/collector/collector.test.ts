import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { runCollector } from '../../src/collector/collector.ts';
import { machineSurroundings } from '../../src/collector/machine-io.ts';
import type { Source, SourceContext } from '../../src/collector/source.ts';
import { validateEvent } from '../../src/core/event.ts';
import { agentSide, collectorSide } from '../../src/ipc/channel.ts';
import { FromAgentSchema, type FromCollector } from '../../src/ipc/gen/ipc_pb.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import { openLedgerFile } from '../../src/ledger/ledger-file-io.ts';
import { parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { systemRandom } from '../../src/ledger/surroundings-io.ts';
import { openLedgerWriter } from '../../src/ledger/writer-io.ts';
import { openSealer } from '../../src/seal/writer-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';
import { HOST, KEY } from './procmond-support.ts';

/** All that somebody writes who writes a collector: a source. */
function source(watch: (context: SourceContext, signal: AbortSignal) => Promise<void> | void): Source {
  return {
    name: 'example',
    capabilities: () => ({ sees: ['file'], limitations: ['it sees only what the test says'] }),
    start: async (context, signal) => await watch(context, signal),
    health: () => ({ state: 'active', rounds: 1, longestMicroseconds: 5, denied: 0 }),
  };
}

const untilStopped = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

type Run = { readonly files?: typeof openLedgerFile; readonly signal?: AbortSignal; readonly lastSeen?: number };

/** Runs a collector in this process, with a real log. */
async function run(sources: readonly Source[], { files = openLedgerFile, signal, lastSeen }: Run = {}) {
  const directory = join(tempDirectory(), 'log');
  const createdAt = '2026-11-22T00:00:00.000Z';
  createLedger({ directory, host: HOST, origin: `example.org/${HOST}/example`, hash: 'sha256', key: KEY, createdAt });
  const surroundings = machineSurroundings();
  const { boot, clock } = surroundings;
  const writer = await openLedgerWriter({ directory, key: KEY, boot, clock, random: systemRandom, openFile: files });
  const sealer = await openSealer({ directory, recipients: [], random: systemRandom, mono: clock.mono });
  const [here, there] = duplexPair();
  const agent = agentSide(there);
  const options = { name: 'example', version: '1', sources, writer, key: KEY, sealer, surroundings, lastSeen };
  const ended = runCollector({
    ...options,
    channel: collectorSide(here),
    signal: signal ?? new AbortController().signal,
  }).finally(() => writer.close());
  ended.catch(() => undefined);
  const send = (body: NonNullable<MessageInitShape<typeof FromAgentSchema>['body']>) =>
    agent.writer.write(create(FromAgentSchema, { body }));
  return { directory, agent, ended, send, writer };
}

async function linesOf(directory: string) {
  using reader = await openLedgerReader(directory);
  const lines = [];
  for await (const line of reader.lines()) lines.push(parseLine(line));
  for (const { type, data } of lines) validateEvent(type, data);
  return lines;
}

async function all(messages: AsyncIterable<FromCollector>): Promise<FromCollector[]> {
  const list: FromCollector[] = [];
  for await (const message of messages) list.push(message);
  return list;
}

const opened = (path: string) => ({ type: 'file.open', data: { file_path: path } }) as const;

describe('the collector SDK', () => {
  it('makes a collector of a source', async () => {
    const watching = source(async ({ emit }, signal) => {
      emit(opened('/etc/passwd'));
      await untilStopped(signal);
      emit(opened('/etc/shadow'));
    });
    const { directory, agent, ended, send } = await run([watching], { lastSeen: 1000 });
    await send({ case: 'start', value: {} });
    await send({ case: 'start', value: {} });
    await send({ case: 'stop', value: { reason: 'enough' } });
    const messages = await all(agent.reader.messages());
    await ended;
    expect(
      (await linesOf(directory)).map(({ type, data }) => [type, data['file_path'] ?? data['cause'] ?? null]),
    ).toEqual([
      ['collector.start', null],
      ['collector.gap', 'stopped'],
      ['collector.gap', 'unavailable'],
      ['file.open', '/etc/passwd'],
      ['file.open', '/etc/shadow'],
      ['collector.stop', 'command'],
    ]);
    expect(messages.at(0)?.body.case).toBe('hello');
    expect(messages.slice(-2).map(({ body }) => body.case)).toEqual(['checkpoint', 'stopped']);
  });

  it('signs nothing and starts nothing before it is told to', async () => {
    let started = false;
    const { directory, agent, ended } = await run([
      source(() => {
        started = true;
      }),
    ]);
    agent.end();
    await ended;
    expect(started).toBe(false);
    expect(await linesOf(directory)).toEqual([]);
  });

  it('counts what a flood costs, and keeps the log whole', async () => {
    const flood = source(async ({ emit }, signal) => {
      for (let i = 0; i < 20_000; i += 1) emit(opened(`/f/${i}`));
      await untilStopped(signal);
    });
    const { directory, agent, ended, send } = await run([flood]);
    await send({ case: 'start', value: {} });
    const messages = all(agent.reader.messages());
    await send({ case: 'stop', value: {} });
    await messages;
    await ended;
    const lines = await linesOf(directory);
    const written = lines.filter(({ type }) => type === 'file.open').length;
    const shed = lines
      .filter(({ data }) => data['cause'] === 'shed')
      .reduce((sum, { data }) => sum + Number(data['count']), 0);
    expect(shed).toBeGreaterThan(0);
    expect(written + shed).toBe(20_000);
    expect(lines.at(-1)).toMatchObject({ type: 'collector.stop', data: { events: lines.length - 1 } });
  });

  it('never waits for a slow agent: the log goes on, and the agent is told where to read', async () => {
    const emitter = Promise.withResolvers<SourceContext>();
    const { directory, agent, ended, send, writer } = await run([
      source(async (context, signal) => {
        emitter.resolve(context);
        await untilStopped(signal);
      }),
    ]);
    await send({ case: 'start', value: {} });
    const { emit } = await emitter.promise;
    // More bytes than may wait for the agent, who doesn't read, in portions that the queue holds.
    const long = 'f'.repeat(4000);
    for (let round = 1; round <= 3; round += 1) {
      for (let i = 0; i < 1500; i += 1) emit(opened(`/${round}/${i}/${long}`));
      while (writer.size < round * 1500) await new Promise(setImmediate);
    }
    await send({ case: 'stop', value: {} });
    const messages = await all(agent.reader.messages());
    await ended;
    const seqs = messages.flatMap(({ body }) =>
      body.case === 'events' ? body.value.events.map(({ seq }) => seq) : [],
    );
    const gaps = messages.flatMap(({ body }) => (body.case === 'gap' ? [body.value] : []));
    expect(gaps.length).toBeGreaterThan(0);
    const missed = gaps.flatMap(({ firstSeq, lastSeq }) =>
      Array.from({ length: Number(lastSeq - firstSeq) + 1 }, (_, i) => Number(firstSeq) + i),
    );
    const told = [...seqs.map(Number), ...missed].toSorted((a, b) => a - b);
    expect(told).toEqual((await linesOf(directory)).map(({ seq }) => seq));
  });

  it('writes down that a source failed, says so, and fails', async () => {
    const failing = source(() => Promise.reject(new Error('the sensor\u001b is gone')));
    const { directory, agent, ended, send } = await run([failing]);
    await send({ case: 'start', value: {} });
    const messages = all(agent.reader.messages());
    await expectCodeAsync(ended, 'SOURCE_FAILED');
    expect((await linesOf(directory)).at(-1)).toMatchObject({ type: 'collector.stop', data: { cause: 'failed' } });
    expect((await messages).at(-1)?.body.case).toBe('stopped');
  });

  it('waits while the disk is full, and has lost nothing when there is room again', async () => {
    let full = false;
    let refused = 0;
    const files: typeof openLedgerFile = async (path) => {
      const file = await openLedgerFile(path);
      return {
        ...file,
        write: async (bytes, position) => {
          if (full && path.includes('entries')) {
            refused += 1;
            full = false;
            throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
          }
          await file.write(bytes, position);
        },
      };
    };
    const watching = source(async ({ emit }, signal) => {
      full = true;
      for (let i = 0; i < 10; i += 1) emit(opened(`/f/${i}`));
      await untilStopped(signal);
    });
    const { directory, agent, ended, send } = await run([watching], { files });
    await send({ case: 'start', value: {} });
    const paths: unknown[] = [];
    for await (const { body } of agent.reader.messages()) {
      if (body.case !== 'events') continue;
      for (const { line } of body.value.events) paths.push(parseLine(line).data['file_path']);
      if (paths.includes('/f/9')) await send({ case: 'stop', value: {} });
    }
    await ended;
    expect(refused).toBe(1);
    const written = (await linesOf(directory)).flatMap(({ data }) => data['file_path'] ?? []);
    expect(written.toSorted()).toEqual(Array.from({ length: 10 }, (_, i) => `/f/${i}`));
  });

  it('writes what fits of an event that is too long for a line', async () => {
    const long = '\u0001'.repeat(4000);
    const watching = source(async ({ emit }, signal) => {
      const names = { process_executable: long, process_working_directory: long, process_cgroup: long };
      emit({ type: 'process.start', data: { entity: 'h:b:1:1', process_pid: 1, ...names }, argv: { state: 'lost' } });
      await untilStopped(signal);
    });
    const { directory, agent, ended, send } = await run([watching]);
    await send({ case: 'start', value: {} });
    await send({ case: 'stop', value: {} });
    await all(agent.reader.messages());
    await ended;
    const start = (await linesOf(directory)).find(({ type }) => type === 'process.start');
    expect(start?.data).toMatchObject({ process_executable: long, lost: ['process_cgroup'] });
    expect(start?.data['process_working_directory']).toBe(long);
  });

  it.each([
    ['the agent talks nonsense', (agent: { destroy: () => void }) => agent.destroy(), 'shutdown'],
    ['it is told by signal', (_: unknown, stop: AbortController) => stop.abort(), 'signal'],
  ])('closes its log in good order when %s', async (_, end, cause) => {
    const stop = new AbortController();
    const { directory, agent, ended, send } = await run(
      [source(async (_context, signal) => await untilStopped(signal))],
      { signal: stop.signal },
    );
    await send({ case: 'start', value: {} });
    for await (const { body } of agent.reader.messages()) {
      if (body.case === 'events') break;
    }
    end(agent, stop);
    await ended;
    const causes = (await linesOf(directory))
      .filter(({ type }) => type === 'collector.stop')
      .map(({ data }) => data['cause']);
    expect(causes).toHaveLength(1);
    expect([cause, 'shutdown']).toContain(causes[0]);
  });
});
