import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addPackage } from '../../src/forensics/case/add-io.ts';
import { createCase } from '../../src/forensics/case/case-io.ts';
import { ALERTS, INCIDENT, makeLog, makePackage, processData, verifySample } from '../forensics/case/sample.ts';
import { daemoneye, ensureBuilt, environment, expectError, LAUNCHER } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { day } from '../support/trust.ts';
import { PseudoTerminal } from './pseudo-terminal.ts';

const data = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
const MANY = 300;

beforeAll(async () => {
  await ensureBuilt();
  const logs = [await makeLog(data, { events: INCIDENT }), await makeLog(data, { log: 'agent', events: ALERTS })];
  await createCase(data, 'demo', day(22));
  const packed = await makePackage(data, logs);
  await addPackage(data, 'demo', packed.file, { now: day(22), verify: verifySample });

  const events = Array.from({ length: MANY }, (_, i) => ({
    type: 'process.start',
    data: processData(i, { process_name: `many-${i}` }),
  }));
  const long = await makeLog(join(data, 'long'), { events });
  const range = await makePackage(join(data, 'long'), [long], {
    what: { ranges: [{ log: 'procmond', from: 0, to: MANY }] },
  });
  await createCase(data, 'long', day(22));
  await addPackage(data, 'long', range.file, { now: day(22), verify: verifySample });
});

afterAll(() => rmSync(data, { recursive: true, force: true }));

const open: PseudoTerminal[] = [];
afterEach(() => {
  for (const terminal of open.splice(0)) terminal.kill();
});

function hunt(name: string, columns: number, rows: number, env: Record<string, string> = {}): PseudoTerminal {
  const terminal = new PseudoTerminal(LAUNCHER, ['hunt', name, '--data', data], {
    columns,
    rows,
    env: { ...environment(), ...env },
  });
  open.push(terminal);
  return terminal;
}

/** As it was found: the normal screen, a cursor, and nothing of ours on it. */
function expectRestored(terminal: PseudoTerminal): void {
  expect(terminal.isAlternate).toBe(false);
  expect(terminal.isCursorHidden).toBe(false);
  expect(terminal.screen).not.toContain('Timeline');
}

describe('hunt on a terminal of 80×24', () => {
  it('shows the timeline, moves, opens a line, searches, helps and leaves', async () => {
    const terminal = hunt('demo', 80, 24);
    await terminal.shows(/❯ 12:00:01\.000 ! alert\.raised\s+high Web server starts a shell/);
    await terminal.shows(/✓ trusted │ sample-1 │ masked │ line 1, 13 \/ 13 shown │ (?:fenced by|gate only)/);
    await terminal.shows('case demo  Timeline  2027-01-20 UTC');
    expect(terminal.isAlternate).toBe(true);
    expect(terminal.isCursorHidden).toBe(true);
    // Evidence can't act on the terminal.
    await terminal.shows('e\\u{202e}vil\\x1b[31m [103]');

    terminal.press('jj\x1b[B');
    await terminal.shows(/❯ 12:00:08\.000 ▸ process\.snapshot\s+nginx \[100\]/);
    terminal.press('k\x1b[A');
    await terminal.shows(/❯ 12:00:01\.000 · collector\.start/);
    terminal.press('G');
    await terminal.shows(/❯ 12:00:28\.000 ◎ trace\.stop/);
    terminal.press('\r');
    await terminal.shows(/────[\s\S]*thead\s+blake3:/);
    terminal.press('g');
    await terminal.shows(/────[\s\S]*alert_id\s+alert-1/);
    terminal.press('\r/');
    await terminal.shows('/│');
    terminal.press('CURL');
    await terminal.shows('/CURL│');
    terminal.press('\r');
    await terminal.shows(/line 1, 2 \/ 13 shown │ \/CURL/);
    await terminal.shows(/❯ 12:00:16\.000 ▸ process\.start\s+curl \[102\]/);
    terminal.press('?');
    await terminal.shows('half a page down');
    // The last line of the terminal is never drawn on: it would scroll.
    expect(terminal.lines.at(-1)).toBe('');
    terminal.press('q');
    await terminal.shows('2 / 13 shown');
    terminal.press('q');
    await terminal.shows('13 / 13 shown');
    terminal.press('q');
    expect(await terminal.ended()).toEqual({ code: 0, signal: 0 });
    expectRestored(terminal);
  });

  it('pages through many lines, and draws only what is seen', async () => {
    const terminal = hunt('long', 80, 24);
    await terminal.shows('many-0 [0]');
    terminal.press('G');
    await terminal.shows(new RegExp(`❯ \\S+ ▸ process\\.start\\s+many-${MANY - 1} `));
    terminal.press('\x15');
    await terminal.shows(`line ${MANY - 10}, `);
    terminal.press('g');
    await terminal.shows(/❯ \S+ ▸ process\.start\s+many-0 /);
    for (let i = 0; i < 40; i++) terminal.press('j');
    await terminal.shows(/❯ \S+ ▸ process\.start\s+many-40 /);
    expect(terminal.lines.filter((line) => line.includes('many-'))).toHaveLength(20);
    terminal.press('\x03');
    expect((await terminal.ended()).code).toBe(130);
    expectRestored(terminal);
  });

  it('leaves the terminal cooked, as it was', async () => {
    const folder = tempDirectory();
    const script = `stty -a > ${folder}/before; '${LAUNCHER}' hunt demo --data '${data}'; stty -a > ${folder}/after`;
    const terminal = new PseudoTerminal('/bin/sh', ['-c', script], { columns: 80, rows: 24, env: environment() });
    open.push(terminal);
    await terminal.shows('alert.raised');
    terminal.press('q');
    await terminal.ended();
    expect(readFileSync(join(folder, 'after'), 'utf8')).toBe(readFileSync(join(folder, 'before'), 'utf8'));
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('leaves it in order on %s', async (name) => {
    const terminal = hunt('demo', 80, 24);
    await terminal.shows('alert.raised');
    terminal.signal(name);
    const { code } = await terminal.ended();
    expect(code).toBe(name === 'SIGTERM' ? 143 : 129);
    expectRestored(terminal);
  });

  it('uses no style at all with NO_COLOR', async () => {
    const terminal = hunt('demo', 80, 24, { NO_COLOR: '1' });
    await terminal.shows('❯ 12:00:01.000');
    terminal.press('j\r');
    await terminal.shows('collector_name');
    terminal.press('qq');
    await terminal.ended();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: styles are what is looked for
    expect(terminal.raw.match(/\x1b\[[0-9;]*[1-9][0-9;]*m/g)).toBeNull();
  });

  it('draws in ASCII where the locale has nothing else', async () => {
    const terminal = hunt('demo', 80, 24, { LC_ALL: 'C' });
    await terminal.shows(/> 12:00:01\.000 ! alert\.raised/);
    expect(terminal.screen).toMatch(/^[ -~\n]*$/);
    terminal.press('q');
    await terminal.ended();
  });
});

describe('hunt on a terminal of 140×40', () => {
  it('shows list and detail beside each other, and one pane when it gets narrow', async () => {
    const terminal = hunt('demo', 140, 40);
    await terminal.shows(/❯ 12:00:01\.000 ! alert\.raised.*│ alert_id\s+alert-1/);
    terminal.press('jj');
    await terminal.shows(/│ reason\s+web server starts a shell/);
    expect(terminal.lines.at(-1)).toBe('');
    terminal.resize(80, 24);
    await terminal.shows(/^❯ 12:00:06\.000 ◎ trace\.start/m);
    expect(terminal.screen).not.toMatch(/reason\s+web/);
    terminal.press('q');
    expect((await terminal.ended()).code).toBe(0);
    expectRestored(terminal);
  });
});

describe('a crash', () => {
  it('leaves the terminal as it was found, with its reason on the screen', async () => {
    const main = join(import.meta.dirname, 'crash-main.ts');
    const terminal = new PseudoTerminal(process.execPath, [main], { columns: 80, rows: 24, env: environment() });
    open.push(terminal);
    expect((await terminal.ended()).code).not.toBe(0);
    expectRestored(terminal);
    expect(terminal.screen).toContain('planted crash');
  });
});

describe('hunt without a screen', () => {
  it.each([
    ['no terminal', [], {}],
    ['--plain', ['--plain'], {}],
    ['TERM=dumb', [], { TERM: 'dumb' }],
  ])('prints the timeline: %s', async (_, args, env) => {
    const ran = await daemoneye(['hunt', 'demo', '--data', data, '--limit', '2', ...args], { env });
    expect(ran.stdout.split('\n').slice(0, 2)).toEqual([
      '2027-01-20T12:00:01.000Z  host-a  alert.raised  high Web server starts a shell sh [101]',
      '2027-01-20T12:00:01.000Z  host-a  collector.start  procmond',
    ]);
    expect(ran.stderr).toMatch(/^2 of 13 lines; sample-1 trusted; masked; /);
    expect(ran.code).toBe(0);
  });

  it('prints it on a dumb terminal too, without a single control', async () => {
    const terminal = hunt('demo', 80, 24, { TERM: 'dumb' });
    expect((await terminal.ended()).code).toBe(0);
    expect(terminal.raw).toContain('trace.stop');
    expect(terminal.raw).not.toContain('\x1b');
  });

  it('prints JSON', async () => {
    const { stdout } = await daemoneye(['hunt', 'demo', '--data', data, '--json']);
    const told = JSON.parse(stdout) as { total: number; masked: boolean; rows: { type: string }[] };
    expect(told).toMatchObject({ total: 13, masked: true });
    expect(told.rows).toHaveLength(13);
  });

  it('asks which case when there are several', async () => {
    expectError(await daemoneye(['hunt', '--data', data]), 'USAGE_ARGUMENT', 2);
  });

  it('says that there is no such case', async () => {
    expectError(await daemoneye(['hunt', 'nope', '--data', data]), 'CASE_NOT_FOUND', 1);
  });
});
