import { columnsIn } from '../../core/tables.ts';
import { FRAME, linesOf, tableOf } from './columns-sql.ts';

/** What a process is because of its program: after an exec nothing of the program before it holds any more. */
const OF_PROGRAM: ReadonlySet<string> = new Set([
  'process_executable',
  'process_executable_state',
  'process_hash_sha256',
  'process_hash_blake3',
  'process_args_count',
  'argv_mask',
  'argv_state',
  'env_mask',
  'env_state',
  'process_memory_wx_regions',
  'process_memory_anonymous_exec_regions',
  'process_memory_deleted_exec_regions',
]);

/** Events that tell what a process is. */
const TOLD = ['process.start', 'process.exec', 'process.snapshot'];

/**
 * One row a process, the newest that is known of it last. An exec makes it another program. The parent is told as it was
 * when the process was first seen; when the parent was first seen only later, as it was then.
 */
export function processesSql(): readonly string[] {
  const columns = columnsIn(tableOf('processes'), 'case').flatMap(({ name, from }) =>
    'events' in from && from.field !== 'entity' && !from.events.includes('process.exit') ? [name] : [],
  );
  const newest = columns.map((name) => {
    const filter = OF_PROGRAM.has(name) ? ' FILTER (WHERE execs.place IS NULL OR s.place >= execs.place)' : '';
    return `${name === 'creator_entity' ? 'arg_min' : 'arg_max'}(d.${name}, s.place)${filter} AS ${name}`;
  });
  const frame = Object.entries(FRAME).map(([name, value]) => `arg_min(${value}, s.place) AS ${name}`);
  const joined = [...Object.keys(FRAME), ...columns].map((name) => `p.${name}`);
  return [
    // What a process was called at each moment it was told of: what its children saw above them.
    `CREATE TEMP TABLE programs AS SELECT d.entity AS entity, s.place, d.process_name, d.process_executable, d.argv_mask
      FROM ${linesOf(TOLD)} WHERE d.entity IS NOT NULL AND d.process_pid IS NOT NULL`,
    `CREATE TEMP TABLE seen AS
      WITH execs AS (SELECT d.entity AS entity, max(s.place) AS place FROM ${linesOf(['process.exec'])} GROUP BY 1)
      SELECT d.entity AS entity, min(s.place) AS first, ${[...frame, ...newest].join(', ')}
      FROM ${linesOf(TOLD)} LEFT JOIN execs ON execs.entity = d.entity
      WHERE d.entity IS NOT NULL AND d.process_pid IS NOT NULL GROUP BY d.entity`,
    `INSERT INTO processes BY NAME
      WITH ends AS (SELECT d.entity AS entity, arg_max(coalesce(d.process_end, s.ts), s.place) AS process_end,
        arg_max(d.process_exit_code, s.place) AS process_exit_code
        FROM ${linesOf(['process.exit'])} WHERE d.entity IS NOT NULL GROUP BY 1),
      parents AS (SELECT p.entity, coalesce(past.process_name, parent.process_name) AS name,
        coalesce(past.process_executable, parent.process_executable) AS executable,
        coalesce(past.argv_mask, parent.argv_mask) AS mask
        FROM seen p LEFT JOIN seen parent ON parent.entity = p.parent_entity
        ASOF LEFT JOIN programs AS past ON past.entity = p.parent_entity AND p.first >= past.place)
      SELECT p.entity, ${joined.join(', ')}, p.argv_mask AS process_command_line, ends.process_end, ends.process_exit_code,
        parents.name AS process_parent_name, parents.executable AS process_parent_executable,
        parents.mask AS process_parent_command_line
      FROM seen p LEFT JOIN ends ON ends.entity = p.entity JOIN parents ON parents.entity = p.entity ORDER BY p.first`,
  ];
}
