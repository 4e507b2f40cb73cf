import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { addPackage } from '../../src/forensics/case/add-io.ts';
import { createCase, openCase } from '../../src/forensics/case/case-io.ts';
import { openCaseReader } from '../../src/forensics/case/query-io.ts';
import { createTimelineSource, SOURCE_LIMITS } from '../../src/tui/timeline-source.ts';
import { ALERTS, INCIDENT, makeLog, makePackage, processData, verifySample } from '../forensics/case/sample.ts';
import { daemoneye, ensureBuilt, environment, expectError, hasTool, jsonOf, LAUNCHER, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { day } from '../support/trust.ts';
import { PseudoTerminal } from './pseudo-terminal.ts';

const data = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
const MANY = 300;
const DIST = join(ROOT, 'dist/src');

/** Names that would clear the screen, forge a line, hide, turn round, or be wider than anybody thinks. */
const HOSTILE = [
  '\u001b[2J\u001b[Hgone',
  'x\r\n2027-01-20T12:00:00.000Z  host-a  forged.line  nothing',
  'a\u202egpj.exe',
  '\u3164\u200b',
  '日本語'.repeat(40),
  '\u{20000}'.repeat(80),
  'क्ष'.repeat(120),
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  '\u{1f1e9}\u{1f1ea}'.repeat(30),
  `e${'\u0301'.repeat(200)}`,
  'العربية '.repeat(30),
  'x'.repeat(5000),
];

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
  await createCase(data, 'empty', day(22));
  const named = HOSTILE.map((name, i) => ({ type: 'process.start', data: processData(i, { process_name: name }) }));
  const log = await makeLog(join(data, 'hostile'), { events: named });
  const what = { ranges: [{ log: 'procmond', from: 0, to: named.length }] };
  const hostile = await makePackage(join(data, 'hostile'), [log], { what });
  await createCase(data, 'hostile', day(22));
  await addPackage(data, 'hostile', hostile.file, { now: day(22), verify: verifySample });
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
  expect(terminal.isWrapping).toBe(true);
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

  it('shows all of a line, and goes from one that was found to the next', async () => {
    const terminal = hunt('demo', 80, 24);
    await terminal.shows('alert.raised');
    terminal.press('\r');
    await terminal.shows(/^… \d+ below: J/m);
    terminal.press('J'.repeat(40));
    await terminal.shows(/anchored +\w+[^\n]*\n… \d+ above: K +\n✓ trusted/);
    terminal.press('q/curl\r');
    await terminal.shows(/❯ \S+ ▸ process\.start +curl[\s\S]*2 \/ 13 shown/);
    terminal.press('n');
    await terminal.shows(/❯ \S+ ⇄ network\.connect +curl/);
    terminal.press('q');
    await terminal.shows('13 / 13 shown');
    terminal.press('N');
    await terminal.shows(/❯ \S+ ▸ process\.start +curl/);
    terminal.press('N');
    await terminal.shows('✗ no line before this one has "curl"');
    terminal.press('\x03');
    await terminal.ended();
  });

  it.each([
    [80, 24],
    [160, 50],
  ])('is not moved by what evidence is called, at %i×%i', async (columns, rows) => {
    const terminal = hunt('hostile', columns, rows);
    const count = HOSTILE.length;
    // From the first frame to the last the lines are where they belong.
    const whole = (place: number) =>
      new RegExp(
        `^DaemonEye  case hostile [\\s\\S]*\n✓ trusted │ sample-1 │ masked │ line ${place}, ${count} / ${count} shown .*\nj/k move .*\n$`,
      );
    await terminal.shows('gone [0]');
    for (let place = 1; place <= count; place++) {
      await terminal.shows(whole(place));
      expect(terminal.lines.filter((line) => /^. \d\d:\d\d:\d\d\.\d{3} ▸ process\.start/.test(line))).toHaveLength(
        count,
      );
      expect(terminal.lines.filter((line) => line.startsWith('❯'))).toHaveLength(1);
      terminal.press('j');
    }
    terminal.press('q');
    await terminal.ended();
    expectRestored(terminal);
  });

  it('says that a case is empty', async () => {
    const terminal = hunt('empty', 80, 24);
    await terminal.shows(
      /The case has no lines yet: daemoneye case add[\s\S]*no package │ empty │ masked │ line 0, 0 \/ 0/,
    );
    terminal.press('\rjGn');
    await terminal.shows('✗ nothing was searched for');
    terminal.press('q');
    expect((await terminal.ended()).code).toBe(0);
  });

  it('leaves the last line of any terminal alone, and keeps the status', async () => {
    const terminal = hunt('demo', 80, 24);
    await terminal.shows('alert.raised');
    for (const [columns, rows] of [
      [40, 8],
      [20, 5],
      [12, 3],
      [4, 2],
    ] as const) {
      terminal.resize(columns, rows);
      await terminal.shows(rows > 2 ? /^✓ [\s\S]*\n$|\n✓ [\s\S]*\n$/ : /^✓.*\n$/);
    }
    terminal.resize(80, 24);
    await terminal.shows(/^DaemonEye[\s\S]*✓ trusted │ sample-1 │ masked │ line 1, 13 \/ 13 shown/);
    terminal.press('q');
    await terminal.ended();
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

describe('lines that lie apart', () => {
  it('come in their order, without those that are not there', async () => {
    await using reader = openCaseReader(openCase(data, 'long'), SOURCE_LIMITS);
    const rows = await createTimelineSource(reader).rows([3, 4, 290, 5000, 9000]);
    expect(rows.map(({ row, summary }) => [row, summary.split(' ')[0]])).toEqual([
      [3, 'many-3'],
      [4, 'many-4'],
      [290, 'many-290'],
    ]);
  });
});

describe('hunt that nobody touches', () => {
  it.each([
    [80, 24],
    [160, 50],
  ])('draws nothing, asks nothing and waits for no clock, at %i×%i', async (columns, rows) => {
    const report = join(tempDirectory(), 'report');
    const main = join(import.meta.dirname, 'idle-main.ts');
    const args = [main, DIST, data, 'demo', report];
    const terminal = new PseudoTerminal(process.execPath, args, { columns, rows, env: environment() });
    open.push(terminal);
    await terminal.shows(/❯ 12:00:01\.000 ! alert\.raised/);
    if (columns === 160) await terminal.shows(/alert_id +alert-1/);
    // What the last frame still holds back comes with the first reports; after that all of them are the same.
    await vi.waitFor(
      () => {
        terminal.signal('SIGUSR2');
        const { before, after } = JSON.parse(readFileSync(report, 'utf8')) as Record<string, { armed: string[] }>;
        expect(before?.armed).toEqual([]);
        expect(after).toEqual(before);
      },
      { timeout: 20_000, interval: 100 },
    );
    const drawn = terminal.raw.length;
    terminal.press('j');
    await terminal.shows(/❯ 12:00:01\.000 · collector\.start/);
    expect(terminal.raw.length).toBeGreaterThan(drawn);
  });
});

describe('a terminal that goes away', () => {
  it.each([
    ['with SIGHUP', false],
    ['without a word, having no controlling terminal', true],
  ])('ends the screen, and all that it started: %s', async (_, isDetached) => {
    if (isDetached && !hasTool('setsid')) return;
    const pids = join(tempDirectory(), 'pid');
    const command = `echo $$ > ${pids}; exec '${LAUNCHER}' hunt demo --data '${data}'`;
    const script = isDetached ? `setsid sh -c "${command}" & wait` : command;
    const terminal = new PseudoTerminal('/bin/sh', ['-c', script], { columns: 80, rows: 24, env: environment() });
    open.push(terminal);
    await terminal.shows('alert.raised');
    const pid = Number(readFileSync(pids, 'utf8'));
    terminal.hangUp();
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 20_000, interval: 100 });
  });
});

describe('a crash', () => {
  it('while drawing leaves the terminal as it was found', async () => {
    const main = join(import.meta.dirname, 'broken-main.ts');
    const terminal = new PseudoTerminal(process.execPath, [main, DIST], { columns: 80, rows: 24, env: environment() });
    open.push(terminal);
    expect((await terminal.ended()).code).toBe(1);
    expectRestored(terminal);
    expect(terminal.screen).toMatch(/^it was told: Cannot read properties of undefined/);
  });

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

  it('keeps a line for each event, whatever is in a name', async () => {
    const { stdout } = await daemoneye(['hunt', 'hostile', '--data', data]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(HOSTILE.length);
    for (const line of lines) expect(line).toMatch(/^\S+Z {2}host-a {2}process\.start {2}/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none is the point
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e\u200b]/);
  });

  it('prints JSON', async () => {
    const ran = await daemoneye(['hunt', 'demo', '--data', data, '--json']);
    const told = jsonOf<{ total: number; masked: boolean; rows: { type: string }[] }>(ran, 'hunt');
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
