import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewUsage } from '../../src/cli/parse.ts';
import { COMMANDS } from '../../src/cli/registry.ts';
import { stepCommand } from '../../src/cli/render/overview.ts';
import { renderStatus } from '../../src/cli/render/status-screen.ts';
import { createStyle } from '../../src/cli/render/style.ts';
import { displayWidth, fenceText } from '../../src/cli/render/text.ts';
import { resolveCommand } from '../../src/cli/resolve.ts';
import { loadCommand } from '../../src/cli/run.ts';
import { agendaOf, type LogStanding, type Step } from '../../src/install/agenda.ts';
import type { Description } from '../../src/install/describe-io.ts';
import type { ListedChannel } from '../../src/install/overview-io.ts';
import { initialState } from '../../src/install/state.ts';
import type { WaitingBundle } from '../../src/install/waiting-io.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { BUILT_AT, rootOne } from '../support/enclave.ts';
import { runs } from '../support/slow.ts';

const payload = `sha256:${'a'.repeat(64)}` as const;
const root = parseRoot(rootOne());
const asOf = '2026-04-01T00:00:00.000Z';
const newest = { seq: 3, payload, asOf };

type Shown = {
  readonly channels?: readonly ListedChannel[];
  readonly waiting?: readonly WaitingBundle[];
  readonly logs?: readonly LogStanding[];
  readonly untold?: number;
  readonly openReceipts?: number;
  readonly isPinned?: boolean;
};

function describeWith({ channels = [], waiting = [], logs = [], isPinned = true, ...more }: Shown): Description {
  const { untold = 0, openReceipts = 0 } = more;
  const overview = { channels, waiting };
  const pinned = isPinned ? root : undefined;
  const input = { overview, root: pinned, floor: BUILT_AT, untold, openReceipts, hasHeads: false, logs };
  return { state: initialState(BUILT_AT), root: pinned, overview, revoked: [], logs, steps: agendaOf(input) };
}

function channelOf(channel: string, facts: Partial<ListedChannel> = {}): ListedChannel {
  const held = { seq: 2, payload };
  const freshness = { status: 'fresh', reason: 'x', asOf } as const;
  return { channel, highest: held, active: held, freshness, ...facts };
}

const UNPROVEN = { status: 'not-provable', reason: 'nothing shows it' } as const;
const style = (width: number) => createStyle({ colour: 'none', unicode: true, width });
const screen = (shown: Shown, width = 80, data?: string) =>
  renderStatus(describeWith(shown), { data, enclave: root.enclave }, style(width)).split('\n');

describe('the screen of an enclave', () => {
  it('says of each part that there is nothing, where there is nothing', () => {
    expect(screen({ channels: [channelOf('rules/a')] })).toEqual([
      'enclave-1: trust root 1 until 2027-02-01, time floor 2026-01-01T00:00Z',
      '',
      'Active',
      '  rules/a  seq 2  fresh as of 2026-04-01T00:00:00.000Z',
      '',
      'Waiting  nothing',
      '',
      'Stale  nothing',
      '',
      'Carry out  nothing',
    ]);
  });

  it('puts the worst first among what is stale, and asks for each command once', () => {
    const revoked = { seq: 2, payload, revoked: { code: 'KEY_REVOKED', reason: 'too few are left' } } as const;
    const lines = screen({
      channels: [
        channelOf('rules/a', { freshness: UNPROVEN }),
        channelOf('rules/b', { freshness: UNPROVEN, newest }),
        channelOf('rules/c', { active: revoked }),
        channelOf('rules/d', { freshness: { status: 'expired', reason: 'expired at last' } }),
        channelOf('rules/e', { freshness: UNPROVEN }),
      ],
    });
    const stale = lines.slice(lines.indexOf('Stale') + 1, lines.indexOf('Carry out')).filter((line) => line !== '');
    expect(stale).toEqual([
      '  rules/c  REVOKED, not loaded: too few are left',
      '  rules/d  EXPIRED: expired at last',
      '  rules/b  seq 3 is out, as of 2026-04-01T00:00:00.000Z',
      '    > daemoneye bundle apply BUNDLE',
      '  rules/a  never shown to be fresh: no heads statement came yet',
      '  rules/e  never shown to be fresh: no heads statement came yet',
      '    > daemoneye bundle receipt --out STICK/enclave-1.receipt.json',
    ]);
    expect(lines).toContain('  rules/c  seq 2 (REVOKED)  fresh as of 2026-04-01T00:00:00.000Z');
  });

  it('names what a set of volumes lacks', () => {
    const about = {
      ...{ kind: 'rules' as const, channel: 'rules/a', seq: 3, superseded: false, blobs: 9 },
      ...{ lacking: { blobs: 5, bytes: 5000, volumes: ['x.002', 'x.004'] }, volumes: ['x.001', 'x.003'] },
    } as const;
    const lines = screen({ waiting: [{ payload, bytes: 1, about }] });
    expect(lines.slice(lines.indexOf('Waiting'), lines.indexOf('Stale  nothing') - 1)).toEqual([
      'Waiting',
      '  rules/a seq 3: 4 of 9 pieces here, 5.0 kB lacking',
      '  read: x.001, x.003',
      '  still missing: x.002, x.004',
      '    > daemoneye bundle apply VOLUME...',
    ]);
    expect(screen({ waiting: [{ payload, bytes: 1500 }] }).join('\n')).toMatch(
      /a bundle, sha256:a{12}…, of which 1\.5 kB are here/,
    );
  });

  it('asks for a checkpoint only where somebody witnesses, and tells of a log that is damaged', () => {
    const of = (entries: number, cosigned: number) => ({ log: '/d/logs/install', known: { entries, cosigned } });
    const shown = (log: LogStanding) => screen({ channels: [channelOf('rules/a')], logs: [log] }).join('\n');
    expect(shown(of(9, 0))).toContain('Carry out  nothing');
    expect(shown(of(9, 9))).toContain('Carry out  nothing');
    expect(shown(of(9, 4))).toContain('the log install: 5 lines that no witness has seen');
    expect(shown(of(9, 4))).toContain(
      '> daemoneye ledger witness request /d/logs/install --out STICK/enclave-1.request',
    );
    expect(shown({ log: '/d/logs/agent', known: undefined })).toContain("the log agent can't be read, or has no head");
  });

  it('counts what has no room, and keeps one of each', () => {
    const channels = Array.from({ length: 99 }, (_, i) => channelOf(`rules/${i}`, { freshness: UNPROVEN }));
    const lines = screen({ channels, untold: 3, openReceipts: 2 });
    expect(lines.length).toBeLessThanOrEqual(23);
    const told = lines.flatMap((line) => /and ([0-9]+) more/.exec(line)?.[1] ?? []).map(Number);
    expect(told).toHaveLength(2);
    const shown = lines.filter((line) => line.startsWith('  rules/')).length;
    expect(told.reduce((sum, omitted) => sum + omitted, shown)).toBe(198);
  });

  const name = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 20 }));
  const channel = fc
    .record({ channel: name, reason: name, status: fc.constantFrom('fresh', 'not-provable', 'expired'), seq: fc.nat() })
    .map(({ channel: of, reason, status, seq }) =>
      channelOf(of, {
        freshness: { status, reason, asOf } as ListedChannel['freshness'],
        newest: { ...newest, seq },
        ...(seq % 3 === 0 ? { active: { seq, payload, revoked: { code: 'KEY_REVOKED', reason } } } : {}),
      }),
    );
  const waiting = fc
    .record({
      channel: name,
      volumes: fc.array(name, { maxLength: 9 }),
      missing: fc.array(name, { maxLength: 9 }),
      known: fc.boolean(),
    })
    .map(({ channel: of, volumes, missing, known }): WaitingBundle => {
      const lacking = { blobs: 1, bytes: 1, volumes: missing };
      const about = { kind: 'rules', channel: of, seq: 1, superseded: false, blobs: 2, lacking, volumes } as const;
      return { payload, bytes: 1, ...(known ? { about } : {}) };
    });

  const log = fc
    .record({ n: fc.nat(), known: fc.option(fc.constant({ entries: 9, cosigned: 1 }), { nil: undefined }) })
    .map(({ n, known }): LogStanding => ({ log: `/d/logs/${n}`, known }));

  it('fits, whatever there is to say, and nothing of it moves the terminal', () => {
    fc.assert(
      fc.property(
        fc.record({
          channels: fc.array(channel, { maxLength: 40 }),
          waiting: fc.array(waiting, { maxLength: 1 }),
          logs: fc.array(log, { maxLength: 30 }),
          untold: fc.nat(5),
          openReceipts: fc.nat(3),
          isPinned: fc.boolean(),
        }),
        fc.constantFrom(80, 120),
        (shown, width) => {
          const lines = screen(shown, width, "/it's here");
          expect(lines.length).toBeLessThanOrEqual(23);
          for (const line of lines) {
            expect(fenceText(line, false)).toBe(line);
            if (!line.startsWith('    > ')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
          }
          for (const title of ['Active', 'Waiting', 'Stale', 'Carry out']) {
            expect(lines.filter((line) => line.startsWith(title))).toHaveLength(1);
          }
        },
      ),
      { numRuns: runs(150, 20_000) },
    );
  });
});

describe('the command to type next', () => {
  const stale = { part: 'stale', channel: 'rules/a', reason: 'x', asked: false } as const;
  const steps: readonly Step[] = [
    { part: 'active', what: 'pin' },
    { part: 'active', what: 'first-bundle' },
    { part: 'waiting', what: 'go-on', waiting: { payload, bytes: 1 } },
    { part: 'stale', what: 'root-expired', version: 1, expires: asOf },
    ...(['revoked', 'expired', 'behind', 'unproven'] as const).map((what) => ({ ...stale, what })),
    { ...stale, what: 'unproven', asked: true },
    { part: 'carry-out', what: 'receipt', untold: 1 },
    { part: 'carry-out', what: 'answer', open: 1 },
    { part: 'carry-out', what: 'witness', log: '/d/logs/install', entries: 1 },
    { part: 'carry-out', what: 'damaged-log', log: '/d/logs/install' },
  ];

  it.each(steps)('is one that there is: $what', async (step) => {
    const [program, ...words] = stepCommand(step, { data: '/d', enclave: 'plant-7' }).split(' ');
    expect(program).toBe('daemoneye');
    const found = resolveCommand(words, Object.keys(COMMANDS));
    if (found.kind !== 'command') throw new Error(`${words.join(' ')} is no command`);
    const options = viewUsage(await loadCommand(found.name)).options.flatMap(({ names }) => names);
    const given = words.filter((word) => word.startsWith('--'));
    for (const option of given) expect(options).toContain(option);
  });

  it.each([
    [undefined, 'daemoneye bundle heads accept HEADS'],
    ['/var/lib/x', 'daemoneye bundle heads accept HEADS --data /var/lib/x'],
    ["/it's here; rm", "daemoneye bundle heads accept HEADS --data '/it'\\''s here; rm'"],
    ['$(reboot)', "daemoneye bundle heads accept HEADS --data '$(reboot)'"],
    ['/a\x1b[2J', 'daemoneye bundle heads accept HEADS --data DIR'],
  ])('takes the data directory %j as a shell would', (data, command) => {
    expect(stepCommand({ part: 'carry-out', what: 'answer', open: 1 }, { data, enclave: undefined })).toBe(command);
  });

  it.each(['a b', '../x', '-x', '\x1b[2J', 'x'.repeat(99), '$(reboot)'])(
    'makes no name of a file of an enclave called %j',
    (enclave) => {
      const step: Step = { part: 'carry-out', what: 'receipt', untold: 0 };
      expect(stepCommand(step, { data: undefined, enclave })).toBe(
        'daemoneye bundle receipt --out STICK/enclave.receipt.json',
      );
    },
  );
});
