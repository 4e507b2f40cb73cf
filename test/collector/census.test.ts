import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HashCache } from '../../src/collector/procfs/executable-hashes-io.ts';
import { listProcesses, readCensus } from '../../src/collector/procfs/process-list-io.ts';
import { Scanner } from '../../src/collector/procfs/scanner-io.ts';
import type { Observation } from '../../src/collector/source.ts';

function sleeper() {
  const child = spawn('/bin/sleep', ['600'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function scannerFor(seen: Observation[]): Promise<Scanner> {
  const hashes = await HashCache.create(() => undefined);
  onTestFinished(() => hashes.close());
  const emit = (observation: Observation) => void seen.push(observation);
  return new Scanner({ host: 'testhost', boot: 'boot', hashes, environment: false, bootTime: 0, emit });
}

const told = (seen: readonly Observation[], type: string, pid: number | undefined) =>
  seen.some(
    (observation) =>
      observation.type === type && 'process_pid' in observation.data && observation.data.process_pid === pid,
  );

describe.runIf(process.platform === 'linux')('a light look', () => {
  it('lists what there is whenever something began or is gone, since the kernel counts both', async () => {
    for (let i = 0; i < 5; i += 1) {
      const before = readCensus();
      expect(before).toMatch(/^[0-9]+ [0-9]+$/);
      const child = sleeper();
      const born = readCensus();
      expect(born).not.toBe(before);
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(readCensus()).not.toBe(born);
    }
  });

  it('finds what began and what is gone with its very next round', async () => {
    const seen: Observation[] = [];
    const scanner = await scannerFor(seen);
    scanner.scan();
    for (let round = 0; round < 10; round += 1) {
      const child = sleeper();
      scanner.scanLightly();
      expect(told(seen, 'process.start', child.pid)).toBe(true);
      child.kill('SIGKILL');
      await once(child, 'exit');
      scanner.scanLightly();
      expect(told(seen, 'process.exit', child.pid)).toBe(true);
    }
  });

  it('has looked at each of the old after so many rounds, however many there are', async () => {
    const seen: Observation[] = [];
    const scanner = await scannerFor(seen);
    scanner.scan();
    const [own] = [scanner.table.get(process.pid)];
    expect(own).toBeDefined();
    if (own === undefined) return;
    // As if it had become another program since: only a look at it tells.
    own.image = '1 1';
    own.subject = { process_name: 'another' };
    own.argvDigest = 'another';
    seen.length = 0;
    for (let round = 0; round < 41 && !told(seen, 'process.exec', process.pid); round += 1) scanner.scanLightly();
    expect(told(seen, 'process.exec', process.pid)).toBe(true);
  });

  it('lists in ascending order', () => {
    const pids = listProcesses();
    expect(pids).toContain(process.pid);
    expect(pids).toEqual(pids.toSorted((a, b) => a - b));
  });
});
