import { parseBase64 } from '../core/bytes.ts';
import { type Digest, sha256Digest } from '../core/digest.ts';
import { type TracedLine, traceSeed } from '../core/evidence/trace-chain.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/strict-json.ts';
import type { Line } from './line.ts';

/** Whether the line says that it has a place in a trace. */
export function isTraced({ data }: Line): boolean {
  return data['tseq'] !== undefined;
}

/** The trace that the line says it belongs to. */
export function traceIdOf({ data }: Line): string | undefined {
  return textOf(data['trace_id']);
}

/**
 * What the line says of its place in a trace; undefined if it says nothing. A field of the wrong kind reads as one that
 * fits nowhere, so that the trace can't be whole.
 */
export function tracedLineOf(line: Line, leaf: Digest): TracedLine | undefined {
  const traceId = traceIdOf(line);
  if (traceId === undefined || !isTraced(line)) return undefined;
  const { data, type } = line;
  const tcount = countOf(data['tcount']);
  const thead = textOf(data['thead']);
  const seed = type === 'trace.start' ? traceSeed(data, commandOf(data)) : undefined;
  return {
    type,
    leaf,
    link: { trace_id: traceId, tseq: countOf(data['tseq']) ?? -1, tprev: (textOf(data['tprev']) ?? '') as Digest },
    ...(tcount === undefined ? {} : { tcount }),
    ...(thead === undefined ? {} : { thead }),
    ...(seed === undefined ? {} : { seed }),
  };
}

/** Payload digest of the envelope in `document`, where there is one. */
function commandOf(data: JsonObject): Digest | undefined {
  const document = data['document'];
  const payload = isJsonObject(document) ? textOf(document['payload']) : undefined;
  if (payload === undefined) return undefined;
  try {
    return sha256Digest(parseBase64(payload));
  } catch {
    // No envelope anybody signed: as if there were none, and then the first link doesn't fit.
    return undefined;
  }
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function countOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
