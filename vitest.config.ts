import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Rooms whose tests keep nothing from one file to the next, and put back what they change of their own. */
const ROOMS = ['archive', 'config', 'core', 'install', 'rules', 'seal', 'verify'];

/**
 * Their test files share a worker: one of its own for each imports the same modules a hundred times. Whoever changes
 * modules or the clock under others' feet, and whoever shares a fixture by its module, has one to itself.
 */
const TOGETHER = globSync(`test/{${ROOMS}}/**/*.test.ts`, { cwd: import.meta.dirname }).filter((path) => {
  const text = readFileSync(join(import.meta.dirname, path), 'utf8');
  return !/\bvi\b|copySample/.test(text);
});

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
