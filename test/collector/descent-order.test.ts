import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HashCache } from '../../src/collector/procfs/executable-hashes-io.ts';
import { Scanner } from '../../src/collector/procfs/scanner-io.ts';
import type { Observation } from '../../src/collector/source.ts';
import { tempDirectory } from '../support/temp.ts';

/** More than one light round looks at. */
const OLD = 65;
const SHELL = '/bin/sh';

/** A shell that waits, and when told becomes another program, which starts a shell at once. */
type Waiting = { readonly pid: number; readonly go: () => Promise<number> };

function waiting(): Waiting {
  const server = join(tempDirectory(), 'nginx');
  copyFileSync(SHELL, server);
  const script = 'read go; exec "$0" -c "sh -c \'read on; true\'; true"';
  const child = spawn(SHELL, ['-c', script, server], { stdio: ['pipe', 'ignore', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  const read = (path: string) => readFileSync(path, 'latin1').trim();
  return {
    pid,
    go: async () => {
      child.stdin.write('\n');
      for (;;) {
        const [born] = read(`/proc/${pid}/task/${pid}/children`).split(' ');
        if (born !== undefined && born !== '' && read(`/proc/${born}/comm`) === 'sh') return Number(born);
        await sleep(5);
      }
    },
  };
}

function startIdle(): void {
  const crowd = spawn(SHELL, ['-c', `for i in $(seq ${OLD}); do sleep 600 & done; wait`], {
    stdio: 'ignore',
    detached: true,
  });
  onTestFinished(() => void process.kill(-(crowd.pid ?? 0), 'SIGKILL'));
}

async function scannerFor(seen: Observation[]): Promise<Scanner> {
  const hashes = await HashCache.create(() => undefined);
  onTestFinished(() => hashes.close());
  const [host, boot] = ['0'.repeat(32), '01234567-89ab-cdef-0123-456789abcdef'];
  const emit = (observation: Observation) => void seen.push(observation);
  return new Scanner({ host, boot, hashes, environment: false, bootTime: 0, emit });
}

/** What was told of these, in order. */
function told(seen: readonly Observation[], ...pids: number[]): string[] {
  return seen.flatMap(({ type, data }) => {
    const { process_pid: pid = 0, process_name: name } = data as { process_pid?: number; process_name?: string };
    return pids.includes(pid) ? [`${type} ${name}`] : [];
  });
}

describe.runIf(process.platform === 'linux')('who started whom', () => {
  it('is told in order by a light look, whether or not it was the turn of the parent', async () => {
    startIdle();
    const parents = Array.from({ length: 4 }, waiting);
    const seen: Observation[] = [];
    const scanner = await scannerFor(seen);
    // All of the crowd, and all that wait to become something else, are old.
    while (scanner.table.size < OLD || parents.some(({ pid }) => scanner.table.get(pid) === undefined)) scanner.scan();
    seen.length = 0;
    const children = await Promise.all(parents.map(({ go }) => go()));
    scanner.scanLightly();
    for (const [i, { pid }] of parents.entries()) {
      expect(told(seen, pid, children[i] ?? 0)).toEqual(['process.exec nginx', 'process.start sh']);
    }
  });

  it('is told in order by a look at one descent', async () => {
    const { pid, go } = waiting();
    const seen: Observation[] = [];
    const scanner = await scannerFor(seen);
    scanner.scan();
    seen.length = 0;
    const child = await go();
    const root = scanner.table.get(pid);
    expect(root).toBeDefined();
    scanner.scanDescent(root === undefined ? [] : [root]);
    expect(told(seen, pid, child)).toEqual(['process.exec nginx', 'process.start sh']);
    expect(seen.at(-1)?.data).toMatchObject({ process_pid: child, parent_entity: root?.entity });
    seen.length = 0;
    scanner.scanDescent(root === undefined ? [] : [root]);
    expect(told(seen, pid, child)).toEqual([]);
  });
});
