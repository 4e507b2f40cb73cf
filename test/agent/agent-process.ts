/**
 * The compiled agent as a process of its own, for tests that kill it: started from sources it would take seconds. Says
 * `ready` and each alert, one JSON object a line.
 */
import { writeSync } from 'node:fs';
import type * as agent from '../../src/agent/agent-io.ts';
import type * as surroundings from '../../src/ledger/surroundings-io.ts';
import { compiled } from '../support/compiled.ts';

const [data = '', intervalMs = '50'] = process.argv.slice(2);
const { runAgent } = await compiled<typeof agent>('agent/agent-io.js');
const { systemSurroundings } = await compiled<typeof surroundings>('ledger/surroundings-io.js');
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());
const say = (value: unknown) => writeSync(1, `${JSON.stringify(value)}\n`);

try {
  await runAgent({
    data,
    builtAt: '2026-01-01T00:00:00.000Z',
    surroundings: systemSurroundings(),
    env: process.env,
    signal: stopping.signal,
    intervalMs: Number(intervalMs),
    socketsMs: 100,
    onReady: () => say({ ready: true }),
    onAlert: (alert) => say({ alert }),
    note: (note) => say({ note }),
  });
  say({ ended: true });
} catch (error) {
  say({
    failed: error instanceof Error && 'code' in error ? error.code : String(error),
    text: String((error as Error).stack),
  });
  process.exitCode = 1;
}
