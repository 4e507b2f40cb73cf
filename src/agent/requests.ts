import { utf8 } from '../core/bytes.ts';
import { sha256Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/strict-json.ts';
import type { Answer } from '../sandbox/protocol.ts';
import type { Sandbox } from '../sandbox/sandbox-io.ts';
import type { AgentLog } from './agent-log-io.ts';
import type { AlertRecord } from './alerts/record.ts';
import type { Method } from './control/protocol.ts';
import { AgentError } from './errors.ts';
import type { AgentStatus } from './status.ts';
import type { EventStore } from './store/event-store-io.ts';

/** What a request may have done; requests come from whoever may open the socket: this user. */
export type RequestContext = {
  readonly store: EventStore;
  readonly log: AgentLog;
  /** Over events.db, read-only: masks only. */
  readonly questions: Sandbox;
  readonly status: () => AgentStatus;
  /** Asks the agent to end. */
  readonly stop: () => void;
  /** Looks for another active bundle now. */
  readonly reload: () => Promise<void>;
  /** Calls back for each new alert until `gone`. */
  readonly follow: (tell: (alert: AlertRecord) => void, gone: AbortSignal) => Promise<void>;
};

export type QueryResult = Pick<Answer, 'columns' | 'rows'>;

const MAX_ALERTS = 10_000;
const MAX_SUBJECT = 1024;

/** Answers one request. @throws DaemonEyeError, which goes back to whoever asked */
export async function answerRequest(
  context: RequestContext,
  method: Method,
  params: JsonObject,
  tell: (event: unknown) => void,
  gone: AbortSignal,
): Promise<unknown> {
  switch (method) {
    case 'status':
      return context.status();
    case 'stop':
      await context.log.append('operator.action', { action: 'agent.stop' });
      context.stop();
      // The answer is that the socket closes.
      return new Promise(() => undefined);
    case 'reload':
      await context.reload();
      return context.status();
    case 'query':
      return query(context, textParam(params, 'sql'), gone);
    case 'alerts.list':
      return { alerts: context.store.alerts(limitParam(params)) };
    case 'alerts.show':
      return { alert: showAlert(context, textParam(params, 'id')) };
    case 'alerts.follow':
      await context.follow(tell, gone);
      return {};
  }
}

/** Logged before it is asked: a question is an action of a person. */
async function query({ log, questions }: RequestContext, sql: string, gone: AbortSignal): Promise<QueryResult> {
  await log.append('operator.action', {
    action: 'query',
    subject: sql.slice(0, MAX_SUBJECT).toWellFormed(),
    digest: sha256Digest(utf8(sql)),
  });
  const { columns, rows } = await questions.ask({ sql }, { signal: gone });
  return { columns, rows };
}

function showAlert({ store }: RequestContext, id: string): AlertRecord & { readonly trace_lines?: number } {
  const alert = store.alert(id);
  if (alert === undefined) {
    throw new AgentError('NO_SUCH_ALERT', 'the agent has no alert of that id; see daemoneye alerts list');
  }
  const { started_trace: trace } = alert;
  return trace === undefined ? alert : { ...alert, trace_lines: store.traceLines(trace).length };
}

function textParam(params: JsonObject, name: string): string {
  const value = params[name];
  if (typeof value === 'string') return value;
  throw new AgentError('CONTROL_PROTOCOL', `the request needs ${name}`);
}

function limitParam({ limit = 100 }: JsonObject): number {
  if (typeof limit === 'number' && limit >= 1 && limit <= MAX_ALERTS) return limit;
  throw new AgentError('CONTROL_PROTOCOL', `limit is 1 to ${MAX_ALERTS}`);
}
