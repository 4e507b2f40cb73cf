import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // clipanion's package exports confuse the externaliser; see docs/decisions/0001-stack.md.
    server: { deps: { inline: ['clipanion'] } },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores: forks isolate tests that spawn, lock and kill.
    pool: 'forks',
    // By default one less than there are cores; but much here waits for processes and disks, not for us.
    maxWorkers: '100%',
  },
});
