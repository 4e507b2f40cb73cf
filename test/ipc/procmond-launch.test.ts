import { describe, expect, it } from 'vitest';
import { parseProcmondArguments, procmondArguments, procmondPaths } from '../../src/ipc/procmond-launch.ts';
import { spawnCollector } from '../../src/ipc/spawn-io.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';

const OPTIONS = {
  ...procmondPaths('/data'),
  recipients: ['age1abc', 'age1def'],
  intervalMs: 100,
  socketsMs: 0,
  environment: true,
  logBytes: 1_000_000,
};

describe('how procmond is started', () => {
  it('tells it what it is to know', () => {
    const args = procmondArguments(OPTIONS, '/main.ts');
    expect(parseProcmondArguments(args.slice(args.indexOf('/main.ts') + 1))).toEqual(OPTIONS);
  });

  it('grants writing in its log and its sealed values, and nothing else', () => {
    const args = procmondArguments(OPTIONS, '/main.ts');
    expect(args.slice(0, args.indexOf('/main.ts')).filter((flag) => flag.startsWith('--allow'))).toEqual([
      '--allow-fs-read=*',
      '--allow-fs-write=/data/logs/procmond',
      '--allow-fs-write=/data/sealed/procmond',
    ]);
    expect(args).toContain('--permission');
  });

  it('lets it make no code from strings, unless it runs from its sources, where schemas are compiled', () => {
    const flag = '--disallow-code-generation-from-strings';
    expect(procmondArguments(OPTIONS, '/main.js')).toContain(flag);
    expect(procmondArguments(OPTIONS, '/main.ts')).not.toContain(flag);
  });

  it.each(['data', '/da*ta', '/data/*', ''])('refuses the directory %j, which would grant more', (data) => {
    expectCode(() => procmondArguments({ ...OPTIONS, log: data }), 'LAUNCH_OPTIONS');
    expectCode(() => procmondArguments({ ...OPTIONS, sealed: data }), 'LAUNCH_OPTIONS');
  });

  it.each([
    ['nothing', []],
    ['an unknown option', ['--log=/a', '--sealed=/b', '--key=/c', '--listen=1']],
    ['a quota that is no number', ['--log=/a', '--sealed=/b', '--key=/c', '--quota=much']],
    ['an interval of nothing', ['--log=/a', '--sealed=/b', '--key=/c', '--interval=0']],
    ['an interval that is no number', ['--log=/a', '--sealed=/b', '--key=/c', '--interval=soon']],
    ['a log that is a pattern', ['--log=/*', '--sealed=/b', '--key=/c']],
  ])('refuses %s', (_, args) => {
    expectCode(() => parseProcmondArguments(args), 'LAUNCH_OPTIONS');
  });

  it('says so when there is nothing to start', async () => {
    await expectCodeAsync(spawnCollector('/no/such/program', []), 'SPAWN_FAILED');
  });
});
