import eventSchema from '../../schemas/event.schema.json' with { type: 'json' };
import { CoreError } from './errors.ts';
import type { Entity, EventData, EventType, U64 } from './event-data.ts';
import { validateSchema } from './schema.ts';

const definitions: { readonly [name: string]: object } = eventSchema.$defs;

/** Every event type, in the order of the schema. */
export const EVENT_TYPES: readonly EventType[] = eventSchema.properties.type.enum as EventType[];

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(definitions, `data.${type}`);
}

type DataSchema = { readonly $schema: string; readonly $id: string; readonly $ref: string; readonly $defs: object };

/** Made when first met: a collector that only sees processes compiles only their schemas. */
const schemas = new Map<EventType, DataSchema>();

/**
 * Checks `data` against what the contract says of `type`.
 * @returns the same data, typed
 * @throws CoreError SCHEMA_MISMATCH for an unknown type, or naming the first offending place
 */
export function validateEvent<T extends EventType>(type: T, data: unknown): EventData[T];
export function validateEvent(type: string, data: unknown): EventData[EventType];
export function validateEvent(type: string, data: unknown): EventData[EventType] {
  if (!isEventType(type)) {
    throw new CoreError('SCHEMA_MISMATCH', `${JSON.stringify(type)} is not a type of event`);
  }
  return validateSchema<EventData[EventType]>(eventDataSchema(type), data);
}

/** What the contract says of the data of one type, with all it refers to, as a schema of its own; always the same object. */
export function eventDataSchema(type: EventType): DataSchema {
  const known = schemas.get(type);
  if (known !== undefined) return known;
  const schema = standalone(type);
  schemas.set(type, schema);
  return schema;
}

function standalone(type: EventType): DataSchema {
  const name = `data.${type}`;
  const $defs: { [name: string]: object } = {};
  const pending = [name];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const definition = definitions[next];
    if (definition === undefined || Object.hasOwn($defs, next)) continue;
    $defs[next] = definition;
    for (const [, referred] of JSON.stringify(definition).matchAll(/"#\/\$defs\/([^"]+)"/g))
      pending.push(referred ?? '');
  }
  return { $schema: eventSchema.$schema, $id: `${eventSchema.$id}:${type}`, $ref: `#/$defs/${name}`, $defs };
}

export type EntityParts = {
  readonly host: string;
  readonly boot: string;
  readonly pid: number;
  /** The platform's own start time of the process, as a decimal; on Linux field 22 of /proc/PID/stat, in ticks. */
  readonly start: U64;
};

const ENTITY = /^([A-Za-z0-9][A-Za-z0-9._-]{0,127}):([A-Za-z0-9._-]{1,64}):(0|[1-9][0-9]{0,9}):(0|[1-9][0-9]{0,19})$/;

/**
 * The identity of a process, `host:boot:pid:start`: the same whichever source saw it, and readable, because an orphan
 * event may be all that is left of one. The pid alone is none: pids are reused.
 * @throws CoreError SCHEMA_MISMATCH if a part can't stand in one
 */
export function formatEntity({ host, boot, pid, start }: EntityParts): Entity {
  const entity = `${host}:${boot}:${pid}:${start}`;
  parseEntity(entity);
  return entity;
}

/** @throws CoreError SCHEMA_MISMATCH */
export function parseEntity(entity: Entity): EntityParts {
  const [, host, boot, pid, start] = ENTITY.exec(entity) ?? [];
  if (host === undefined || boot === undefined || pid === undefined || start === undefined) {
    throw new CoreError('SCHEMA_MISMATCH', `not a process identity host:boot:pid:start: ${JSON.stringify(entity)}`);
  }
  return { host, boot, pid: Number(pid), start };
}
