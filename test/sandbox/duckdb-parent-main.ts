import { createDuckdbSandbox } from '../../src/sandbox/duckdb-sandbox-io.ts';

/** Asks a question without end, and is killed meanwhile by the test that started it. */

const database = process.argv[2] ?? '';
const sandbox = createDuckdbSandbox({ database, limits: { deadlineMs: 600_000 } });
await sandbox.fence();
process.stdout.write('asking\n');
await sandbox.ask({ sql: 'SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range + b.range < 0' });
