import { quoteText } from './columns-sql.ts';
import type { LineageRow } from './lineage.ts';
import type { Answer, Cell } from './query-io.ts';

/**
 * The question that finds a lineage: what was named, everything above it and everything below it.
 * @param focus a trace, a process identity or a pid; without it every process of the case
 */
export function lineageSql(focus?: string): string {
  return `${focus === undefined ? '' : chosen(focus)}
SELECT p.entity, p.parent_entity, p.process_parent_pid, p.process_name, p.process_pid, p.argv_mask, p.argv_state,
  coalesce(p.process_start, p.ts) AS began, p.process_end, p.process_exit_code, p.user_name, p.user_id, hops.notes AS connections,
  raised.notes AS alerts
FROM processes p
LEFT JOIN (SELECT entity, list(network_transport || ' ' || coalesce(source_ip, '?') || ':' || coalesce(source_port, 0) || ' -> ' ||
    coalesce(destination_ip, '?') || ':' || coalesce(destination_port, 0) || ' (' || connection_state || ')' ORDER BY ts) AS notes
  FROM connections WHERE entity IS NOT NULL GROUP BY entity) hops ON hops.entity = p.entity
LEFT JOIN (SELECT entity, list(rule_severity || ' ' || coalesce(rule_name, rule_id) ORDER BY ts) AS notes
  FROM alerts WHERE entity IS NOT NULL GROUP BY entity) raised ON raised.entity = p.entity
${focus === undefined ? '' : 'WHERE p.entity IN (SELECT entity FROM above UNION SELECT entity FROM below)'}
ORDER BY began, p.entity`;
}

function chosen(focus: string): string {
  const name = quoteText(focus);
  return `WITH RECURSIVE named AS (
  SELECT entity FROM processes WHERE entity = ${name} OR trace_id = ${name} OR process_pid::VARCHAR = ${name}
  UNION SELECT entity FROM traces WHERE trace_id = ${name} AND entity IS NOT NULL),
above(entity) AS (SELECT entity FROM named UNION
  SELECT p.parent_entity FROM above JOIN processes p ON p.entity = above.entity WHERE p.parent_entity IS NOT NULL),
below(entity) AS (SELECT entity FROM named UNION
  SELECT p.entity FROM below JOIN processes p ON p.parent_entity = below.entity)`;
}

/** The rows of an answer to {@link lineageSql}. */
export function readLineage({ rows }: Answer): readonly LineageRow[] {
  return rows.map((cells) => {
    const [entity, parent, parentPid, name, pid, mask, state, start, end, exitCode, userName, userId, hops, alerts] =
      cells;
    return {
      entity: String(entity),
      ...optional('parent', textOf(parent)),
      ...optional('parentPid', numberOf(parentPid)),
      ...optional('name', textOf(name)),
      ...optional('pid', numberOf(pid)),
      ...optional('mask', textOf(mask) ?? (state === 'captured' ? undefined : `(arguments ${String(state)})`)),
      ...optional('start', numberOf(start)),
      ...optional('end', numberOf(end)),
      ...optional('exitCode', numberOf(exitCode)),
      ...optional('user', textOf(userName) ?? textOf(userId)),
      connections: listOf(hops),
      alerts: listOf(alerts),
    };
  });
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}

function textOf(cell: Cell | undefined): string | undefined {
  return typeof cell === 'string' ? cell : undefined;
}

function numberOf(cell: Cell | undefined): number | undefined {
  return typeof cell === 'number' ? cell : undefined;
}

function listOf(cell: Cell | undefined): readonly string[] {
  return typeof cell === 'string' ? (JSON.parse(cell) as string[]) : [];
}
