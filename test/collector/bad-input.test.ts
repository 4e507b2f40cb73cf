import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HashCache } from '../../src/collector/procfs/executable-hashes-io.ts';
import { type ReadOptions, type ReadProcess, readProcess } from '../../src/collector/procfs/process-io.ts';
import { protectSecrets } from '../../src/collector/secrets.ts';
import { formatEntity, validateEvent } from '../../src/core/event.ts';
import { escapeForTerminal } from '../../src/core/terminal-text.ts';
import { assertContract, type Seen, sharedProcmond } from './procmond-support.ts';

/** Its arguments, as /proc has them. */
const SLEEPING = ['sleep', '600', ''].join('\0');
const LAST_PID = '/proc/sys/kernel/ns_last_pid';
const [ESC, CSI, RLO] = ['\u001b', '\u009b', '\u202e'];

/** Reads a process; in the midst of it, `meanwhile` happens. */
async function readWhile(pid: number, meanwhile: () => void): Promise<ReadProcess | undefined> {
  const hashes = await HashCache.create(() => undefined);
  onTestFinished(() => hashes.close());
  let isDone = false;
  const options: ReadOptions = {
    hashes,
    environment: true,
    bootTime: 0,
    entityOf: (of, start) => formatEntity({ host: 'h', boot: 'b', pid: of, start }),
    // Asked after program, arguments and environment were read, and before all the rest.
    parentOf: () => {
      if (!isDone) meanwhile();
      isDone = true;
      return undefined;
    },
  };
  return readProcess(pid, options);
}

/** A process that is waited for as soon as it ends, by a shell that does nothing else. */
async function grandchild(): Promise<{ readonly pid: number; readonly end: () => void }> {
  const shell = spawn('/bin/sh', ['-c', 'sleep 600 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void shell.kill('SIGKILL'));
  const pid = Number(
    await new Promise<string>((resolve) => shell.stdout.once('data', (text) => resolve(String(text)))),
  );
  while (!readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sleep')) await new Promise(setImmediate);
  onTestFinished(() => {
    if (existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'latin1') === SLEEPING) process.kill(pid);
  });
  const end = () => {
    process.kill(pid, 'SIGKILL');
    // The shell takes it from here, whatever we do.
    while (existsSync(`/proc/${pid}`));
  };
  return { pid, end };
}

/** Whatever could be read, it keeps the contract. */
function asEvent({ data, argv, env }: ReadProcess): void {
  const { data: whole } = protectSecrets(
    { type: 'process.start', data, argv, ...(env === undefined ? {} : { env }) },
    { seal: () => `sha256:${'0'.repeat(64)}` },
  );
  validateEvent('process.start', whole);
}

describe.runIf(process.platform === 'linux')('a process that vanishes', () => {
  it('before it is read is none', async () => {
    const { pid, end } = await grandchild();
    end();
    expect(await readWhile(pid, () => undefined)).toBeUndefined();
  });

  it('while it is read is told as far as it was seen, and the rest as lost', async () => {
    const { pid, end } = await grandchild();
    const read = await readWhile(pid, end);
    if (read === undefined) throw new Error('it was there when it was looked at');
    expect(read.data).toMatchObject({ process_pid: pid, process_name: 'sleep' });
    expect(read.data.process_executable).toMatch(/sleep|busybox|coreutils/);
    expect(read.argv).toEqual({ state: 'captured', bytes: new Uint8Array(Buffer.from(SLEEPING)) });
    expect(read.data.lost).toEqual(expect.arrayContaining(['process_working_directory', 'user_id', 'process_cgroup']));
    asEvent(read);
  });

  const canReuse = process.geteuid?.() === 0 && existsSync(LAST_PID);
  it.skipIf(!canReuse)('while another gets its pid lends it nothing (needs root)', async () => {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const { pid, end } = await grandchild();
      let other: number | undefined;
      const read = await readWhile(pid, () => {
        end();
        writeFileSync(LAST_PID, String(pid - 1));
        const child = spawn('/bin/sh', ['-c', 'read line', 'PLANTED'], { stdio: ['pipe', 'ignore', 'ignore'] });
        onTestFinished(() => void child.kill('SIGKILL'));
        other = child.pid;
      });
      // Somebody else on this machine may have been quicker.
      if (other !== pid) continue;
      expect(read?.argv).toEqual({ state: 'lost' });
      expect(read?.env).toEqual({ state: 'lost' });
      expect(read?.data).toMatchObject({ process_name: 'sleep', lost: expect.arrayContaining(['process_executable']) });
      expect(read?.data.process_executable).toBeUndefined();
      expect(read?.data.user_id).toBeUndefined();
      if (read !== undefined) asEvent(read);
      return;
    }
    throw new Error('the pid was never given again');
  });
});

describe.skipIf(process.platform !== 'linux')('names and arguments that are no text, or more than text,', () => {
  const shared = sharedProcmond();
  /** As a shell's printf has it, and as bytes. */
  const printed = String.raw`x\377\376\033[2J\233\342\200\256\ny`;
  const bytes = Buffer.concat([
    Buffer.from('x'),
    Buffer.of(0xff, 0xfe),
    Buffer.from(`${ESC}[2J`),
    Buffer.of(0x9b),
    Buffer.from(`${RLO}\ny`),
  ]);
  const started = (script: string) => {
    const child = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };
  const isOf = (pid: number | undefined, fits: (seen: Seen) => boolean) => (seen: Seen) =>
    seen.type.startsWith('process.') && seen.data['process_pid'] === pid && fits(seen);

  it('as arguments: the agent gets the bytes, the line a mask without them', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const { pid } = started(`exec sh -c 'read line' "$(printf '${printed}')" "--$(printf '${printed}')=1"`);
    const seen = await procmond.until(
      'it',
      isOf(pid, ({ argv }) => (argv?.length ?? 0) > 3),
    );
    const values = procmond.messages.flatMap(({ body }) =>
      body.case === 'events' ? body.value.events.filter(({ seq }) => Number(seq) === seen.seq) : [],
    )[0]?.arguments?.values;
    expect(values?.some((value) => Buffer.from(value).equals(bytes))).toBe(true);
    expect(escapeForTerminal(seen.data['argv_mask'])).toBe(seen.data['argv_mask']);
    expect(Buffer.from(seen.bytes).includes('[2J')).toBe(false);
    assertContract([seen]);
  });

  it('as the name it gave itself: the text, and the bytes beside it', async () => {
    const { procmond } = await shared();
    await procmond.start();
    // Fifteen bytes at most; its own arguments stay, so that it is not taken for another program.
    const child = started(`printf '${printed}' > /proc/$$/comm; read line; exec sleep 600`);
    const renamed = await procmond.until(
      'it',
      isOf(child.pid, ({ data }) => data['process_name']?.startsWith('x') === true || data['process_name'] === 'sh'),
    );
    child.stdin?.write('go\n');
    const exec = await procmond.until(
      'its exec',
      isOf(child.pid, ({ type, data }) => type === 'process.exec' && data['process_name'] === 'sleep'),
    );
    for (const seen of [renamed, exec]) {
      const line = Buffer.from(seen.bytes).toString();
      for (const control of [ESC, CSI, '\n']) expect(line).not.toContain(control);
    }
    if (renamed.data['process_name'] !== 'sh') {
      expect(Buffer.from(renamed.data['process_name_raw'], 'base64')).toEqual(bytes.subarray(0, 15));
    }
    assertContract([renamed, exec]);
  });

  it('as the name of its program, in the name of the process too', async () => {
    const { procmond } = await shared();
    await procmond.start();
    const { pid } = started(
      `d=$(mktemp -d) && cp /bin/sleep "$d/$(printf '${printed}')" && trap 'rm -r "$d"' EXIT && "$d/$(printf '${printed}')" 600 & wait`,
    );
    const ran = await procmond.until(
      'it',
      ({ type, data }) =>
        type.startsWith('process.') &&
        data['process_name_raw'] !== undefined &&
        data['process_executable_raw'] !== undefined,
    );
    expect(Buffer.from(ran.data['process_name_raw'], 'base64')).toEqual(bytes.subarray(0, 15));
    expect(Buffer.from(ran.data['process_executable_raw'], 'base64').subarray(-bytes.length)).toEqual(bytes);
    expect(ran.data['process_name']).toBe(new TextDecoder().decode(bytes.subarray(0, 15)));
    expect(ran.data['process_parent_pid']).toBeGreaterThan(0);
    expect(pid).toBeGreaterThan(0);
    process.kill(ran.data['process_pid'], 'SIGKILL');
    assertContract([ran]);
  });
});
