import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { procmondArguments } from '../../src/ipc/procmond-launch.ts';
import { place } from './procmond-support.ts';

const PROBE = join(import.meta.dirname, 'probe.ts');

function probe() {
  const where = place();
  const { data: _, ...paths } = where;
  const options = { ...paths, recipients: [], intervalMs: 20, socketsMs: 0, environment: false, logBytes: 10_000_000 };
  const ran = spawnSync(process.execPath, procmondArguments(options, PROBE), { cwd: '/', env: {}, encoding: 'utf8' });
  return { where, ...ran };
}

/** Granted, so that the rest means something: the fence is there, and not the whole world shut. */
const DONE = ['write log', 'write sealed'];

describe.skipIf(process.platform !== 'linux')('from inside its fences, procmond', () => {
  it('opens no socket, starts nothing, and writes nowhere but in its log and its sealed values', () => {
    const { where, status, stderr } = probe();
    const [first = '', ...rest] = stderr.split('\n');
    const answers = JSON.parse(first) as Record<string, string>;
    expect(Object.keys(answers).filter((name) => answers[name] === 'done')).toEqual(DONE);
    expect(answers['outside']).toBe('absent');
    expect(existsSync(join(where.data, 'outside'))).toBe(false);
    const sockets = [
      'connect tcp',
      'connect unix',
      'listen tcp',
      'listen unix',
      'udp',
      'udp send',
      'dns',
      'dns resolve',
      'http',
      'fetch',
    ];
    expect(sockets.map((name) => [name, answers[name]])).toEqual(sockets.map((name) => [name, 'ERR_ACCESS_DENIED']));
    expect(
      Object.entries(answers)
        .filter(
          ([name, code]) => /^write|mkdir|re(?:name|move)|chmod|truncate/.test(name) && code !== 'ERR_ACCESS_DENIED',
        )
        .map(([name]) => name),
    ).toEqual(DONE);
    expect(['sqlite import', 'sqlite require', 'sqlite builtin'].map((name) => answers[name])).toEqual([
      'procmond has given up node:sqlite',
      'procmond has given up node:sqlite',
      'given up',
    ]);
    // Its last attempt: flags of V8 that write files. The runtime ends whoever tries.
    expect(rest.join('\n')).not.toContain('flags were set');
    expect(status).not.toBe(0);
  });
});
