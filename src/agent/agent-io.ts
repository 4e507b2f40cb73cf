import { escapeForTerminal } from '../core/terminal-text.ts';
import { formatTime } from '../core/time.ts';
import { assertInitialised, ensureHostLog, originOf } from '../install/host-io.ts';
import { loadLogPublicKey } from '../install/host-keys-io.ts';
import { dataLayout } from '../install/layout.ts';
import { loadLogKey, mendLogKey } from '../install/log-rotation-io.ts';
import { procmondPaths } from '../ipc/procmond-launch.ts';
import { readGenesis } from '../ledger/open-io.ts';
import { AgentLog, catchUp, ensureDirectory, lastLine } from './agent-log-io.ts';
import { AgentCore } from './core-io.ts';
import { AGENT, CLEAR_WINDOW_MS, MAX_MISSED, PROCMOND } from './format.ts';
import { agentLayout } from './layout.ts';
import { lockAgent } from './lock-io.ts';
import { type AgentOptions, type Settled, settle } from './options.ts';
import { Room } from './room-io.ts';
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
  const lock = opened.use(lockAgent(data));
  const { host } = readGenesis(layout.installLog);
  const procmond = procmondPaths(data);
  const now = surroundings.clock.now();
  for (const log of [AGENT, PROCMOND]) ensureHostLog(layout, host, log, formatTime(now));
  const key = await loadLogKey(layout, AGENT, surroundings);
  // procmond may write nothing beside its log, so what a crash left of its key is mended here.
  await mendLogKey(layout, PROCMOND, surroundings);
  ensureDirectory(procmond.sealed);
  const store = opened.use(new EventStore(paths.store));
  const volatile = opened.use(new VolatileStore(data, env));
  const missed: StoredLine[] = [];
  let log: AgentLog | undefined;
  const room = roomFor(settled, () => log);
  await catchUp(procmond.log, store, room, (lines) => {
    missed.push(...lines.filter(({ line }) => line.ts > now - CLEAR_WINDOW_MS).slice(-MAX_MISSED));
    missed.splice(0, missed.length - MAX_MISSED);
  });
  const before = await lastLine(paths.log);
  log = opened.use(await AgentLog.open(paths.log, key, { ...surroundings, quota: settled.logsBytes }, store, room));
  await catchUp(paths.log, store, room, () => undefined);
  const core = new AgentCore({
    ...settled,
    key: loadLogPublicKey(layout, PROCMOND),
    host,
    origin: originOf(host, PROCMOND),
    log,
    room,
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

/** A full disk: a sentence for people at once, and a line in the log as soon as that can be written. */
function roomFor({ data, note, surroundings }: Settled, log: () => AgentLog | undefined): Room {
  const where = escapeForTerminal(data);
  const { now } = surroundings.clock;
  return new Room({
    data,
    now,
    full: () =>
      note(`the disk of ${where} is full; nothing is taken in until there is room, and nothing is lost of what was`),
    again: (since) => {
      note(`the disk of ${where} has room again`);
      const reason =
        'the disk of the data directory was full; what collectors wrote meanwhile is taken from their logs';
      const span = { from_ts: since, to_ts: Math.max(since, now()) };
      // Whatever keeps it from being written keeps the agent from working, which says so.
      log()
        ?.append('collector.gap', { collector_name: AGENT, cause: 'unavailable', ...span, reason })
        .catch(() => undefined);
    },
  });
}
