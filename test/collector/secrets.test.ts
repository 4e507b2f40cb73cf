import { describe, expect, it } from 'vitest';
import { protectSecrets } from '../../src/collector/secrets.ts';
import type { ProcessObservation, Secret } from '../../src/collector/source.ts';
import { validateEvent } from '../../src/core/event.ts';

const COMMIT = `sha256:${'0'.repeat(64)}` as const;
const sealer = { seal: () => COMMIT };

function protect(argv: Secret, env?: Secret) {
  const observation: ProcessObservation = {
    type: 'process.start',
    data: { entity: 'h:b:1:1', process_pid: 1, process_name: 'curl', lost: ['user_id'] },
    argv,
    ...(env === undefined ? {} : { env }),
  };
  const { data, ...clear } = protectSecrets(observation, sealer);
  validateEvent('process.start', data);
  return { data, ...clear };
}

const captured = (text: string, more: object = {}): Secret => ({
  state: 'captured',
  bytes: Buffer.from(text),
  ...more,
});

describe('a secret on its way into a line', () => {
  it('leaves a mask, a commitment and a state; the value goes another way', () => {
    const { data, argv, env } = protect(captured('curl\0-u\0anna:pw\0'), captured('A=1\0B=2\0'));
    expect(data).toMatchObject({
      argv_state: 'captured',
      argv_mask: 'curl -u <…>',
      argv_commit: COMMIT,
      process_args_count: 3,
      env_state: 'captured',
      env_mask: 'A B',
      env_commit: COMMIT,
    });
    expect(JSON.stringify(data)).not.toContain('anna');
    expect(argv?.values.map((value) => Buffer.from(value).toString())).toEqual(['curl', '-u', 'anna:pw']);
    expect(env?.values).toHaveLength(2);
  });

  it.each(['lost', 'denied'] as const)('that was %s is said to be, and pretends nothing', (state) => {
    const { data, argv, env } = protect({ state }, { state });
    expect(data).toMatchObject({ argv_state: state, env_state: state });
    for (const field of ['argv_mask', 'argv_commit', 'env_mask', 'env_commit', 'process_args_count']) {
      expect(data).not.toHaveProperty(field);
    }
    expect([argv, env]).toEqual([undefined, undefined]);
  });

  it('that was cut short says so', () => {
    const { data } = protect(captured('curl\0x', { truncated: true }), captured('A=1', { truncated: true }));
    expect(data.lost).toEqual(['user_id', 'argv_tail', 'env_tail']);
  });

  it('of a kernel thread is nothing', () => {
    const { data, argv } = protect(captured(''));
    expect(data).toMatchObject({ argv_state: 'captured', argv_mask: '', process_args_count: 0 });
    expect(argv).toBeUndefined();
  });
});
