import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyBundle } from '../../src/install/apply-io.ts';
import { anyContent, CHANNEL, makeBundle, makeEnclave, open } from '../support/enclave.ts';
import { SLOW } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';

const CHILD = join(import.meta.dirname, 'apply-child.ts');
/** What changes a directory or makes a change durable. Others change only files that nothing refers to yet. */
const CALLS = ['rename', 'fsync', 'fdatasync', 'symlink', 'mkdir', 'unlink', 'rmdir'];
const canTrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0;
/** Under `SLOW=1` every call; otherwise some of them. */
const STEP = SLOW ? 1 : 5;

if (!canTrace) console.warn('SKIPPED: killing an apply at its system calls needs strace');

describe.skipIf(!canTrace)('an apply that is killed at a system call', () => {
  it.each(CALLS)('%s leaves the old bundle or the new one, and the next command mends the rest', async (call) => {
    const data = await makeEnclave();
    const one = await makeBundle(dirname(data), { files: { 'rule.yaml': 'old' } });
    const two = await makeBundle(dirname(data), { seq: 2, prev: one.payload, files: { 'rule.yaml': 'new' } });
    await applyHere(data, one.path);
    let killed = 0;
    for (let nth = 1; ; nth += STEP) {
      const copy = join(tempDirectory(), 'data');
      cpSync(data, copy, { recursive: true, verbatimSymlinks: true });
      const inject = `inject=${call}:signal=SIGKILL:when=${nth}`;
      const args = ['-f', '-qqq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject, process.execPath, CHILD];
      const { status, signal } = spawnSync('strace', [...args, copy, two.path]);
      if (status === 0) break;
      expect(signal).toBe('SIGKILL');
      killed += 1;
      await expectOldOrNew(copy, two.path);
    }
    expect(killed).toBeGreaterThan(0);
  });
});

async function expectOldOrNew(data: string, successor: string): Promise<void> {
  const install = await open(data);
  const seq = install.state.channels.get(CHANNEL)?.active.seq;
  await install[Symbol.asyncDispose]();
  const active = join(data, 'bundles', 'rules~test', 'active');
  expect(readlinkSync(active)).toBe(String(seq));
  expect(readFileSync(join(active, 'files', 'rule.yaml'), 'utf8')).toBe(seq === 2 ? 'new' : 'old');
  expect(await applyHere(data, successor)).toBe(seq === 2 ? 'unchanged' : 'applied');
}

async function applyHere(data: string, path: string): Promise<string> {
  await using install = await open(data);
  const options = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true };
  return (await applyBundle(install, path, 'bundle', options)).status;
}
