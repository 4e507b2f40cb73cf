import { decodeUtf8 } from '../../core/bytes.ts';
import { DaemonEyeError, type Fault, messageOf } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictJsonObject } from '../../core/strict-json.ts';
import { AgentError } from '../errors.ts';

/**
 * What the command line and the agent say to each other over the Unix socket: JSON, one object a line. One request a
 * connection: `{v, method, params}`. Then `{event}` any number of times, and `{result}` or `{error}` last.
 */
export const CONTROL_VERSION = 1;
export const METHODS = ['status', 'stop', 'reload', 'query', 'alerts.list', 'alerts.show', 'alerts.follow'] as const;
export type Method = (typeof METHODS)[number];

export const MAX_REQUEST_BYTES = 256 * 1024;
export const MAX_RESPONSE_BYTES = 32 * 1024 * 1024;

export type Request = { readonly method: Method; readonly params: JsonObject };
export type Reply =
  | { readonly event: unknown }
  | { readonly result: unknown }
  | { readonly error: { readonly code: string; readonly message: string; readonly fault: Fault } };

export function encodeRequest(method: Method, params: JsonObject): string {
  return `${JSON.stringify({ v: CONTROL_VERSION, method, params })}\n`;
}

/** @throws AgentError CONTROL_PROTOCOL */
export function parseRequest(line: Uint8Array): Request {
  const { v, method, params = {} } = parse(line, MAX_REQUEST_BYTES);
  if (v !== CONTROL_VERSION) throw malformed(`the agent speaks version ${CONTROL_VERSION}; use its own command line`);
  const known = METHODS.find((name) => name === method);
  if (known === undefined || !isJsonObject(params)) throw malformed('it is not a request the agent knows');
  return { method: known, params };
}

/** @throws AgentError CONTROL_PROTOCOL */
export function parseReply(line: Uint8Array): Reply {
  const reply = parseAnswer(line);
  if ('event' in reply || 'result' in reply) return reply as Reply;
  const error = reply['error'] as Json | undefined;
  if (!isJsonObject(error)) throw malformed('the agent answered something that is not in its protocol');
  const { code, message, fault } = error;
  const isError = typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/.test(code) && typeof message === 'string';
  if (!isError || !isFault(fault)) throw malformed('the agent answered something that is not in its protocol');
  return { error: { code, message, fault } };
}

/** An error as it goes over the socket: code, message and what kind of trouble it is. */
export function errorReply(thrown: unknown): Reply {
  if (!(thrown instanceof DaemonEyeError)) {
    return { error: { code: 'UNEXPECTED', message: messageOf(thrown), fault: 'failed' } };
  }
  return { error: { code: thrown.code, message: thrown.message, fault: thrown.fault } };
}

/** What the agent refused, as if it had been refused here. */
export class RemoteError extends DaemonEyeError {}

function parse(line: Uint8Array, maxBytes: number): JsonObject {
  try {
    return parseStrictJsonObject(line, { maxBytes });
  } catch (cause) {
    throw new AgentError('CONTROL_PROTOCOL', `not a line of the agent's protocol: ${messageOf(cause)}`, { cause });
  }
}

/** Not strictly: the cells of an answer may be any number. */
function parseAnswer(line: Uint8Array): { readonly [key: string]: unknown } {
  try {
    const value: unknown = JSON.parse(decodeUtf8(line));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Said below.
  }
  throw malformed('the agent answered something that is not in its protocol');
}

const FAULTS: readonly unknown[] = ['failed', 'usage', 'untrusted', 'tampered', 'refused'] satisfies Fault[];

function isFault(value: unknown): value is Fault {
  return FAULTS.includes(value);
}

function malformed(message: string): AgentError {
  return new AgentError('CONTROL_PROTOCOL', message);
}
