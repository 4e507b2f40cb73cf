import { columnsIn } from '../../core/tables.ts';
import { FRAME, frameList, linesOf, required, tableOf } from './columns-sql.ts';

/**
 * A connection is known by its socket's cookie; without one by its addresses, where each event that opens begins a new
 * one, unless one of the same socket is open (a trace tells again of what was open before it), and a close belongs to
 * the one before it.
 */
export function connectionsSql(): readonly string[] {
  const table = tableOf('connections');
  const types = ['network.connect', 'network.accept', 'network.listen', 'network.close'];
  const columns = columnsIn(table, 'case').flatMap(({ name, from }) => ('events' in from ? [name] : []));
  const frame = Object.keys(FRAME).map((name) => `arg_min(${name}, place) AS ${name}`);
  const known = columns.map((name) => `arg_max(${name}, place) AS ${name}`);
  const cookie = "concat_ws(' ', s.host, d.network_namespace, 'cookie', d.socket_cookie)";
  const addresses =
    "concat_ws(' ', s.host, d.network_namespace, d.network_transport, d.source_ip, d.source_port, d.destination_ip, d.destination_port)";
  return [
    `CREATE TEMP TABLE sockets AS SELECT *, CASE WHEN cookie IS NOT NULL THEN 0 ELSE
        sum(opens::INTEGER) OVER (PARTITION BY tuple ORDER BY place) END AS turn FROM (
      SELECT *, type <> 'network.close' AND NOT coalesce(lag(type) OVER earlier <> 'network.close' AND
        lag(socket_inode) OVER earlier = socket_inode, false) AS opens FROM (
      SELECT s.place, s.type, ${frameList()}, ${columns.map((name) => `d.${name}`).join(', ')},
        d.socket_cookie AS cookie, CASE WHEN d.socket_cookie IS NULL THEN ${addresses} ELSE ${cookie} END AS tuple
      FROM ${linesOf(types)}) WINDOW earlier AS (PARTITION BY tuple ORDER BY place))`,
    `INSERT INTO connections BY NAME SELECT * FROM (
      WITH c AS (SELECT tuple || CASE WHEN any_value(cookie) IS NULL THEN ' @' || min(ts) || '#' || arg_min(event_sequence, place) ELSE '' END AS connection_id, min(place) AS first,
        ${[...frame, ...known].join(', ')},
        CASE WHEN bool_or(type = 'network.close') THEN 'closed' WHEN bool_or(type = 'network.listen') THEN 'listening' ELSE 'open' END AS connection_state,
        max(ts) FILTER (WHERE type = 'network.close') AS connection_end
        FROM sockets GROUP BY tuple, turn)
      SELECT ${['connection_id', 'connection_state', 'connection_end', ...Object.keys(FRAME), ...columns].map((name) => `c.${name}`).join(', ')},
        p.process_executable, p.argv_mask AS process_command_line
      FROM c LEFT JOIN processes p ON p.entity = c.entity ORDER BY c.first) WHERE ${required(table)}`,
  ];
}
