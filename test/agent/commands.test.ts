import { Readable, Writable } from 'node:stream';
import type { CommandClass } from 'clipanion';
import { describe, expect, it } from 'vitest';
import type { AlertRecord } from '../../src/agent/alerts/record.ts';
import type { CliContext } from '../../src/cli/command.ts';
import { AgentRun } from '../../src/cli/commands/agent/run.ts';
import { AgentStatus } from '../../src/cli/commands/agent/status.ts';
import { AgentStop } from '../../src/cli/commands/agent/stop.ts';
import { AlertsList } from '../../src/cli/commands/alerts/list.ts';
import { AlertsShow } from '../../src/cli/commands/alerts/show.ts';
import { Query } from '../../src/cli/commands/query.ts';
import { Output } from '../../src/cli/output.ts';
import { parseCommand } from '../../src/cli/parse.ts';
import { validateSchema } from '../../src/core/schema.ts';
import { environment, readSchema } from '../support/cli.ts';
import { dataWith, filesHolding, startLineage, WEB_SHELL } from './stage.ts';

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };
type Running = { readonly texts: { stdout: string; stderr: string }; readonly done: Promise<Ran> };

/** Runs a command as the command line does, without needing its row in the registry. */
function begin(
  command: CommandClass<CliContext>,
  args: readonly string[],
  signal = new AbortController().signal,
): Running {
  const texts = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof texts) =>
    new Writable({
      decodeStrings: false,
      write(chunk: string | Buffer, _, done) {
        texts[name] += chunk.toString();
        done();
      },
    });
  const [stdout, stderr] = [stream('stdout'), stream('stderr')];
  const env = environment();
  const output = new Output(stdout, stderr, env, { json: args.includes('--json'), verbose: false, noColour: true });
  const context = {
    env,
    stdin: Readable.from([]),
    stdout,
    stderr,
    colorDepth: 1,
    output,
    signal,
    now: '',
  } as unknown as CliContext;
  const words = [...(command.paths?.[0] ?? []), ...args];
  const work = async (): Promise<Ran> => {
    let code: number;
    try {
      code = await parseCommand(command, words.join(' '), words, context).execute();
    } catch (error) {
      code = output.error(error);
    }
    await output.flush();
    return { code, ...texts };
  };
  return { texts, done: work() };
}

const run = (command: CommandClass<CliContext>, ...args: string[]) => begin(command, args).done;

function documentOf<T>({ stdout, code }: Ran, schema: string): T {
  expect(code).toBe(0);
  return validateSchema<T>(readSchema(schema), JSON.parse(stdout));
}

describe.runIf(process.platform === 'linux')('the commands of the agent', () => {
  it('say so when there is none', async () => {
    const data = await dataWith(WEB_SHELL);
    for (const command of [AgentStatus, AgentStop, AlertsList]) {
      const ran = await run(command, '--data', data);
      expect([ran.code, ran.stdout]).toEqual([1, '']);
      expect(ran.stderr).toContain('[AGENT_NOT_RUNNING]');
    }
    expect((await run(AgentRun, '--data', `${data}/nothing`)).stderr).toContain('[NOT_INITIALISED]');
  });

  it('run it, show what it found, ask it, and end it', async () => {
    const data = await dataWith(WEB_SHELL);
    const at = ['--data', data];
    const agent = begin(AgentRun, [...at, '--json', '--interval', '50']);
    documentOf(await run(AgentStatus, ...at, '--wait', '--json'), 'agent-status');
    expect(agent.texts.stderr).toContain('ready: 1 rule live');
    const status = await run(AgentStatus, ...at);
    expect(status.stdout).toMatch(/^agent +ready, pid \d+/);

    const stopping = new AbortController();
    const following = begin(AlertsList, [...at, '--follow'], stopping.signal);
    startLineage('nginx', 'planted-secret');
    while (!following.texts.stdout.includes('de-linux-0001')) await new Promise((resolve) => setTimeout(resolve, 20));
    stopping.abort();
    expect((await following.done).code).toBe(0);
    expect(following.texts.stdout).toMatch(
      /high +de-linux-0001 {2}Web server spawns a shell · sh \(pid \d+\) · \d+ ms after it started/,
    );

    const { alerts } = documentOf<{ alerts: AlertRecord[] }>(await run(AlertsList, ...at, '--json'), 'alerts-list');
    const [alert] = alerts;
    expect(JSON.parse(agent.texts.stdout.split('\n')[0] ?? '')).toEqual(alert);
    documentOf(await run(AlertsShow, ...at, '--json', alert?.alert_id ?? ''), 'alerts-show');
    const shown = await run(AlertsShow, ...at, alert?.alert_id ?? '');
    expect(shown.stdout).toContain('evaluated  fully');
    expect((await run(AlertsShow, ...at, 'none')).stderr).toContain('[NO_SUCH_ALERT]');

    const sql = `SELECT process_name, process_command_line FROM processes WHERE process_pid = ${alert?.process_pid}`;
    documentOf(await run(Query, ...at, '--json', sql), 'query');
    const asked = await run(Query, ...at, sql);
    expect(asked.stdout).toMatch(/^process_name +process_command_line\nsh +sh -c /);
    expect((await run(Query, ...at, 'SELECT 1; SELECT 2')).stderr).toContain('[SQL_REFUSED]');

    documentOf(await run(AgentStop, ...at, '--json'), 'agent-stop');
    expect((await agent.done).code).toBe(0);
    expect(`${agent.texts.stdout}${shown.stdout}${asked.stdout}`).not.toContain('planted-secret');
    expect(filesHolding(data, 'planted-secret')).toEqual([]);
  });
});
