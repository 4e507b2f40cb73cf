import { Command, Option } from 'clipanion';
import { runAgent } from '../../../agent/agent-io.ts';
import { RELEASE } from '../../../core/release.ts';
import { count } from '../../../core/wording.ts';
import { sayRevoked } from '../../../install/standing.ts';
import { systemSurroundings } from '../../../ledger/surroundings-io.ts';
import { DaemonCommand } from '../../command.ts';
import { type FlagSettings, flagSettings, loadConfiguration } from '../../configuration-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { parseWholeNumber } from '../../whole-number.ts';
import { alertLine } from '../alerts/alert-text.ts';

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

export class AgentRun extends DaemonCommand {
  static override paths = [['agent', 'run']];
  static override usage = Command.Usage({
    description: 'Watch this machine: start procmond, evaluate the rules of the active bundles, raise alerts.',
    details:
      'Stays in the foreground and prints alerts until it is stopped (Ctrl-C, SIGTERM, agent stop). With --json each alert is one JSON object on a line. Arguments are masked everywhere; alerts also go to alerts.ndjson in the data directory.',
    examples: [
      ['Until Ctrl-C', '$0 agent run'],
      ['As a service does', '$0 agent run --quiet'],
    ],
  });

  quiet = Option.Boolean('--quiet', false, { description: 'do not print alerts' });
  interval = Option.String('--interval', { description: 'look at the processes every `MS` milliseconds' });
  environment = Option.Boolean('--environment', false, {
    description: 'record the names of environment variables too, and seal their values',
  });

  async run(): Promise<ExitCode> {
    const { output, env } = this.context;
    const { settings, revoked } = await loadConfiguration(this.dataDirectory, env, this.#flags());
    for (const one of revoked) this.note(sayRevoked(one));
    if (settings.sinks.length > 0) this.note('sinks are set, but this version delivers alerts to alerts.ndjson only');
    await runAgent({
      data: this.dataDirectory,
      builtAt: RELEASE.builtAt,
      surroundings: systemSurroundings(),
      env,
      signal: this.signal,
      environment: settings['agent.environment'],
      intervalMs: settings['agent.interval_ms'],
      socketsMs: settings['agent.sockets_ms'],
      storeAgeMs: settings['retention.store_days'] * DAY_MS,
      storeBytes: settings['retention.store_mib'] * MIB,
      logsBytes: settings['retention.logs_mib'] * MIB,
      note: (text) => this.note(text),
      onReady: ({ rules, pid, limitations }) => {
        for (const limitation of limitations) this.note(`limit: ${limitation}`);
        const active = rules.filter(({ state }) => state === 'active' || state === 'degraded').length;
        this.note(`ready: ${count(active, 'rule')} live, pid ${pid}`);
      },
      onAlert: (alert) => {
        if (this.quiet) return;
        const text = this.json ? JSON.stringify(alert) : alertLine(alert, this.style);
        // A reader that goes away (| head) is no reason to stop watching.
        void output.stream(`${text}\n`).catch(() => undefined);
      },
    });
    return EXIT.done;
  }

  /** Options that are settings; they win over every file. */
  #flags(): FlagSettings {
    const { interval, environment } = this;
    const ms = interval === undefined ? undefined : parseWholeNumber(interval, '--interval');
    return [
      ...(ms === undefined ? [] : [flagSettings('--interval', { agent: { interval_ms: ms } })]),
      ...(environment ? [flagSettings('--environment', { agent: { environment: true } })] : []),
    ];
  }
}
