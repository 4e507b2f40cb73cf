import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AlertRecord } from '../../src/agent/alerts/record.ts';
import { askAgent, stopAgent } from '../../src/agent/control/client-io.ts';
import type { QueryResult } from '../../src/agent/requests.ts';
import { loadHostPublicKey } from '../../src/install/host-io.ts';
import { dataLayout } from '../../src/install/layout.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { makeEnclave, rootOne, rootTwo } from '../support/enclave.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import {
  apply,
  dataWith,
  filesHolding,
  isAlive,
  linesOf,
  linesOfType,
  rule,
  startAgent,
  startLineage,
  startNamed,
  WEB_SHELL,
} from './stage.ts';

const MARKED = rule(
  'marked',
  "SELECT entity, process_pid, process_name, argv_mask FROM new_processes WHERE process_command_line GLOB '*marker-[0-9]*' AND process_name <> 'sh'",
);
/** What a rule could do with what it sees: another column's name for it, pieces, numbers. */
const LEAKING = rule(
  'leaking',
  `SELECT entity, process_name, 0 AS n FROM new_processes WHERE process_name = 'sample-hit'
UNION ALL SELECT process_command_line, process_name, unicode(substr(process_command_line, -1)) FROM new_processes WHERE process_name = 'leaker'
UNION ALL SELECT entity, process_command_line, 0 FROM new_processes WHERE process_name = 'leaker'`,
);
const ENDLESS = rule(
  'endless',
  `SELECT process_name FROM new_processes WHERE process_name = 'sample-hit' OR process_name = 'burner' AND
(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c) > 0`,
);
const BLIND = rule('blind', "SELECT process_name FROM new_processes WHERE process_name = 'sample-hit'").replace(
  '[process, arguments]',
  '[process, process-events]',
);
const GHOSTS = rule(
  'ghosts',
  "SELECT entity, process_name FROM new_processes WHERE process_name IN ('sample-hit', 'ghost') AND coalesce(process_command_line, '') <> 'x'",
);
const FAILING = rule('failing', "SELECT process_name FROM new_processes WHERE process_name = 'never'");

const ask = (data: string, sql: string) => askAgent(data, 'query', { params: { sql } }) as Promise<QueryResult>;

async function expectIntact(data: string): Promise<void> {
  const key = loadHostPublicKey(dataLayout(data));
  for (const log of ['agent', 'procmond']) {
    expect((await verifyLedger(join(data, 'logs', log), { key, anchors: [] })).verdict).toBe('trusted');
  }
}

describe.runIf(process.platform === 'linux')('the agent', () => {
  it('raises an alert for a live lineage, with masks only, and traces it', async () => {
    const secret = `planted${Math.random().toString(36).slice(2)}`;
    const data = await makeEnclave();
    const { generateX25519Identity, identityToRecipient } = await import('age-encryption');
    const reveal = [await identityToRecipient(await generateX25519Identity())];
    const one = rootOne();
    const two = rootTwo(one, (draft) => ({ ...draft, recipients: { reveal } }));
    await apply(data, { files: WEB_SHELL, rootChain: [one, two] });
    const agent = await startAgent(data);
    const { pid } = startLineage('nginx', secret);
    const alert = await agent.alert('de-linux-0001', 'sh');

    expect(alert).toMatchObject({ completeness: 'full', count: 1, state: 'open', rule_severity: 'high' });
    const shell = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0]);
    expect(alert.process_pid).toBe(shell);
    expect(alert.entity?.split(':')[2]).toBe(String(shell));
    expect(alert.fields).toMatchObject({ process_parent_name: 'nginx', process_name: 'sh' });
    expect(alert.fields?.['argv_mask']).toMatch(/^sh -c .*--password=<…>/);
    expect(alert.latency_ms).toBeGreaterThanOrEqual(0);

    // Its evidence is the line of procmond's log that told of the shell.
    const [first] = alert.evidence ?? [];
    const told = (await linesOf(data, 'procmond'))[first?.seq ?? -1];
    expect(told?.data['entity']).toBe(alert.entity);
    expect(told?.type).toBe('process.start');
    const [started] = await linesOfType(data, 'procmond', 'trace.start');
    expect(started?.data).toMatchObject({
      trace_id: alert.started_trace,
      alert_id: alert.alert_id,
      entity: alert.entity,
    });

    // The file sink and the agent's own log have it too, and nobody has the secret.
    const file = readFileSync(join(data, 'alerts.ndjson'), 'utf8').trim().split('\n');
    expect(file.map((line) => (JSON.parse(line) as AlertRecord).alert_id)).toEqual([alert.alert_id]);
    expect((await linesOfType(data, 'agent', 'alert.raised')).map(({ seq }) => seq)).toEqual([alert.event_sequence]);
    expect(filesHolding(data, secret)).toEqual([]);
    const place = readdirSync('/dev/shm').find((name) => filesHolding(join('/dev/shm', name), secret).length > 0);
    expect(place).toMatch(/^daemoneye-/);
    expect(statSync(join('/dev/shm', place ?? '')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(data, 'sealed', 'procmond')).length).toBeGreaterThan(0);

    await agent.stop();
    expect(agent.said.at(-1)).toEqual({ ended: true });
    expect(readdirSync('/dev/shm')).not.toContain(place);
    const [stopped] = await linesOfType(data, 'procmond', 'trace.stop');
    expect(stopped?.data).toMatchObject({ trace_id: alert.started_trace, cause: 'shutdown' });
    expect(filesHolding(data, secret)).toEqual([]);
    await expectIntact(data);
  });

  it('shows nothing of what rules see in clear, whatever a rule does with it', async () => {
    const secret = `marker-${Math.trunc(Math.random() * 1e15)}`;
    const data = await dataWith({ 'leaking.yaml': LEAKING, 'marked.yaml': MARKED });
    const agent = await startAgent(data);
    const { pid } = startNamed('leaker', [secret]);
    // That this rule hits is the proof that the detector sees what nobody else does.
    const marked = await agent.alert('marked', 'leaker');
    expect(marked.process_pid).toBe(pid);
    const leaking = await agent.alert('leaking');
    await agent.until(async () => ((await agent.status()).alerts.raised >= 3 ? true : undefined));
    expect(JSON.stringify([leaking, ...agent.said])).not.toContain(secret);
    expect(leaking.fields).not.toHaveProperty('n');

    const sql = "SELECT process_command_line, argv_mask FROM processes WHERE process_name = 'leaker'";
    const { rows } = await ask(data, sql);
    expect(rows).toEqual([[marked.fields?.['argv_mask'], marked.fields?.['argv_mask']]]);
    await agent.stop();
    expect(filesHolding(data, secret)).toEqual([]);
  });

  it('refuses questions that ask for more, ends those that never end, and answers the next', async () => {
    const data = await dataWith(WEB_SHELL);
    await startAgent(data);
    for (const sql of [
      "ATTACH '/etc/passwd' AS x",
      'SELECT * FROM alert_records',
      'SELECT record FROM main.alert_records',
      'DELETE FROM processes',
      'SELECT sql FROM sqlite_schema',
      "VACUUM INTO '/tmp/stolen'",
    ]) {
      await expectCodeAsync(ask(data, sql), 'SQL_REFUSED');
    }
    await expectCodeAsync(ask(data, "SELECT readfile('/etc/passwd')"), 'SQL_ERROR');
    const endless = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c';
    await expectCodeAsync(ask(data, endless), 'DEADLINE');
    const { rows } = await ask(data, `SELECT process_name FROM processes WHERE process_pid = ${process.pid}`);
    expect(rows).toHaveLength(1);
    const asked = await linesOfType(data, 'agent', 'operator.action');
    expect(asked.map((line) => line.data['subject'])).toContain(endless);
  });

  it('killed, leaves nothing running, and loses nothing when it comes back', async () => {
    const data = await dataWith(WEB_SHELL);
    const agent = await startAgent(data);
    startLineage('nginx', 'x');
    const alert = await agent.alert('de-linux-0001', 'sh');
    const { collector } = await agent.status();
    await agent.kill();
    while (isAlive(collector.pid ?? 0)) await new Promise(setImmediate);
    const before = await linesOf(data, 'procmond');

    const again = await startAgent(data);
    const { alerts } = (await askAgent(data, 'alerts.list')) as { alerts: AlertRecord[] };
    expect(alerts.map(({ alert_id }) => alert_id)).toEqual([alert.alert_id]);
    expect(again.said.filter((said) => said.alert !== undefined)).toEqual([]);
    expect((await linesOf(data, 'procmond')).slice(0, before.length)).toEqual(before);
    // Every line that was written while nobody listened is in the store: the starts of all processes.
    const started = before.filter(({ type }) => type === 'process.start').map(({ data }) => data['entity']);
    const { rows } = await ask(data, "SELECT entity FROM process_events WHERE event_action = 'start'");
    expect(started.filter((entity) => !rows.flat().includes(String(entity)))).toEqual([]);
    const gaps = await linesOfType(data, 'agent', 'collector.gap');
    expect(gaps.map((line) => line.data)).toMatchObject([{ collector_name: 'agent', cause: 'stopped' }]);
    await again.stop();
    await expectIntact(data);
  });

  it('starts procmond again when it dies, and says so', async () => {
    const data = await dataWith({ 'marked.yaml': MARKED });
    const agent = await startAgent(data);
    const { collector } = await agent.status();
    process.kill(collector.pid ?? 0, 'SIGKILL');
    await agent.until(async () => {
      const { collector: now } = await agent.status();
      return now.starts === 2 && now.state === 'watching' ? true : undefined;
    });
    startNamed('newcomer', ['marker-7']);
    expect(await agent.alert('marked', 'newcomer')).toMatchObject({ completeness: 'full' });
    const gaps = await linesOfType(data, 'agent', 'collector.gap');
    expect(gaps).toMatchObject([{ data: { collector_name: 'procmond', cause: 'stopped' } }]);
    expect(gaps[0]?.data['reason']).toContain('SIGKILL');
    await agent.stop();
    await expectIntact(data);
  });

  it('puts a rule aside that never ends, and the others go on', async () => {
    const data = await dataWith({
      'a-endless.yaml': ENDLESS,
      'marked.yaml': MARKED,
      'blind.yaml': BLIND,
      'failing.yaml': FAILING,
    });
    const agent = await startAgent(data);
    startNamed('burner', ['marker-1']);
    expect(await agent.alert('marked', 'burner')).toMatchObject({ completeness: 'full' });
    const { rules } = await agent.status();
    expect(Object.fromEntries(rules.map(({ id, state }) => [id, state]))).toEqual({
      endless: 'quarantined',
      marked: 'active',
      blind: 'degraded',
      failing: 'rejected',
    });
    expect(rules.find(({ id }) => id === 'blind')?.missing).toEqual(['process-events']);
    const aside = await agent.until(async () => {
      const lines = await linesOfType(data, 'agent', 'alert.rule-quarantined');
      return lines.length === 2 ? lines : undefined;
    });
    expect(aside.map((line) => [line.data['rule_id'], line.data['code']])).toEqual([
      ['failing', 'RULE_TEST'],
      ['endless', 'DEADLINE'],
    ]);
    const degraded = await linesOfType(data, 'agent', 'alert.rule-degraded');
    expect(degraded.map((line) => line.data)).toMatchObject([{ rule_id: 'blind', missing: ['process-events'] }]);
  });

  it('takes the rules of the next bundle as it is applied, and none that were changed since', async () => {
    const data = await dataWith(WEB_SHELL);
    const agent = await startAgent(data);
    startNamed('early', ['marker-2']);
    const before = await agent.status();
    const [web] = before.rules;
    await apply(data, { seq: 2, prev: web?.payload ?? null, files: { ...WEB_SHELL, 'marked.yaml': MARKED } });
    // It sees what was there before it came.
    expect(await agent.alert('marked', 'early')).toMatchObject({ rule_version: 1 });
    const { rules } = await agent.status();
    expect(rules.map(({ id, seq, state }) => [id, seq, state])).toEqual([
      ['marked', 2, 'active'],
      ['de-linux-0001', 2, 'active'],
    ]);

    const file = join(data, 'bundles', 'rules~test', '2', 'files', 'marked.yaml');
    renameSync(file, `${file}.away`);
    const { rules_trouble: trouble, rules: kept } = (await askAgent(data, 'reload')) as typeof before;
    expect(trouble).toContain('marked.yaml');
    expect(kept).toHaveLength(2);
    expect(await linesOfType(data, 'agent', 'bundle.refused')).toMatchObject([{ data: { code: 'STATE_TAMPERED' } }]);
  });

  it('answers on a socket for this user alone, however long its path; one agent a data directory', async () => {
    const short = await dataWith(WEB_SHELL);
    const data = join(short, '..', 'long'.repeat(20), 'data');
    mkdirSync(join(data, '..'));
    renameSync(short, data);
    await expectCodeAsync(askAgent(data, 'status'), 'AGENT_NOT_RUNNING');
    const agent = await startAgent(data);
    expect((await agent.status()).state).toBe('ready');
    const socket = statSync(join(data, 'agent.sock'));
    expect([socket.isSocket(), socket.mode & 0o777]).toEqual([true, 0o600]);

    const second = await startAgent(data, { ready: false });
    await expect(second.until(() => undefined)).rejects.toThrow('AGENT_RUNNING');
    expect((await agent.status()).state).toBe('ready');
    await expectCodeAsync(askAgent(data, 'alerts.show', { params: { id: 'none' } }), 'NO_SUCH_ALERT');
    await stopAgent(data);
    await expectCodeAsync(askAgent(data, 'status'), 'AGENT_NOT_RUNNING');
    await agent.stop();
    expect(agent.said.at(-1)).toEqual({ ended: true });
  });

  it('makes its store again from the logs, and shows rules what they missed, without arguments', async () => {
    const data = await dataWith(WEB_SHELL);
    const agent = await startAgent(data);
    const ghost = startNamed('ghost', ['marker-3']);
    const told = (action: string) =>
      agent.until(async () => {
        const where = `process_name = 'ghost' AND event_action = '${action}'`;
        return (await ask(data, `SELECT entity FROM process_events WHERE ${where}`)).rows[0];
      });
    await told('start');
    process.kill(ghost.pid, 'SIGKILL');
    const [entity] = await told('exit');
    const { rules } = await agent.status();
    await agent.stop();
    for (const end of ['', '-wal', '-shm']) rmSync(join(data, `events.db${end}`), { force: true });
    await apply(data, { seq: 2, prev: rules[0]?.payload ?? null, files: { 'ghosts.yaml': GHOSTS } });

    const again = await startAgent(data);
    expect(await again.alert('ghosts')).toMatchObject({
      entity,
      completeness: 'partial',
      missing: ['the arguments of this process'],
    });
    const { rows } = await ask(data, `SELECT process_name FROM processes WHERE entity = '${entity}'`);
    expect(rows).toEqual([['ghost']]);
  });

  it('does not listen to a procmond whose log was rolled back', async () => {
    const data = await dataWith(WEB_SHELL);
    const first = await startAgent(data);
    await first.stop();
    const log = join(data, 'logs', 'procmond');
    cpSync(log, `${log}.older`, { recursive: true });
    const second = await startAgent(data);
    await second.stop();
    rmSync(log, { recursive: true });
    renameSync(`${log}.older`, log);
    const third = await startAgent(data, { ready: false });
    const { note } = await third.until(() => third.said.find((said) => said.note !== undefined));
    expect(note).toContain('cut back');
    expect((await third.status()).collector.trouble).toContain('cut back');
    await third.stop();
  });
});
