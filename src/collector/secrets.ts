import type { EventData } from '../core/event-data.ts';
import { splitValues } from '../seal/commitment.ts';
import { maskArguments, maskEnvironment } from '../seal/mask.ts';
import type { Sealer } from '../seal/writer-io.ts';
import type { ProcessEventType, ProcessObservation, Secret } from './source.ts';

/** Values in clear, on their way to the volatile store. */
export type ClearSecret = { readonly values: readonly Uint8Array[]; readonly commit: string };

export type Protected = {
  readonly data: EventData[ProcessEventType];
  readonly argv?: ClearSecret;
  readonly env?: ClearSecret;
};

/**
 * The one way from a secret that was read to a line of the log: a mask, a commitment and a state go into the line, the
 * value goes to the sealer and, in clear, to the agent's volatile store.
 */
export function protectSecrets({ data, argv, env }: ProcessObservation, sealer: Pick<Sealer, 'seal'>): Protected {
  const known = namesOf(data);
  const maskedArgv = protectArguments(argv, known, sealer);
  const maskedEnv = env === undefined ? undefined : protectEnvironment(env, sealer);
  const lost = [
    ...(data.lost ?? []),
    ...(argv.state === 'captured' && argv.truncated === true ? ['argv_tail'] : []),
    ...(env?.state === 'captured' && env.truncated === true ? ['env_tail'] : []),
  ];
  return {
    data: { ...data, ...(lost.length > 0 ? { lost } : {}), ...maskedArgv.fields, ...maskedEnv?.fields },
    ...(maskedArgv.clear === undefined ? {} : { argv: maskedArgv.clear }),
    ...(maskedEnv?.clear === undefined ? {} : { env: maskedEnv.clear }),
  };
}

/** Under these names the line shows the program anyway. */
function namesOf({ process_name, process_executable }: ProcessObservation['data']): string[] {
  const base = process_executable?.slice(process_executable.lastIndexOf('/') + 1);
  return [process_name, base].filter((name) => name !== undefined);
}

function protectArguments(argv: Secret, known: readonly string[], sealer: Pick<Sealer, 'seal'>) {
  if (argv.state !== 'captured') return { fields: { argv_state: argv.state } };
  const values = splitValues(argv.bytes);
  // A kernel thread: nothing to hide.
  if (values.length === 0) return { fields: { argv_state: argv.state, argv_mask: '', process_args_count: 0 } };
  const commit = sealer.seal('argv', argv.bytes);
  const argv_mask = maskArguments(values, known);
  const fields = { argv_state: argv.state, argv_mask, argv_commit: commit, process_args_count: values.length };
  return { fields, clear: { values, commit } };
}

function protectEnvironment(env: Secret, sealer: Pick<Sealer, 'seal'>) {
  if (env.state !== 'captured') return { fields: { env_state: env.state } };
  const values = splitValues(env.bytes);
  const commit = sealer.seal('env', env.bytes);
  const fields = { env_state: env.state, env_mask: maskEnvironment(values), env_commit: commit };
  return { fields, clear: { values, commit } };
}
