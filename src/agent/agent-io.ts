import { DurableError } from '../durable/errors.ts';
import { acquireLock, type Lock } from '../durable/lock-io.ts';
import { assertInitialised, loadHostKey, originOf } from '../install/host-io.ts';
import { dataLayout } from '../install/layout.ts';
import { procmondPaths } from '../ipc/procmond-launch.ts';
import { readGenesis } from '../ledger/open-io.ts';
import { AgentLog, catchUp, ensureDirectory, ensureLog, lastLine } from './agent-log-io.ts';
import { AgentCore } from './core-io.ts';
import { AgentError } from './errors.ts';
import { AGENT, CLEAR_WINDOW_MS, MAX_MISSED, PROCMOND } from './format.ts';
import { agentLayout } from './layout.ts';
import { type AgentOptions, settle } from './options.ts';
import { EventStore } from './store/event-store-io.ts';
import type { StoredLine } from './store/rows.ts';
import { VolatileStore } from './store/volatile-io.ts';

/**
 * Runs the agent of a data directory until `signal` is aborted or somebody asks it to stop: starts procmond, keeps the
 * stores, asks the rules of the active bundles, raises alerts, runs traces, answers on its socket.
 * @throws AgentError AGENT_RUNNING and others; InstallError NOT_INITIALISED or STATE_TAMPERED; LedgerError; DurableError
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  const settled = settle(options);
  const { data, surroundings, env } = settled;
  const layout = dataLayout(data);
  const paths = agentLayout(data);
  assertInitialised(layout);
  await using opened = new AsyncDisposableStack();
  const lock = opened.use(lockAgent(paths.lock));
  const key = loadHostKey(layout);
  const { host } = readGenesis(layout.installLog);
  const procmond = procmondPaths(data);
  const now = surroundings.clock.now();
  ensureLog(paths.log, host, AGENT, key, now);
  ensureLog(procmond.log, host, PROCMOND, key, now);
  ensureDirectory(procmond.sealed);
  const store = opened.use(new EventStore(paths.store));
  const volatile = opened.use(new VolatileStore(data, env));
  const missed: StoredLine[] = [];
  await catchUp(procmond.log, store, (lines) => {
    missed.push(...lines.filter(({ line }) => line.ts > now - CLEAR_WINDOW_MS).slice(-MAX_MISSED));
    missed.splice(0, missed.length - MAX_MISSED);
  });
  const before = await lastLine(paths.log);
  const log = opened.use(await AgentLog.open(paths.log, key, surroundings, store));
  await catchUp(paths.log, store, () => undefined);
  const core = new AgentCore({
    ...settled,
    key: key.publicKey,
    host,
    origin: originOf(host, PROCMOND),
    log,
    store,
    volatile,
    missed,
  });
  const control = await core.listen();
  opened.defer(() => control.close());
  try {
    await core.run(before);
  } finally {
    await opened.disposeAsync();
    lock.release();
    await control.release();
  }
}

function lockAgent(path: string): Lock {
  try {
    return acquireLock(path);
  } catch (cause) {
    if (!(cause instanceof DurableError) || cause.code !== 'LOCKED') throw cause;
    const message = 'an agent is running for this data directory already; see daemoneye agent status';
    throw new AgentError('AGENT_RUNNING', message, { cause });
  }
}
