import { execFileSync, spawn } from 'node:child_process';
import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { procmondArguments } from '../../src/ipc/procmond-launch.ts';
import { spawnCollector } from '../../src/ipc/spawn-io.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { hasTool } from '../support/cli.ts';
import { assertContract, compiledMain, KEY, person, place, type Seen, Watched } from './procmond-support.ts';

const NOBODY = 65_534;
/** As root we can become somebody else; otherwise every other test here runs without privilege already. */
const canChange = process.geteuid?.() === 0 && hasTool('setpriv') && canReadSources();
if (!canChange)
  process.stderr.write('skipped: procmond as another user needs root, setpriv, and sources others may read\n');

function as(uid: number, command: string, args: readonly string[]): [string, string[]] {
  const change = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs', '--inh-caps=-all'];
  return ['/usr/bin/setpriv', [...change, command, ...args]];
}

function canReadSources(): boolean {
  try {
    const [command, args] = as(NOBODY, process.execPath, [
      '-e',
      `require('fs').readFileSync(${JSON.stringify(import.meta.filename)})`,
    ]);
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function giveAway(directory: string): void {
  chownSync(directory, NOBODY, NOBODY);
  for (const name of readdirSync(directory, { recursive: true }))
    chownSync(join(directory, String(name)), NOBODY, NOBODY);
}

describe.skipIf(!canChange)('procmond as a user without privilege', () => {
  it('sees all processes, says what it may not see of them, and sees all of its own user', async () => {
    const where = place();
    giveAway(where.data);
    const { recipient } = await person();
    const { data: _, ...paths } = where;
    const options = {
      ...paths,
      recipients: [recipient],
      intervalMs: 20,
      socketsMs: 100,
      environment: true,
      logBytes: 10_000_000,
    };
    const args = procmondArguments(options, await compiledMain());
    const procmond = new Watched(await spawnCollector(...as(NOBODY, process.execPath, args)));
    onTestFinished(() => procmond.process.kill('SIGKILL'));
    const { value } = await procmond.message('hello');
    expect(value.limitations.join('\n')).toContain('CAP_SYS_PTRACE');
    await procmond.start();

    const isOf = (pid: number | undefined) => (seen: Seen) =>
      seen.type.startsWith('process.') && seen.data['process_pid'] === pid;
    const ours = await procmond.until('this process', isOf(process.pid));
    expect(ours.data['denied']).toEqual(
      expect.arrayContaining(['process_executable', 'process_hash_sha256', 'process_working_directory']),
    );
    expect(ours.data).toMatchObject({ user_id: '0', argv_state: 'captured', env_state: 'denied' });
    expect(ours.data['process_executable']).toBeUndefined();

    const own = spawn(...as(NOBODY, '/bin/sleep', ['600']), { stdio: 'ignore' });
    onTestFinished(() => void own.kill('SIGKILL'));
    const seen = await procmond.until(
      'its own',
      (s) => isOf(own.pid)(s) && s.data['process_name'] === 'sleep' && s.data['user_id'] === String(NOBODY),
    );
    expect(seen.data['denied']).toBeUndefined();
    expect(seen.data).toMatchObject({
      env_state: 'captured',
      process_hash_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });

    // Another user's becomes another program: its name and its arguments tell.
    const theirs = spawn('/bin/sh', ['-c', 'read line; exec sleep 600'], { stdio: ['pipe', 'ignore', 'ignore'] });
    onTestFinished(() => void theirs.kill('SIGKILL'));
    await procmond.until('the shell', (s) => isOf(theirs.pid)(s) && s.data['process_name'] === 'sh');
    theirs.stdin?.write('go\n');
    const exec = await procmond.until(
      'its exec',
      (s) => s.type === 'process.exec' && s.data['process_pid'] === theirs.pid,
    );
    expect(exec.data).toMatchObject({ process_name: 'sleep', argv_mask: 'sleep <number>', env_state: 'denied' });
    const { body } = await procmond.ask({ case: 'healthRequest', value: {} });
    expect(body.case === 'health' && (body.value.sources[0]?.denied ?? 0)).toBeGreaterThan(0);

    expect((await procmond.stop()).code).toBe(0);
    assertContract(procmond.seen);
    expect((await verifyLedger(where.log, { key: KEY.publicKey })).verdict).toBe('trusted');
  });

  it('says so when its log is not its own', async () => {
    const where = place();
    const { data: _, ...paths } = where;
    const options = {
      ...paths,
      recipients: [],
      intervalMs: 20,
      socketsMs: 0,
      environment: false,
      logBytes: 10_000_000,
    };
    const args = procmondArguments(options, await compiledMain());
    const child = await spawnCollector(...as(NOBODY, process.execPath, args));
    const { code, complaint } = await child.exited;
    expect(code).toBe(1);
    expect(complaint).toMatch(/^procmond: .+ \[[A-Z_]+\]$/);
  });
});
