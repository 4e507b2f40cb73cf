import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import type { AlertRecord } from '../../src/agent/alerts/record.ts';
import { askAgent } from '../../src/agent/control/client-io.ts';
import { MAX_OVERRUNS } from '../../src/agent/format.ts';
import type { QueryResult } from '../../src/agent/requests.ts';
import { makeEnclave, rootOne, rootTwo, rootWithoutB } from '../support/enclave.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import {
  apply,
  childOf,
  dataWith,
  ended,
  expectIntact,
  filesHolding,
  linesOf,
  linesOfType,
  rule,
  SERVER,
  sharedAgent,
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
).replace('budget_ms: 100', 'budget_ms: 20');
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

function fileAlerts(data: string): AlertRecord[] {
  const lines = readFileSync(join(data, 'alerts.ndjson'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as AlertRecord);
}

const CLEAR_RULES = {
  ...WEB_SHELL,
  'a-endless.yaml': ENDLESS,
  'marked.yaml': MARKED,
  'leaking.yaml': LEAKING,
  'blind.yaml': BLIND,
  'failing.yaml': FAILING,
};

describe.runIf(process.platform === 'linux')('an agent at work', () => {
  let rootChain: Uint8Array[] = [];
  const shared = sharedAgent(async (parent) => {
    // Longer than the address of a socket may be.
    const folder = join(parent, 'long'.repeat(20));
    mkdirSync(folder);
    const data = await makeEnclave(folder);
    const reveal = [await identityToRecipient(await generateX25519Identity())];
    const one = rootOne();
    rootChain = [one, rootTwo(one, (draft) => ({ ...draft, recipients: { reveal } }))];
    await apply(data, { files: CLEAR_RULES, rootChain });
    await expectCodeAsync(askAgent(data, 'status'), 'AGENT_NOT_RUNNING');
    return data;
  });

  it('raises an alert for a live lineage, with masks only, and traces it', async () => {
    const { data, agent } = await shared();
    const secret = `planted${Math.random().toString(36).slice(2)}`;
    const lineage = startLineage(SERVER, secret);
    const shell = await lineage.shell();
    const alert = await agent.alert('de-linux-0001', shell);

    expect(alert).toMatchObject({ completeness: 'full', count: 1, state: 'open', rule_severity: 'high' });
    expect(alert.entity?.split(':')[2]).toBe(String(shell));
    expect(alert.fields).toMatchObject({ process_parent_name: SERVER, process_name: 'sh' });
    expect(alert.fields?.['argv_mask']).toMatch(/^sh -c .*--password=<…>/);
    expect(alert.latency_ms).toBeGreaterThanOrEqual(0);

    // Its evidence is the line of procmond's log that told of the shell.
    const [first] = alert.evidence ?? [];
    const told = await agent.until(async () => (await linesOf(data, 'procmond'))[first?.seq ?? -1]);
    expect(told.data['entity']).toBe(alert.entity);
    expect(['process.start', 'process.exec']).toContain(told.type);
    const started = await agent.until(async () =>
      (await linesOfType(data, 'procmond', 'trace.start')).find(({ data: { entity } }) => entity === alert.entity),
    );
    expect(started.data).toMatchObject({ trace_id: alert.started_trace, alert_id: alert.alert_id });

    // The file sink and the agent's own log have it too, and nobody has the secret.
    const delivered = await agent.until(() => fileAlerts(data).find(({ alert_id: id }) => id === alert.alert_id));
    expect(delivered).toEqual(alert);
    const raised = await agent.until(async () =>
      (await linesOfType(data, 'agent', 'alert.raised')).find(({ seq }) => seq === alert.event_sequence),
    );
    expect(raised.data['alert_id']).toBe(alert.alert_id);
    expect(filesHolding(data, secret)).toEqual([]);
    const place = readdirSync('/dev/shm').find((name) => filesHolding(join('/dev/shm', name), secret).length > 0);
    expect(place).toMatch(/^daemoneye-/);
    expect(statSync(join('/dev/shm', place ?? '')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(data, 'sealed', 'procmond')).length).toBeGreaterThan(0);
  });

  it('misses none of many lineages at once', async () => {
    const { agent } = await shared();
    const shells = await Promise.all(Array.from({ length: 16 }, () => startLineage(SERVER, 'x').shell()));
    const alerts = await Promise.all(shells.map((shell) => agent.alert('de-linux-0001', shell)));
    expect(alerts.map(({ process_pid: pid }) => pid)).toEqual(shells);
    expect(agent.said.filter(({ alert }) => shells.includes(alert?.process_pid ?? 0))).toHaveLength(shells.length);
  });

  it('puts no rule aside because the machine did not let it run', async () => {
    const { agent } = await shared();
    const detector = childOf(agent.child.pid, 'detector.db');
    for (let times = 0; times < MAX_OVERRUNS; times += 1) {
      process.kill(detector, 'SIGSTOP');
      const lineage = startLineage(SERVER, 'x');
      // Far over its budget; how far doesn't matter.
      await sleep(200);
      process.kill(detector, 'SIGCONT');
      await agent.alert('de-linux-0001', await lineage.shell());
    }
    const { rules } = await agent.status();
    expect(rules.find(({ id }) => id === 'de-linux-0001')?.state).toBe('active');
  });

  it('shows nothing of what rules see in clear, whatever a rule does with it', async () => {
    const { data, agent } = await shared();
    const secret = `marker-${Math.trunc(Math.random() * 1e15)}`;
    const { pid } = startNamed('leaker', [secret]);
    // That this rule hits is the proof that the detector sees what nobody else does.
    const marked = await agent.alert('marked', 'leaker');
    expect(marked.process_pid).toBe(pid);
    const leaking = await agent.until(() => {
      const all = agent.said.flatMap(({ alert }) => (alert?.rule_id === 'leaking' ? [alert] : []));
      return all.length === 2 ? all : undefined;
    });
    expect(JSON.stringify([leaking, ...agent.said])).not.toContain(secret);
    for (const { fields } of leaking) expect(fields).not.toHaveProperty('n');

    const sql = "SELECT process_command_line, argv_mask FROM processes WHERE process_name = 'leaker'";
    const { rows } = await ask(data, sql);
    expect(rows).toEqual([[marked.fields?.['argv_mask'], marked.fields?.['argv_mask']]]);
    expect(filesHolding(data, secret)).toEqual([]);
  });

  it('refuses questions that ask for more, ends those that never end, and answers the next', async () => {
    const { data, agent } = await shared();
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
    await agent.until(async () =>
      (await linesOfType(data, 'agent', 'operator.action')).find((line) => line.data['subject'] === endless),
    );
  });

  it('starts procmond again when it dies, and says so', async () => {
    const { data, agent } = await shared();
    const { collector } = await agent.status();
    process.kill(childOf(agent.child.pid, 'procmond-main'), 'SIGKILL');
    await agent.until(async () => {
      const { collector: now } = await agent.status();
      return now.starts > collector.starts && now.state === 'watching' ? true : undefined;
    });
    startNamed('newcomer', ['marker-7']);
    expect(await agent.alert('marked', 'newcomer')).toMatchObject({ completeness: 'full' });
    const gap = await agent.until(async () =>
      (await linesOfType(data, 'agent', 'collector.gap')).find((line) => line.data['cause'] === 'stopped'),
    );
    expect(gap.data).toMatchObject({ collector_name: 'procmond', reason: expect.stringContaining('SIGKILL') });
  });

  it('puts a rule aside that never ends, and the others go on', async () => {
    const { data, agent } = await shared();
    startNamed('burner', ['marker-1']);
    expect(await agent.alert('marked', 'burner')).toMatchObject({ completeness: 'full' });
    const states = await agent.until(async () => {
      const { rules } = await agent.status();
      const found = Object.fromEntries(rules.map(({ id, state }) => [id, state]));
      return found['endless'] === 'quarantined' ? { found, rules } : undefined;
    });
    expect(states.found).toMatchObject({ marked: 'active', blind: 'degraded', failing: 'rejected' });
    expect(states.rules.find(({ id }) => id === 'blind')?.missing).toEqual(['process-events']);
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
    const { data, agent } = await shared();
    startNamed('early', ['later-1']);
    const before = await agent.status();
    const [web] = before.rules;
    const later = rule(
      'later',
      "SELECT entity, process_name FROM new_processes WHERE process_command_line GLOB '*later-1*' AND process_name <> 'sh' OR process_name = 'sample-hit'",
    );
    const files = { ...CLEAR_RULES, 'later.yaml': later };
    await apply(data, { seq: 2, prev: web?.payload ?? null, files, rootChain });
    // It sees what was there before it came.
    expect(await agent.alert('later', 'early')).toMatchObject({ rule_version: 1 });
    const { rules } = await agent.status();
    expect(rules.map(({ id, seq }) => `${id} ${seq}`).sort()).toEqual(
      [...before.rules.map(({ id }) => id), 'later'].map((id) => `${id} 2`).sort(),
    );

    const file = join(data, 'bundles', 'rules~test', '2', 'files', 'later.yaml');
    renameSync(file, `${file}.away`);
    const { rules_trouble: trouble, rules: kept } = (await askAgent(data, 'reload')) as typeof before;
    expect(trouble).toContain('later.yaml');
    expect(kept).toHaveLength(rules.length);
    const refused = await agent.until(async () => (await linesOfType(data, 'agent', 'bundle.refused'))[0]);
    expect(refused.data).toMatchObject({ code: 'STATE_TAMPERED' });
    renameSync(`${file}.away`, file);
    expect(await askAgent(data, 'reload')).not.toHaveProperty('rules_trouble');
  });

  it('answers on a socket for this user alone, however long its path; one agent a data directory', async () => {
    const { data, agent } = await shared();
    expect((await agent.status()).state).toBe('ready');
    const socket = statSync(join(data, 'agent.sock'));
    expect([socket.isSocket(), socket.mode & 0o777]).toEqual([true, 0o600]);
    const second = await startAgent(data, { ready: false });
    await expect(second.until(() => undefined)).rejects.toThrow('AGENT_RUNNING');
    expect((await agent.status()).state).toBe('ready');
    await expectCodeAsync(askAgent(data, 'alerts.show', { params: { id: 'none' } }), 'NO_SUCH_ALERT');
  });
});

describe.runIf(process.platform === 'linux')('rules that the trust root has taken back', () => {
  it('go while the agent runs, do not come back when it starts, and leave a sentence and a line, but no alert', {
    timeout: 120_000,
  }, async () => {
    const data = await dataWith({ 'marked.yaml': MARKED });
    const agent = await startAgent(data);
    const [live] = (await agent.status()).rules;
    expect(live).toMatchObject({ id: 'marked', state: 'active' });

    // Refused for want of a signature; the root that it brings is kept all the same.
    const rootChain = [rootOne(), rootWithoutB()];
    const brings = { seq: 2, prev: live?.payload ?? null, rootChain, signers: ['a'], files: { 'marked.yaml': MARKED } };
    await expect(apply(data, brings)).rejects.toThrow('refused');
    const after = await agent.until(async () => {
      const status = await agent.status();
      return status.rules.length === 0 ? status : undefined;
    });
    const sentence = /^rules\/test seq 1 is not loaded: trust root 2 revokes the key of b; /;
    expect(after.rules_trouble).toMatch(sentence);
    expect(await agent.until(() => agent.said.find(({ note }) => note?.match(sentence)))).toBeDefined();
    startNamed('revoked', ['marker-7']);
    await agent.until(async () => {
      const { rows } = await ask(data, "SELECT 1 FROM processes WHERE process_name = 'revoked'");
      return rows.length > 0 ? true : undefined;
    });
    await agent.stop();
    expect(agent.said.filter(({ alert }) => alert !== undefined)).toEqual([]);

    const again = await startAgent(data);
    expect(await again.status()).toMatchObject({ rules: [], rules_trouble: expect.stringMatching(sentence) });
    expect(again.said.find(({ note }) => note?.match(sentence))).toBeDefined();
    const refused = await linesOfType(data, 'agent', 'bundle.refused');
    expect(refused.map((line) => line.data)).toMatchObject(
      Array(2).fill({ check: 'revocation', code: 'KEY_REVOKED', seq: 1, payload: live?.payload }),
    );

    // The next good bundle of the channel is taken as ever.
    await apply(data, { ...brings, signers: ['a', 'c'] });
    const taken = await again.until(async () => (await again.status()).rules.find(({ seq }) => seq === 2));
    expect(taken).toMatchObject({ id: 'marked', state: 'active' });
    expect(await again.status()).not.toHaveProperty('rules_trouble');
  });
});

describe.runIf(process.platform === 'linux')('an agent that ends', () => {
  it('killed, leaves nothing running, and loses nothing when it comes back; asked to, it ends in good order', {
    timeout: 120_000,
  }, async () => {
    const data = await dataWith(WEB_SHELL);
    const agent = await startAgent(data);
    const alert = await agent.alert('de-linux-0001', await startLineage(SERVER, 'x').shell());
    const procmond = childOf(agent.child.pid, 'procmond-main');
    await agent.kill();
    await ended(procmond);
    const before = await linesOf(data, 'procmond');
    // A line that was being written when it was killed.
    const [entries = ''] = readdirSync(join(data, 'logs', 'agent', 'entries'));
    appendFileSync(join(data, 'logs', 'agent', 'entries', entries), '{"torn');
    cpSync(join(data, 'logs', 'procmond'), join(data, 'older'), { recursive: true });

    const again = await startAgent(data);
    const { alerts } = (await askAgent(data, 'alerts.list')) as { alerts: AlertRecord[] };
    expect(alerts.map(({ alert_id: id }) => id)).toEqual([alert.alert_id]);
    expect(again.said.filter((said) => said.alert !== undefined)).toEqual([]);
    expect((await linesOf(data, 'procmond')).slice(0, before.length)).toEqual(before);
    // Every line that was written while nobody listened is in the store: the starts of all processes.
    const started = before.filter(({ type }) => type === 'process.start').map(({ data: { entity } }) => entity);
    const { rows } = await ask(data, "SELECT entity FROM process_events WHERE event_action = 'start'");
    expect(started.filter((entity) => !rows.flat().includes(String(entity)))).toEqual([]);
    const gaps = await linesOfType(data, 'agent', 'collector.gap');
    expect(gaps.map((line) => line.data)).toMatchObject([{ collector_name: 'agent', cause: 'stopped' }]);
    const [recovery] = await linesOfType(data, 'agent', 'log.recovery');
    expect(recovery?.data['torn']).toMatchObject([{ bytes: '{"torn'.length }]);

    const detector = childOf(again.child.pid, 'detector.db');
    const place = /daemoneye-[^/]+/.exec(readFileSync(`/proc/${detector}/cmdline`, 'latin1'))?.[0];
    expect(readdirSync('/dev/shm')).toContain(place);
    await again.stop();
    expect(again.said.at(-1)).toEqual({ ended: true });
    expect(readdirSync('/dev/shm')).not.toContain(place);
    expect((await linesOf(data, 'procmond')).at(-1)?.type).toBe('collector.stop');
    expect((await linesOf(data, 'agent')).at(-1)?.type).toBe('collector.stop');
    await expectIntact(data);

    // Its log is what it was before: the agent knows of more.
    rmSync(join(data, 'logs', 'procmond'), { recursive: true });
    renameSync(join(data, 'older'), join(data, 'logs', 'procmond'));
    const third = await startAgent(data, { ready: false });
    const { note } = await third.until(() => third.said.find((said) => said.note !== undefined));
    expect(note).toContain('cut back');
    expect((await third.status()).collector.trouble).toContain('cut back');
  });

  it('makes its store again from the logs, and shows rules what they missed, without arguments', async () => {
    const data = await dataWith(WEB_SHELL);
    const agent = await startAgent(data);
    const ghost = startNamed('ghost', ['marker-3']);
    const told = (action: string) =>
      agent.until(async () => {
        // What it forks is called as it is, until it becomes something else.
        const where = `process_name = 'ghost' AND process_pid = ${ghost.pid} AND event_action = '${action}'`;
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
    expect(await again.alert('ghosts', ghost.pid)).toMatchObject({
      entity,
      completeness: 'partial',
      missing: ['the arguments of this process'],
    });
    const { rows } = await ask(data, `SELECT process_name FROM processes WHERE entity = '${entity}'`);
    expect(rows).toEqual([['ghost']]);
  });
});
