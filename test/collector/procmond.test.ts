import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blake3 } from 'hash-wasm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { entriesFileName } from '../../src/ledger/format.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { findSealed } from '../../src/seal/reader-io.ts';
import { revealRecordKey } from '../../src/seal/recipients.ts';
import { openRecord } from '../../src/seal/sealed-record.ts';
import { tempDirectory } from '../support/temp.ts';
import {
  assertContract,
  grep,
  HOST,
  KEY,
  person,
  place,
  type Seen,
  sharedProcmond,
  type Watched,
  watch,
} from './procmond-support.ts';

/** A child that lives until it is told to go on. */
function child(
  command: string,
  args: readonly string[],
  options: { readonly argv0?: string; readonly env?: NodeJS.ProcessEnv } = {},
) {
  const started = spawn(command, [...args], { stdio: ['pipe', 'ignore', 'ignore'], ...options });
  onTestFinished(() => void started.kill('SIGKILL'));
  return started;
}

const isOf =
  (type: string, { pid }: { pid?: number | undefined }) =>
  (seen: Seen) =>
    seen.type === type && seen.data['process_pid'] === pid;

describe.skipIf(process.platform !== 'linux')('procmond, where nobody may open what it seals,', () => {
  const bare = sharedProcmond(() => ({ socketsMs: 50, environment: true }));

  it('says who it is and what it can see before it is told to start, and nothing else', async () => {
    const { procmond } = await bare();
    const { value } = await procmond.message('hello');
    expect(value.collector).toBe('procmond');
    expect(value.host).toBe(HOST);
    expect(value.pid).toBe(procmond.process.pid);
    expect(value.capabilities).toEqual(['process', 'arguments', 'hash', 'trace', 'environment', 'network']);
    expect(value.limitations.join('\n')).toContain('less than 20 ms');
    expect(value.limitations.join('\n')).toContain('no recipients');
    expect(value.sealing).toBe(false);
    expect(procmond.messages.map(({ body }) => body.case)).toEqual(['hello']);
  });

  it('keeps no value where the trust root names no recipients, and says so in the log', async () => {
    const { procmond, where } = await bare();
    await procmond.start();
    const gap = await procmond.until(
      'the gap',
      ({ type, data }) => type === 'collector.gap' && data['cause'] === 'unavailable',
    );
    expect(gap.data['reason']).toContain('no recipients');
    const own = await procmond.until('itself', isOf('process.snapshot', procmond.process));
    expect(own.data).toMatchObject({ argv_state: 'captured', argv_commit: expect.stringMatching(/^sha256:/) });
    expect(grep(where.sealed, '')).toEqual([]);
  });

  it('answers for its health', async () => {
    const { procmond } = await bare();
    await procmond.start();
    await procmond.send({ case: 'ack', value: { seq: 0n } });
    const { body } = await procmond.ask({ case: 'healthRequest', value: {} });
    if (body.case !== 'health') throw new Error(`an answer about ${body.case}`);
    expect(body.value).toMatchObject({ state: 'watching', shed: 0n });
    expect(body.value.events).toBeGreaterThan(1n);
    expect(body.value.sources[0]).toMatchObject({ name: 'procfs', state: 'active' });
  });

  it('sends the very lines that are in its log, which holds', async () => {
    const { procmond, where } = await bare();
    await procmond.start();
    const { body } = await procmond.ask({ case: 'checkpointRequest', value: {} });
    expect(body.case === 'checkpoint' && body.value.size > 0n).toBe(true);
    await procmond.stop();
    expect(grep(where.sealed, '')).toEqual([]);
    using reader = await openLedgerReader(where.log);
    expect(procmond.seen.map(({ seq }) => seq)).toEqual(Array.from({ length: reader.size }, (_, i) => i));
    let seq = 0;
    for await (const line of reader.lines()) {
      expect(Buffer.from(line)).toEqual(Buffer.from(procmond.seen[seq]?.bytes ?? []));
      seq += 1;
    }
    expect(procmond.seen.at(0)?.type).toBe('collector.start');
    expect(procmond.seen.at(-1)).toMatchObject({
      type: 'collector.stop',
      data: { cause: 'command', reason: 'the test is over' },
    });
    const { value } = await procmond.message('stopped');
    expect(Number(value.logSize)).toBe(reader.size);
    const report = await verifyLedger(where.log, { key: KEY.publicKey });
    expect(report.verdict).toBe('trusted');
    assertContract(procmond.seen);
  });
});

describe.skipIf(process.platform !== 'linux')('procmond', () => {
  const shared = sharedProcmond(() => ({ environment: true, intervalMs: 10 }));

  it('tells of a start, an exec and an exit, with what it was', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const started = child('/bin/sh', ['-c', 'read line; exec sleep 600', 'planted'], { env: { PLANTED: 'x', A: 'b' } });
    const start = await procmond.until('the start', isOf('process.start', started));
    expect(start.data).toMatchObject({
      event_provider: 'procfs',
      process_name: 'sh',
      process_parent_pid: process.pid,
      process_args_count: 4,
      process_executable_state: 'file',
      argv_state: 'captured',
      env_state: 'captured',
      user_id: String(process.geteuid?.()),
      real_user_id: String(process.getuid?.()),
      process_working_directory: process.cwd(),
    });
    expect(start.data['entity']).toMatch(new RegExp(`^${HOST}:[0-9a-f-]{36}:${started.pid}:[0-9]+$`));
    expect(start.data['parent_entity']).toMatch(new RegExp(`^${HOST}:[0-9a-f-]{36}:${process.pid}:[0-9]+$`));
    expect(start.argv).toEqual(['/bin/sh', '-c', 'read line; exec sleep 600', 'planted']);
    expect(start.data['argv_mask']).toBe('sh -c <…> <…>');
    expect(start.env?.toSorted()).toEqual(['A=b', 'PLANTED=x']);
    expect(start.data['env_mask'].split(' ').toSorted()).toEqual(['A', 'PLANTED']);
    expect(Math.abs(start.data['process_start'] - Date.now())).toBeLessThan(60_000);

    started.stdin?.write('go\n');
    const exec = await procmond.until('the exec', isOf('process.exec', started));
    expect(exec.data).toMatchObject({ entity: start.data['entity'], process_name: 'sleep' });
    expect(exec.data['process_previous_executable']).toBe(start.data['process_executable']);
    expect(exec.argv).toEqual(['sleep', '600']);

    started.kill('SIGKILL');
    const exit = await procmond.until('the exit', isOf('process.exit', started));
    expect(exit.data).toMatchObject({ entity: start.data['entity'], process_name: 'sleep' });
    assertContract(procmond.seen);
  });

  it('tells how a process ended while nobody has waited for it', async () => {
    const { procmond } = await shared();
    await procmond.start();
    // The parent never waits: its child stays a zombie.
    const parent = child('/bin/sh', ['-c', '(exit 7) & exec sleep 600']);
    const { data: parentData } = await procmond.until('the parent', isOf('process.start', parent));
    const exit = await procmond.until(
      'the exit',
      ({ type, data }) => type === 'process.exit' && data['process_exit_code'] === 7,
    );
    const first = procmond.seen.find(({ data }) => data['entity'] === exit.data['entity']);
    expect(first?.data['parent_entity']).toBe(parentData['entity']);
    expect(first?.data['argv_state'] === 'lost' || first?.data['argv_mask'] !== undefined).toBe(true);
  });

  it('hashes what runs, also when the file was deleted or replaced', async () => {
    const where = tempDirectory();
    const program = join(where, 'a program');
    copyFileSync('/bin/sleep', program);
    const bytes = readFileSync(program);
    const hashes = {
      process_hash_sha256: createHash('sha256').update(bytes).digest('hex'),
      process_hash_blake3: await blake3(bytes),
    };
    const other = join(where, 'another program');
    copyFileSync('/bin/sleep', other);
    const [deleted, replaced] = [child(program, ['600']), child(other, ['601'])];
    rmSync(program);
    rmSync(other);
    writeFileSync(other, 'another');
    const procmond = await watch(place());
    await procmond.start();
    const of = (pid: number | undefined) =>
      procmond.until('it', ({ type, data }) => type === 'process.snapshot' && data['process_pid'] === pid);
    expect((await of(deleted.pid)).data).toMatchObject({
      process_executable: program,
      process_executable_state: 'deleted',
      ...hashes,
    });
    expect((await of(replaced.pid)).data).toMatchObject({
      process_executable: other,
      process_executable_state: 'replaced',
      ...hashes,
    });
  });

  it('is not misled by names: control characters, bytes that are no text, " (deleted)" for real', async () => {
    const where = tempDirectory();
    const names = [Buffer.from('a\u001b[2J\nb'), Buffer.from([0x66, 0xff, 0xfe]), Buffer.from('x (deleted)')];
    const children = names.map((name) => {
      const program = Buffer.concat([Buffer.from(`${where}/`), name]);
      copyFileSync('/bin/sleep', program);
      // Node takes strings: a shell finds the file by its pattern.
      return child('/bin/sh', [
        '-c',
        `cd "$0" && for f in *; do [ "$(printf %s "$f" | od -An -tx1)" = "$1" ] && exec "./$f" 600; done`,
        where,
        odOf(name),
      ]);
    });
    const { procmond } = await shared();
    await procmond.start();
    const [control, raw, marked] = await Promise.all(
      children.map(({ pid }) =>
        procmond.until(
          'it',
          ({ data }) => data['process_pid'] === pid && data['process_executable']?.startsWith(where),
        ),
      ),
    );
    expect(control?.data['process_executable']).toBe(`${where}/a\u001b[2J\nb`);
    expect(raw?.data['process_executable']).toBe(`${where}/f\ufffd\ufffd`);
    expect(Buffer.from(raw?.data['process_executable_raw'], 'base64').subarray(-3)).toEqual(
      Buffer.from([0x66, 0xff, 0xfe]),
    );
    expect(marked?.data).toMatchObject({
      process_executable: `${where}/x (deleted)`,
      process_executable_state: 'file',
    });
    expect(Buffer.from(control?.bytes ?? []).includes(0x1b)).toBe(false);
    assertContract(procmond.seen);
  });

  it('survives processes that vanish while they are read', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const burst = child('/bin/sh', [
      '-c',
      'i=0; while [ $i -lt 400 ]; do (:); (:)& i=$((i+1)); done; wait; exec sleep 600',
    ]);
    await procmond.until(
      'the end of the burst',
      (seen) =>
        isOf('process.exec', burst)(seen) ||
        (isOf('process.start', burst)(seen) && seen.data['process_name'] === 'sleep'),
    );
    assertContract(procmond.seen);
    const { body } = await procmond.ask({ case: 'healthRequest', value: {} });
    expect(body.case === 'health' && body.value.state).toBe('watching');
  });

  it('stops taking entries when its log has used up its quota, says so in it, and still ends in good order', async () => {
    const where = place();
    // Less than what it says of the processes that are here already.
    const procmond = await watch(where, { logBytes: 4000 });
    const started = procmond.start().catch(() => undefined);
    const lines = () => readFileSync(join(where.log, 'entries', entriesFileName(0)), 'utf8');
    await expect.poll(lines, { timeout: 30_000, interval: 50 }).toContain('"cause":"limit"');
    expect(Buffer.byteLength(lines())).toBeLessThan(4000 + 1024 * 1024);
    await procmond.stop();
    await started;
    expect((await verifyLedger(where.log, { key: KEY.publicKey })).verdict).toBe('trusted');
  });

  it('writes nothing in clear but what the agent gets: the value is sealed, and opens to what was committed to', async () => {
    const { identity, recipient } = await person();
    const where = place();
    const procmond = await watch(where, { recipients: [recipient], environment: true });
    await procmond.start();
    const planted = `PLANTED-${'hunter2'.repeat(3)}`;
    const started = child('/bin/sh', ['-c', 'read line', 'sh', `--password=${planted}`, planted], {
      env: { TOKEN: planted },
    });
    const start = await procmond.until('the start', isOf('process.start', started));
    expect(start.argv?.at(-1)).toBe(planted);
    expect((await procmond.stop()).code).toBe(0);

    expect(grep(where.data, planted, Buffer.from(planted).toString('base64').slice(4, -4), 'hunter2')).toEqual([]);
    expect(start.data['argv_mask']).toBe('sh -c <…> <…> --password=<…> <…>');
    for (const [field, expected] of [
      ['argv_commit', start.argv?.map((value) => `${value}\0`).join('')],
      ['env_commit', start.env?.map((value) => `${value}\0`).join('')],
    ] as const) {
      const entry = findSealed(where.sealed, start.data[field], start.seq);
      const value = openRecord(entry.record, await revealRecordKey(entry, identity), start.data[field]);
      expect(Buffer.from(value).toString()).toBe(expected);
    }
  });

  it.each([
    ['its channel closes', (procmond: Watched) => procmond.process.channel.destroy(), 'shutdown'],
    ['it gets SIGTERM', (procmond: Watched) => procmond.process.kill('SIGTERM'), 'signal'],
  ])('ends in good order when %s', async (_, end, cause) => {
    const where = place();
    const procmond = await watch(where);
    await procmond.start();
    end(procmond);
    expect(await procmond.process.exited).toMatchObject({ code: 0, signal: null });
    using reader = await openLedgerReader(where.log);
    const last = JSON.parse(Buffer.from(await reader.line(reader.size - 1)).toString());
    expect(last).toMatchObject({ type: 'collector.stop', data: { collector_name: 'procmond', cause } });
  });

  it('recovers its log after SIGKILL, loses nothing it had sent, and logs that nobody was watching', async () => {
    const where = place();
    const first = await watch(where);
    await first.start();
    for (let i = 0; i < 20; i += 1) child('/bin/sleep', ['600']);
    await first.until('the last', () => first.seen.filter(({ type }) => type === 'process.start').length >= 10);
    first.process.kill('SIGKILL');
    expect((await first.process.exited).signal).toBe('SIGKILL');

    const second = await watch(where);
    await second.start();
    const gap = await second.until(
      'the gap',
      ({ type, data }) => type === 'collector.gap' && data['cause'] === 'stopped',
    );
    expect(gap.data['from_ts']).toBeLessThanOrEqual(gap.data['to_ts']);
    await second.stop();
    using reader = await openLedgerReader(where.log);
    for (const { seq, bytes } of first.seen) expect(Buffer.from(await reader.line(seq))).toEqual(Buffer.from(bytes));
    expect((await verifyLedger(where.log, { key: KEY.publicKey })).verdict).toBe('trusted');
  });

  it('is the only one to write its log', async () => {
    const { procmond, where } = await shared();
    await procmond.start();
    const second = await watch(where);
    const { code, complaint } = await second.process.exited;
    expect(code).toBe(1);
    expect(complaint).toContain('[LOCKED]');
    const { body } = await procmond.ask({ case: 'checkpointRequest', value: {} });
    expect(body.case).toBe('checkpoint');
  });

  it.each([
    [
      'a log that is not there',
      (where: ReturnType<typeof place>) => ({ log: join(where.data, 'none') }),
      'LEDGER_NOT_FOUND',
    ],
    ['a key that is not there', (where: ReturnType<typeof place>) => ({ key: join(where.data, 'none') }), 'NOT_FOUND'],
    ['a recipient that is none', () => ({ recipients: ['age1none'] }), 'RECIPIENT_MALFORMED'],
  ])('refuses to start with %s, in one line with a code', async (_, wrong, code) => {
    const where = place();
    const procmond = await watch(where, wrong(where));
    const exit = await procmond.process.exited;
    expect(exit.code).toBe(1);
    expect(exit.complaint).toMatch(new RegExp(`^procmond: .+ \\[${code}\\]$`));
  });
});

function odOf(name: Buffer): string {
  return [...name].map((byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('');
}
