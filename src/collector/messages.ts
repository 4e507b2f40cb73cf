import { create } from '@bufbuild/protobuf';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { PROTOCOL_VERSION } from '../ipc/format.ts';
import { FailureSchema, type FromCollector, HelloSchema, StoppedSchema } from '../ipc/gen/ipc_pb.ts';
import type { CollectorOptions } from './options.ts';
import type { Capabilities } from './source.ts';

type Body = FromCollector['body'];

/** Where there are no recipients. */
export const NOT_KEPT =
  'the trust root names no recipients for secrets: arguments are committed to, but their values are not kept';

export function helloMessage(
  { name, version, writer, sealer, surroundings }: CollectorOptions,
  { sees, limitations }: Capabilities,
): Body {
  const value = create(HelloSchema, {
    protocol: PROTOCOL_VERSION,
    collector: name,
    version,
    capabilities: [...sees],
    host: writer.genesis.host,
    boot: surroundings.boot,
    logOrigin: writer.genesis.origin,
    logSize: BigInt(writer.size),
    pid: surroundings.pid,
    limitations: [...limitations],
    sealing: sealer.keeps,
  });
  return { case: 'hello', value };
}

export function stoppedMessage(logSize: number): Body {
  return { case: 'stopped', value: create(StoppedSchema, { logSize: BigInt(logSize) }) };
}

/** What keeps the collector from going on or, not fatal, from doing what it was asked. */
export function failureMessage(error: unknown, fatal = true): Body {
  const code = error instanceof DaemonEyeError ? error.code : 'UNKNOWN';
  return { case: 'failure', value: create(FailureSchema, { code, message: messageOf(error), fatal }) };
}
