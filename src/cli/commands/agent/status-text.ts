import type { AgentStatus, RuleStatus } from '../../../agent/status.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import type { Style } from '../../render/style.ts';

const MIB = 1024 * 1024;

export function statusText(status: AgentStatus, style: Style): string {
  const { collector, rules, detector, alerts, store, traces, rules_trouble: trouble } = status;
  const active = rules.filter(({ state }) => state === 'active').length;
  const rows = Object.entries(store.rows).map(([table, rows]) => `${table} ${rows}`);
  return [
    `agent      ${status.state}, pid ${status.pid}, since ${new Date(status.started).toISOString()}, ${mebibytes(status.resident_bytes)}`,
    `host       ${status.host}`,
    `collector  ${collector.name} ${collector.state}${collector.pid === undefined ? '' : `, pid ${collector.pid}`}, started ${count(collector.starts, 'time')}${collector.resident_bytes === undefined ? '' : `, ${mebibytes(collector.resident_bytes)}`}`,
    `sees       ${collector.capabilities.join(', ')}`,
    ...(collector.trouble === undefined ? [] : [`trouble    ${escapeForTerminal(collector.trouble)}`]),
    `rules      ${count(rules.length, 'rule')}, ${active} active`,
    ...(trouble === undefined
      ? []
      : [style.tone('bad', `           not those of the newest bundle: ${escapeForTerminal(trouble)}`)]),
    ...rules.filter(({ state }) => state !== 'active').map((rule) => ruleLine(rule, style)),
    `detector   ${detector.rounds} rounds, the last ${detector.last_round_ms} ms, the longest ${detector.longest_round_ms} ms`,
    `alerts     ${alerts.raised} raised, ${alerts.repeated} repeated`,
    `traces     ${traces.length === 0 ? 'none' : traces.join(', ')}`,
    `store      ${mebibytes(store.bytes)}: ${rows.join(', ')}`,
    ...status.limitations.map((limitation) => `limit      ${escapeForTerminal(limitation)}`),
  ].join('\n');
}

function ruleLine({ id, state, missing, reason }: RuleStatus, style: Style): string {
  const why = reason ?? `can't see ${(missing ?? []).join(', ')}`;
  return `           ${style.tone(state === 'degraded' ? 'accent' : 'bad', state)}  ${escapeForTerminal(id)}: ${escapeForTerminal(why)}`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
