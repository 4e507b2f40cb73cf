import type { AlertRecord } from '../../../agent/alerts/record.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import type { Style } from '../../render/style.ts';

const SERIOUS: readonly string[] = ['high', 'critical'];

/** One line for people; ends without a line break. */
export function alertLine(alert: AlertRecord, style: Style): string {
  const {
    time,
    rule_severity: severity,
    rule_id,
    rule_name = '',
    process_name,
    process_pid,
    latency_ms,
    count,
  } = alert;
  const tone = SERIOUS.includes(severity) ? 'bad' : 'accent';
  const process = process_pid === undefined ? '' : `${escapeForTerminal(process_name ?? '?')} (pid ${process_pid})`;
  const latency = latency_ms === undefined ? 'was running before' : `${latency_ms} ms after it started`;
  const parts = [
    `${time}  ${style.tone(tone, severity.padEnd(13))} ${rule_id}  ${escapeForTerminal(rule_name)}`,
    ...(process === '' ? [] : [process, latency]),
    ...(count > 1 ? [`${count} times`] : []),
    ...(alert.completeness === 'full' ? [] : ['evaluated in part']),
    ...(alert.started_trace === undefined ? [] : [`trace ${alert.started_trace}`]),
    style.tone('muted', alert.alert_id),
  ];
  return parts.join(' · ');
}

/** All of it, a line each. */
export function alertText(alert: AlertRecord & { readonly trace_lines?: number }, style: Style): string {
  const { rule_version, missing, fields = {}, evidence = [], threats = [], started_trace: trace } = alert;
  const shown = Object.entries(fields).map(
    ([name, value]) => `  ${escapeForTerminal(name)}  ${value === null ? '' : escapeForTerminal(String(value))}`,
  );
  return [
    alertLine(alert, style),
    `alert      ${alert.alert_id}, ${alert.state}, seen ${alert.count === 1 ? 'once' : `${alert.count} times`}`,
    `rule       ${alert.rule_id} version ${rule_version}${alert.bundle === undefined ? '' : `, from bundle ${alert.bundle}`}`,
    ...threats.map(({ tactic, technique }) => `ATT&CK     ${technique} (${tactic})`),
    `evaluated  ${missing === undefined ? 'fully' : `without ${missing.map(escapeForTerminal).join(', ')}`}`,
    ...(alert.entity === undefined ? [] : [`process    ${escapeForTerminal(alert.entity)}`]),
    ...(trace === undefined ? [] : [`trace      ${trace}, ${alert.trace_lines ?? 0} lines so far`]),
    `logged     ${escapeForTerminal(alert.log_origin)} line ${alert.event_sequence}`,
    ...evidence.map(({ origin, seq }) => `rests on   ${escapeForTerminal(origin)} line ${seq}`),
    ...(shown.length === 0 ? [] : ['fields']),
    ...shown,
  ].join('\n');
}
