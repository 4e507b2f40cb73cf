import { type Envelope, parseEnvelope, payloadDigest } from '../core/dsse.ts';
import { embedEnvelope } from '../core/embedded-envelope.ts';
import { messageOf } from '../core/errors.ts';
import { parseEntity } from '../core/event.ts';
import type { TraceStart } from '../ipc/gen/ipc_pb.ts';
import type { TraceRequest } from './traces.ts';

/** As in schemas/event.schema.json. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const MAX_DEPTH = 64;
const MAX_REASON = 1024;
/** Above any cap of the agent's: what protects the host if the agent is wrong. */
const MOST = { seconds: 86_400n, events: 1_000_000n, bytes: 1024n ** 3n };
/** Its envelope goes into trace.start, which is one line. */
const MAX_DOCUMENT_BYTES = 40_000;
const TRACE_COMMAND = 'application/vnd.daemoneye.trace-command+json';

/**
 * What the agent asks for, in the words of trace.start. Whether somebody may ask for it, the agent has decided.
 * @returns the reason for refusing, if it can't stand in a log
 */
export function parseTraceStart(message: TraceStart): TraceRequest | string {
  const { traceId, entity, depth, cause, reason, ruleId, alertId } = message;
  if (!ID.test(traceId)) return 'the trace_id is not an identifier';
  if (depth > MAX_DEPTH) return `the depth is over ${MAX_DEPTH}`;
  if (cause !== 'command' && cause !== 'rule') return 'the cause is neither a command nor a rule';
  if (reason === '' || reason.length > MAX_REASON) return `the reason must have 1 to ${MAX_REASON} characters`;
  for (const id of [ruleId, alertId]) if (id !== '' && !ID.test(id)) return 'the rule or alert is not an identifier';
  const { maxSeconds: seconds, maxEvents: events, maxBytes: bytes } = message;
  if (seconds < 1n || events < 1n || bytes < 1n) return 'a trace needs a limit of seconds, events and bytes';
  if (seconds > MOST.seconds || events > MOST.events || bytes > MOST.bytes)
    return 'a limit is larger than any trace may have';
  try {
    parseEntity(entity);
    const document = message.document.length === 0 ? undefined : parseDocument(message.document);
    if ((cause === 'command') !== (document !== undefined))
      return 'a command, and only a command, comes with its document';
    const start = {
      trace_id: traceId,
      entity,
      depth,
      capture: { cmdlines: message.cmdlines, network: message.network, files: message.files },
      max: { seconds: Number(seconds), events: Number(events), bytes: Number(bytes) },
      cause,
      reason,
      ...(document === undefined ? {} : { document: embedEnvelope(document) }),
      ...(ruleId === '' ? {} : { rule_id: ruleId }),
      ...(alertId === '' ? {} : { alert_id: alertId }),
    } as const;
    return { start, command: document === undefined ? undefined : payloadDigest(document) };
  } catch (error) {
    return messageOf(error);
  }
}

function parseDocument(bytes: Uint8Array): Envelope {
  if (bytes.length > MAX_DOCUMENT_BYTES) throw new RangeError(`the document is over ${MAX_DOCUMENT_BYTES} bytes`);
  return parseEnvelope(bytes, TRACE_COMMAND);
}
