import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Step } from '../../install/agenda.ts';
import type { Description } from '../../install/describe-io.ts';
import type { ChannelFreshness, ListedChannel } from '../../install/overview-io.ts';
import { type CommandPlace, stepCommand, stepText, takenText, waitingText } from './overview.ts';
import type { Style } from './style.ts';
import { cutDisplay, displayWidth, padDisplay } from './text.ts';

/** A terminal of 24 rows, less one for what is typed next. */
const ROWS = 23;
/** Of the name of a channel: a longer one must not push out what is said of it. */
const MOST_NAME = 32;
const BEFORE_ROW = '  ';
const BEFORE_COMMAND = '    > ';

type Row = { readonly text: string; readonly isBad?: boolean };
/** Facts, and what to type about them. */
type Block = { readonly rows: readonly Row[]; readonly command?: string; readonly omitted?: number };
type Section = { readonly title: string; readonly blocks: readonly Block[]; readonly omitted?: number };

/**
 * What an enclave's operator has to know and to do, on one screen of 80 columns and 24 rows: what is active, what waits,
 * what is stale, what to carry out, and the next command of each. `bundle list` and the JSON have all of it.
 */
export function renderStatus(description: Description, place: CommandPlace, style: Style): string {
  const { steps, overview } = description;
  const blocksOf = (part: Step['part']) =>
    blocks(
      steps.filter((step) => step.part === part),
      place,
    );
  const active = activeRows(overview.channels);
  const all: readonly Section[] = [
    { title: 'Active', blocks: [...(active.length === 0 ? [] : [{ rows: active }]), ...blocksOf('active')] },
    { title: 'Waiting', blocks: blocksOf('waiting') },
    { title: 'Stale', blocks: blocksOf('stale') },
    { title: 'Carry out', blocks: blocksOf('carry-out') },
  ];
  const isAiry = heightOf(all, style.width) + all.length <= ROWS;
  const shown = isAiry ? all : cutToFit(all, style.width);
  const gap = isAiry ? [''] : [];
  const lines = shown.flatMap((section) => [...gap, ...sectionLines(section, style)]);
  return [headLine(description, style), ...lines].join('\n');
}

function headLine({ root, state }: Description, style: Style): string {
  const name = escapeForTerminal(root?.enclave ?? 'this enclave');
  const trust = root === undefined ? 'no trust root' : `trust root ${root.version} until ${root.expires.slice(0, 10)}`;
  const facts = `: ${trust}, time floor ${state.floor.slice(0, 16)}Z`;
  return style.tone('strong', cutDisplay(name, Math.max(8, style.width - facts.length))) + facts;
}

function activeRows(channels: readonly ListedChannel[]): Row[] {
  const column = Math.min(MOST_NAME, Math.max(0, ...channels.map(({ channel }) => displayWidth(channel))));
  return channels.map(({ channel, active, freshness }) => {
    const name = padDisplay(cutDisplay(escapeForTerminal(channel), column), column);
    const isBad = active.revoked !== undefined || freshness.status === 'expired';
    return { text: `${name}  seq ${active.seq}${takenText(active)}  ${standingText(freshness)}`, isBad };
  });
}

/** In a few words: what there is to say more is said where it is stale. */
function standingText({ status, asOf }: ChannelFreshness): string {
  if (status === 'expired') return 'EXPIRED';
  return status === 'fresh' ? `fresh as of ${asOf}` : 'not provably fresh';
}

/** Steps that ask for the same command stand together before it. */
function blocks(steps: readonly Step[], place: CommandPlace): Block[] {
  const byCommand = Map.groupBy(steps, (step) => stepCommand(step, place));
  return [...byCommand].map(([command, some]) => ({ rows: some.flatMap(rowsOf), command }));
}

function rowsOf(step: Step): readonly Row[] {
  if (step.what === 'go-on') return waitingText(step.waiting).map((text) => ({ text }));
  return [{ text: stepText(step), isBad: BAD.has(step.what) }];
}

const BAD: ReadonlySet<Step['what']> = new Set(['root-expired', 'revoked', 'expired', 'damaged-log']);

/** Leaves out rows of the longest list, and then whole blocks, until all fits; how many is said in their place. */
function cutToFit(sections: readonly Section[], width: number): readonly Section[] {
  let left = sections;
  while (heightOf(left, width) > ROWS) {
    const all = left.flatMap((section) => section.blocks);
    const longest = all.reduce<Block | undefined>((most, one) => (longer(one, most) ? one : most), undefined);
    const fullest = left.reduce((most, one) => (one.blocks.length > most.blocks.length ? one : most));
    if (longest !== undefined) left = left.map((section) => replaced(section, longest));
    else if (fullest.blocks.length > 1) left = left.map((one) => (one === fullest ? withoutLast(one) : one));
    else break;
  }
  return left;
}

/** Whether it can lose a row at all: a line that says so takes the place of the first two. */
function longer(one: Block, than: Block | undefined): boolean {
  const canLose = one.rows.length > (one.omitted === undefined ? 2 : 1);
  return canLose && one.rows.length > (than?.rows.length ?? 0);
}

function replaced(section: Section, block: Block): Section {
  const lost = block.omitted === undefined ? 2 : 1;
  const shorter = { ...block, rows: block.rows.slice(0, -lost), omitted: (block.omitted ?? 0) + lost };
  return { ...section, blocks: section.blocks.map((one) => (one === block ? shorter : one)) };
}

function withoutLast(section: Section): Section {
  const last = section.blocks.at(-1);
  const omitted = (section.omitted ?? 0) + (last?.rows.length ?? 0) + (last?.omitted ?? 0);
  return { ...section, blocks: section.blocks.slice(0, -1), omitted };
}

/** With the line at the top. */
function heightOf(sections: readonly Section[], width: number): number {
  const rows = sections.flatMap(({ blocks: some, omitted }) => [
    1 + (omitted === undefined ? 0 : 1),
    ...some.map((block) => block.rows.length + (block.omitted === undefined ? 0 : 1) + commandHeight(block, width)),
  ]);
  return rows.reduce((sum, height) => sum + height, 1);
}

function commandHeight({ command }: Block, width: number): number {
  return command === undefined ? 0 : Math.ceil((BEFORE_COMMAND.length + displayWidth(command)) / width);
}

function sectionLines({ title, blocks: some, omitted }: Section, style: Style): string[] {
  const heading = style.tone('strong', title);
  if (some.length === 0) return [`${heading}  nothing`];
  return [heading, ...some.flatMap((block) => blockLines(block, style)), ...omittedLines(omitted)];
}

function blockLines({ rows, command, omitted }: Block, style: Style): string[] {
  const lines = rows.map(({ text, isBad = false }) => {
    const shown = cutDisplay(text, style.width - BEFORE_ROW.length);
    return BEFORE_ROW + (isBad ? style.tone('bad', shown) : shown);
  });
  // Not cut: half a command is none.
  const typed = command === undefined ? [] : [BEFORE_COMMAND + style.tone('accent', command)];
  return [...lines, ...omittedLines(omitted), ...typed];
}

function omittedLines(omitted: number | undefined): string[] {
  return omitted === undefined ? [] : [`${BEFORE_ROW}and ${omitted} more: daemoneye bundle list`];
}
