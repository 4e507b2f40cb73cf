import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import eventSchema from '../../schemas/event.schema.json' with { type: 'json' };
import ruleSchema from '../../schemas/rule.schema.json' with { type: 'json' };
import contract from '../../schemas/tables.json' with { type: 'json' };
import tablesSchema from '../../schemas/tables.schema.json' with { type: 'json' };
import { validateSchema } from '../../src/core/schema.ts';
import {
  CAPABILITIES,
  type Column,
  columnsIn,
  createTableSql,
  createViewSql,
  findTable,
  type Place,
  relationsIn,
  TABLES,
  tablesIn,
  VIEWS,
  viewsIn,
} from '../../src/core/tables.ts';

type Schema = {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly properties?: { readonly [name: string]: unknown };
};
const definitions = eventSchema.$defs as unknown as { readonly [name: string]: Schema };

/** Fields that the schema of an event allows, those of the groups it is made of included. */
function fieldsOf(schema: Schema | undefined): string[] {
  if (schema === undefined) return [];
  const referred = schema.$ref === undefined ? [] : fieldsOf(definitions[schema.$ref.slice('#/$defs/'.length)]);
  return [...Object.keys(schema.properties ?? {}), ...referred, ...(schema.allOf ?? []).flatMap(fieldsOf)];
}

const PLACES: readonly Place[] = ['agent', 'case'];
const columns = TABLES.flatMap((table) =>
  table.columns.map((column) => [`${table.name}.${column.name}`, table, column] as const),
);

describe('the table contract', () => {
  it('matches its own schema', () => {
    expect(validateSchema(tablesSchema, contract)).toBe(contract);
  });

  it.each(columns)('%s comes from where it says', (_, table, { from }: Column) => {
    if ('events' in from) {
      for (const event of from.events) expect(fieldsOf(definitions[`data.${event}`]), event).toContain(from.field);
    } else if ('frame' in from) {
      expect(Object.keys(eventSchema.properties)).toContain(from.frame);
    } else if ('join' in from) {
      expect(table.columns.map(({ name }) => name)).toContain(from.join);
      expect(findTable(from.table)?.columns.map(({ name }) => name)).toContain(from.column);
    } else {
      expect(from.derived).not.toBe('');
    }
  });

  it('has every name once', () => {
    const names = [...TABLES, ...VIEWS].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const table of TABLES)
      expect(new Set(table.columns.map(({ name }) => name)).size, table.name).toBe(table.columns.length);
  });

  it('has keys that are columns and never NULL', () => {
    for (const table of TABLES) {
      for (const name of table.key)
        expect(table.columns.find((column) => column.name === name)?.nullable, `${table.name}.${name}`).toBe(false);
    }
  });

  it('has columns only where their table is, and no table without any', () => {
    for (const table of TABLES) {
      for (const place of table.in) expect(columnsIn(table, place).length).toBeGreaterThan(0);
      if (table.like === undefined)
        for (const column of table.columns) expect(table.in).toEqual(expect.arrayContaining([...column.in]));
    }
  });

  it('means the same by one name everywhere', () => {
    const types = new Map<string, string>();
    for (const [where, , { name, type, ecs }] of columns) {
      const known = types.get(name) ?? `${type} ${ecs ?? ''}`;
      types.set(name, known);
      expect(`${type} ${ecs ?? ''}`, where).toBe(known);
    }
  });

  it('uses one list of capabilities in events, tables and rules', () => {
    expect(eventSchema.$defs.capability.enum).toEqual(CAPABILITIES);
    expect(ruleSchema.properties.requires.properties.capability.items.enum).toEqual(CAPABILITIES);
    const used = [...TABLES.map(({ capability }) => capability), ...columns.map(([, , { capability }]) => capability)];
    for (const capability of used) if (capability !== undefined) expect(CAPABILITIES).toContain(capability);
  });

  it('shows arguments in clear to the detector only, in every table that has them', () => {
    const clear = columns.filter(([, , column]) => column.clear !== undefined).map(([where]) => where);
    expect(clear.filter((where) => !where.endsWith('_command_line'))).toEqual([]);
    for (const [where, , { name, clear: rule, capability }] of columns) {
      if (name.endsWith('command_line'))
        expect([rule, capability], where).toEqual([{ only: 'detector', elsewhere: 'mask' }, 'arguments']);
    }
  });

  it('has the new rows of a table in the agent only, with its columns', () => {
    for (const name of ['processes', 'connections']) {
      expect(findTable(`new_${name}`)).toMatchObject({ like: name, in: ['agent'], columns: findTable(name)?.columns });
    }
  });

  it('has the tables that the design names', () => {
    const shared = ['processes', 'process_events', 'connections', 'files', 'alerts', 'traces'];
    for (const place of PLACES) expect(tablesIn(place).map(({ name }) => name)).toEqual(expect.arrayContaining(shared));
    expect(tablesIn('case').map(({ name }) => name)).toEqual(
      expect.arrayContaining(['operators', 'custody', 'gaps', 'lines']),
    );
    expect(tablesIn('agent').map(({ name }) => name)).not.toContain('lines');
  });

  it('has views under Sigma names, each of the column that says so', () => {
    for (const view of VIEWS) {
      const table = findTable(view.of);
      for (const { name, column } of view.columns) {
        const target = table?.columns.find((each) => each.name === column);
        expect(target, `${view.name}.${name}`).toBeDefined();
        if (/^[A-Z]/.test(name) && name !== 'Initiated') expect(target?.sigma, `${view.name}.${name}`).toBe(name);
      }
    }
    expect(relationsIn('case').get('process_creation')).toEqual(
      expect.arrayContaining(['Image', 'CommandLine', 'ParentImage', 'ParentCommandLine', 'User']),
    );
  });
});

describe.each(PLACES)('as SQL (%s)', (place) => {
  it('makes tables and views in SQLite with the columns of the contract, in order', () => {
    const database = new DatabaseSync(':memory:');
    for (const table of tablesIn(place)) database.exec(createTableSql(table, 'sqlite', place));
    for (const view of viewsIn(place)) database.exec(createViewSql(view));
    for (const [relation, names] of relationsIn(place)) {
      const found = database
        .prepare(`SELECT * FROM "${relation}"`)
        .columns()
        .map(({ name }) => name);
      expect(found, relation).toEqual(names);
    }
    database.close();
  });

  it('gives DuckDB its own types and no index', () => {
    for (const table of tablesIn(place)) {
      const sql = createTableSql(table, 'duckdb', place);
      expect(sql).not.toMatch(/PRIMARY KEY|STRICT|TEXT\b|INTEGER|CHECK/);
      expect(sql).toMatch(/^CREATE TABLE "\w+" \("\w+" (?:VARCHAR|BIGINT|BOOLEAN)/);
    }
  });
});

it('refuses values of other types in SQLite', () => {
  const database = new DatabaseSync(':memory:');
  const traces = findTable('traces');
  if (traces === undefined) throw new Error('no table traces');
  database.exec(createTableSql(traces, 'sqlite', 'agent'));
  const insert = database.prepare(
    "INSERT INTO traces (trace_id, ts, host_id, host_boot_id, captures_files) VALUES ('t', ?, 'h', 'b', ?)",
  );
  expect(() => insert.run('soon', 1)).toThrow();
  expect(() => insert.run(1, 2)).toThrow();
  expect(insert.run(1, 1).changes).toBe(1);
  database.close();
});
