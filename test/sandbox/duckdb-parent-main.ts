import type * as duckdb from '../../src/sandbox/duckdb-sandbox-io.ts';
import type { FenceName } from '../../src/sandbox/fence.ts';
import { compiled } from '../support/compiled.ts';

/** Asks a question without end, and is killed meanwhile by the test that started it. */

const { createDuckdbSandbox } = await compiled<typeof duckdb>('sandbox/duckdb-sandbox-io.js');
const [, , database = '', fence = 'none'] = process.argv;
const sandbox = createDuckdbSandbox({ database, fence: fence as FenceName, limits: { deadlineMs: 600_000 } });
await sandbox.fence();
process.stdout.write('asking\n');
await sandbox.ask({ sql: 'SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range + b.range < 0' });
