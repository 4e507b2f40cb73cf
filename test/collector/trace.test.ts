import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formatDigest, sha256Digest } from '../../src/core/digest.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { leafOf } from '../../src/ledger/chain.ts';
import { createHashFunction } from '../../src/ledger/hashing.ts';
import { parseLine } from '../../src/ledger/line.ts';
import { verifyLineSignature } from '../../src/ledger/line-signature.ts';
import { assertContract, KEY, place, type Seen, sharedProcmond, type Watched, watch } from './procmond-support.ts';

type Limits = {
  readonly depth?: number;
  readonly maxSeconds?: bigint;
  readonly maxEvents?: bigint;
  readonly maxBytes?: bigint;
};

let traces = 0;

/** No two traces of this file have the same: they share a procmond. */
function newTraceId(): string {
  traces += 1;
  return `trace-${traces}`;
}

/** A shell that waits for a line, then does the rest; traced from before that. @returns the id of the trace */
async function traced(procmond: Watched, script: string, limits: Limits = {}): Promise<string> {
  const root = spawn('/bin/sh', ['-c', `read line; ${script}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  onTestFinished(() => void root.kill('SIGKILL'));
  const { data } = await procmond.until(
    'the root',
    (seen) => seen.type === 'process.start' && seen.data['process_pid'] === root.pid,
  );
  const traceId = newTraceId();
  const state = await follow(procmond, data['entity'], { traceId, ...limits });
  expect(state).toMatchObject({ state: 'started' });
  await procmond.until('trace.start', isOf(traceId, 'trace.start'));
  root.stdin?.write('go\n');
  return traceId;
}

const isOf = (traceId: string, wanted: string) => (seen: Seen) =>
  seen.type === wanted && seen.data['trace_id'] === traceId;

async function follow(procmond: Watched, entity: string, options: Limits & { readonly traceId: string }) {
  const { body } = await procmond.ask({
    case: 'traceStart',
    value: {
      entity,
      depth: 8,
      cmdlines: true,
      network: true,
      maxSeconds: 60n,
      maxEvents: 1000n,
      maxBytes: 1_000_000n,
      cause: 'rule',
      reason: 'a test',
      ruleId: 'rule-1',
      ...options,
    },
  });
  return body.case === 'trace' ? body.value : undefined;
}

/** The lines of the trace, checked as an auditor would: signed, chained, complete. */
async function audit(procmond: Watched, traceId: string): Promise<Seen[]> {
  const stop = await procmond.until('trace.stop', isOf(traceId, 'trace.stop'));
  const lines = procmond.seen.filter(({ data }) => data['trace_id'] === traceId);
  const blake3 = await createHashFunction('blake3');
  let head: string | undefined;
  for (const [i, { bytes, data }] of lines.entries()) {
    expect(verifyLineSignature(parseLine(bytes), KEY.publicKey)).toBe(true);
    expect(data['tseq']).toBe(i);
    if (head !== undefined) expect(data['tprev']).toBe(head);
    head = formatDigest('blake3', leafOf(blake3, bytes));
  }
  expect(lines.at(-1)).toBe(stop);
  expect(stop.data['tcount']).toBe(lines.length - 1);
  expect(stop.data['thead']).toBe(stop.data['tprev']);
  const first = lines[0];
  const { tseq: _, tprev, ...start } = first?.data ?? {};
  expect(first?.type).toBe('trace.start');
  expect(tprev).toBe(sha256Digest(encodeCanonicalJson(start)));
  assertContract(lines);
  return lines;
}

const typesOf = (lines: readonly Seen[]) => lines.map(({ type }) => type);

describe.skipIf(process.platform !== 'linux')('a trace', () => {
  const shared = sharedProcmond(() => ({ socketsMs: 40 }));

  it('follows a lineage to its end, each line signed and chained, and says how many there were', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const trace = await traced(procmond, 'sh -c "sleep 0.5; exec sleep 0.2"; sleep 0.3');
    const lines = await audit(procmond, trace);
    expect(lines.find(({ type }) => type === 'process.snapshot')?.data['entity']).toBe(lines[0]?.data['entity']);
    expect(lines.at(-1)?.data).toMatchObject({ cause: 'exited' });
    const masks = lines.map(({ data }) => data['argv_mask']);
    expect(masks).toContain('sh -c <…>');
    expect(masks.filter((mask) => mask === 'sleep <number>').length).toBeGreaterThanOrEqual(2);
    const entities = new Set(lines.map(({ data }) => data['entity']));
    expect(lines.filter(({ type }) => type === 'process.exit').length).toBe(entities.size - 1);
    const { value } = await procmond.message(
      'trace',
      ({ body }) => body.case === 'trace' && body.value.traceId === trace && body.value.state === 'stopped',
    );
    expect(value).toMatchObject({ cause: 'exited', count: BigInt(lines.length) });
    expect(Number(value.lastSeq)).toBe(lines.at(-1)?.seq);
    // Others were seen meanwhile, and are none of its business.
    expect(procmond.seen.some(({ data, kid }) => data['trace_id'] === undefined && kid === undefined)).toBe(true);
  });

  it('sees a connection of the lineage, and no other', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const { procmond } = await shared();
    await procmond.start();
    const client = `const s = require('node:net').connect(${port}, '127.0.0.1'); s.on('connect', () => setTimeout(() => s.end(), 1500))`;
    const trace = await traced(procmond, `"${process.execPath}" -e "${client}"`);
    const lines = await audit(procmond, trace);
    const connect = lines.find(({ type }) => type === 'network.connect');
    expect(connect?.data).toMatchObject({
      network_transport: 'tcp',
      network_type: 'ipv4',
      network_direction: 'egress',
      destination_ip: '127.0.0.1',
      destination_port: port,
    });
    const holder = lines.find(
      ({ type, data }) => type === 'process.start' && data['entity'] === connect?.data['entity'],
    );
    expect(holder?.data['argv_mask']).toMatch(/ -e <…>$/);
    // The other side of it belongs to this process, outside of the trace.
    const accept = await procmond.until(
      'the accept',
      ({ type, data }) => type === 'network.accept' && data['destination_port'] === port,
    );
    expect(accept.data).toMatchObject({
      process_pid: process.pid,
      source_port: connect?.data['source_port'],
      network_direction: 'ingress',
    });
    expect(accept.data['trace_id']).toBeUndefined();
    await procmond.until(
      'the listening',
      ({ type, data }) =>
        type === 'network.listen' && data['destination_port'] === port && data['process_pid'] === process.pid,
    );
  });

  it('ends at its limits, and says at which', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const trace = await traced(procmond, 'while :; do sleep 0.05; done', { maxEvents: 6n });
    const lines = await audit(procmond, trace);
    expect(typesOf(lines).slice(-2)).toEqual(['trace.limit', 'trace.stop']);
    expect(lines.at(-2)?.data).toMatchObject({ limit: 'events' });
    expect(lines.at(-1)?.data).toMatchObject({ cause: 'limit', tcount: 7 });
  });

  it.each([
    ['seconds', { maxSeconds: 1n }],
    ['bytes', { maxBytes: 100n }],
  ])('ends at its limit of %s', async (limit, limits) => {
    const { procmond } = await shared();
    await procmond.start();
    const trace = await traced(procmond, 'exec sleep 600', limits);
    const lines = await audit(procmond, trace);
    expect(lines.at(-2)?.data).toMatchObject({ limit });
    expect(lines.at(-1)?.data).toMatchObject({ cause: 'limit' });
  });

  it('leaves out what is too far down, and counts it', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const trace = await traced(procmond, 'sh -c "sleep 0.6; :"; :', { depth: 1 });
    const lines = await audit(procmond, trace);
    expect(lines.map(({ data }) => data['argv_mask'])).not.toContain('sleep <number>');
    // Seen between fork and exec, it is two events that were left out.
    expect(lines.at(-2)?.data).toMatchObject({ limit: 'depth', dropped: expect.toBeOneOf([1, 2]) });
    expect(lines.at(-1)?.data).toMatchObject({ cause: 'exited' });
  });

  it('is ended in good order when the agent or procmond ends it', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const trace = await traced(procmond, 'exec sleep 600');
    await procmond.send({ case: 'traceStop', value: { traceId: trace } });
    expect((await audit(procmond, trace)).at(-1)?.data).toMatchObject({ cause: 'command' });

    const other = await watch(place());
    await other.start();
    const last = await traced(other, 'exec sleep 600');
    await other.stop();
    expect((await audit(other, last)).at(-1)?.data).toMatchObject({ cause: 'shutdown' });
  });

  it('of what is gone already is two lines', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const trace = newTraceId();
    expect(await follow(procmond, 'testhost:boot:4000000:1', { traceId: trace })).toMatchObject({ state: 'started' });
    expect(typesOf(await audit(procmond, trace))).toEqual(['trace.start', 'trace.stop']);
  });

  it.each([
    ['no entity', 'nobody', {}],
    ['no limit', 'testhost:boot:1:1', { maxEvents: 0n }],
    ['a limit beyond any', 'testhost:boot:1:1', { maxSeconds: 10_000_000n }],
    ['a command without its document', 'testhost:boot:1:1', { cause: 'command' }],
    ['no reason', 'testhost:boot:1:1', { reason: '' }],
    ['a depth beyond any', 'testhost:boot:1:1', { depth: 65 }],
    ['an id that is none', 'testhost:boot:1:1', { traceId: 'a b' }],
  ])('is refused with %s, in words', async (_, entity, wrong) => {
    const { procmond } = await shared();
    await procmond.start();
    const before = procmond.seen.length;
    const state = await follow(procmond, entity, { traceId: newTraceId(), ...wrong });
    expect(state?.state).toBe('refused');
    expect(state?.cause).not.toBe('');
    await procmond.ask({ case: 'healthRequest', value: {} });
    expect(procmond.seen.slice(before).some(({ type }) => type.startsWith('trace.'))).toBe(false);
  });
});
