import { defineConfig } from 'vitest/config';

/**
 * Rooms whose tests share a worker with others: they start no process, keep nothing from one file to the next, and what
 * they change of their own they put back. A worker of its own for each file imports the same modules a hundred times.
 */
const TOGETHER = ['archive', 'config', 'core', 'install', 'rules', 'seal', 'verify'].map(
  (room) => `test/${room}/**/*.test.ts`,
);

export default defineConfig({
  test: {
    // clipanion's package exports confuse the externaliser; see docs/decisions/0001-stack.md.
    server: { deps: { inline: ['clipanion'] } },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores: forks isolate tests that spawn, lock and kill.
    pool: 'forks',
    // By default one less than there are cores; but much here waits for processes and disks, not for us.
    maxWorkers: '100%',
    projects: [
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: TOGETHER } },
      { extends: true, test: { name: 'together', include: TOGETHER, isolate: false } },
    ],
  },
});
