import { create } from '@bufbuild/protobuf';
import { type FromCollector, HealthSchema } from '../ipc/gen/ipc_pb.ts';
import type { SourceHealth } from './source.ts';

export type HealthState = 'starting' | 'watching' | 'stopping' | 'failed';

export type HealthReport = {
  readonly state: HealthState;
  readonly events: number;
  readonly shed: number;
  readonly queued: number;
  readonly unacknowledged: number;
  readonly residentBytes: number;
  readonly cpuMicroseconds: number;
  readonly sources: readonly (SourceHealth & { readonly name: string })[];
};

export function healthMessage(report: HealthReport): FromCollector['body'] {
  const value = create(HealthSchema, {
    state: report.state,
    events: BigInt(report.events),
    shed: BigInt(report.shed),
    queued: report.queued,
    unacknowledged: BigInt(report.unacknowledged),
    residentBytes: BigInt(report.residentBytes),
    cpuMicroseconds: BigInt(report.cpuMicroseconds),
    sources: report.sources.map(({ name, state, reason = '', rounds, longestMicroseconds, denied }) => ({
      name,
      state,
      reason,
      rounds: BigInt(rounds),
      longestMicroseconds: BigInt(longestMicroseconds),
      denied,
    })),
  });
  return { case: 'health', value };
}
