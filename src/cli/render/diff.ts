import type { BundleDiff, FileDiff } from '../../bundle/diff.ts';
import type { SettingChange } from '../../config/diff.ts';
import type { SettingValue } from '../../config/settings.ts';
import type { FieldChange, FieldValue } from '../../core/field-diff.ts';
import type { LineChange } from '../../core/line-diff.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { count } from '../../core/wording.ts';
import type { RuleChange, RuleSummary, RulesDiff } from '../../rules/diff.ts';
import type { ContentDiff } from '../compare-content.ts';
import type { Style } from './style.ts';
import { displayWidth, hangingText, padDisplay } from './text.ts';

/** Longer lists are cut for people; `--json` has all. */
const MAX_SHOWN = 50;

/**
 * A comparison of two bundles for a person who has to decide: what is said differently, then what is inside. Everything
 * in it may come from an attacker, so all of it is escaped.
 * @param trusted whether what is said of signers was verified, or is only claimed
 */
export function renderDiff(diff: BundleDiff, content: ContentDiff | undefined, trusted: boolean, style: Style): string {
  const blocks = [
    [headline(diff, style)],
    fieldLines(diff.fields.filter(isNews).map(named(trusted)), '  ', style),
    content?.rules === undefined ? [] : ruleBlock(content.rules, style),
    content?.settings === undefined ? [] : settingBlock(content.settings, style),
    content?.root === undefined ? [] : rootBlock(content.root, style),
    fileBlock(diff, style),
    attestationBlock(diff, style),
    (content?.unseen ?? []).map(({ side, path, reason }) => trouble(side, path, reason, style)),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

const RELATIONS: Readonly<Record<BundleDiff['relation'], string>> = {
  first: 'the first of its channel here',
  same: 'the same bundle',
  follows: 'which follows it directly',
  skips: 'with others in between',
  precedes: 'which is OLDER',
  fork: 'but NOT its successor: two histories of one channel',
  'other-channel': 'ANOTHER channel',
};

function headline({ before, after, relation }: BundleDiff, style: Style): string {
  const of = ({ channel, seq }: BundleDiff['after']) => `${escapeForTerminal(channel)} seq ${seq}`;
  const one = before?.channel === after.channel ? `seq ${after.seq}` : of(after);
  const title = before === undefined ? of(after) : `${of(before)} ${arrow(style)} ${one}`;
  return hangingText('', `${style.tone('strong', title)}, ${RELATIONS[relation]}`, style.width);
}

/** The headline has said the others. */
function isNews({ field }: FieldChange): boolean {
  return field !== 'seq' && field !== 'channel';
}

const FIELD_NAMES: Readonly<Record<string, string>> = { issuedAt: 'issued', root: 'trust root' };

function named(trusted: boolean): (change: FieldChange) => FieldChange {
  const names = { ...FIELD_NAMES, signers: trusted ? 'signed by' : 'signers (claimed)' };
  return (change) => ({ ...change, field: (names as Record<string, string>)[change.field] ?? change.field });
}

function fieldLines(changes: readonly FieldChange[], indent: string, style: Style): string[] {
  const column = Math.min(24, Math.max(0, ...changes.map(({ field }) => displayWidth(escapeForTerminal(field)))));
  return changes.flatMap(({ field, before, after }) => {
    const head = `${indent}${style.tone('muted', padDisplay(escapeForTerminal(field), column))}  `;
    if (Array.isArray(before) || Array.isArray(after)) return listLines(head, asList(before), asList(after), style);
    const line = `${shown(before)} ${arrow(style)} ${shown(after)}`;
    // Two texts run together would have to be taken apart again by whoever reads them.
    const fits = displayWidth(head) + displayWidth(line) <= style.width;
    return fits || before === null || after === null
      ? [hangingText(head, line, style.width)]
      : listLines(head, [String(before)], [String(after)], style);
  });
}

/** Only what came and what went; below its name where a word (a keyid) would not fit beside it. */
function listLines(head: string, before: readonly string[], after: readonly string[], style: Style): string[] {
  const rows = [
    ...before.filter((one) => !after.includes(one)).map((one) => ['-', escapeForTerminal(one)] as const),
    ...after.filter((one) => !before.includes(one)).map((one) => ['+', escapeForTerminal(one)] as const),
  ];
  if (rows.length === 0) return [hangingText(head, 'in another order', style.width)];
  const longest = Math.max(...rows.flatMap(([, text]) => text.split(' ').map(displayWidth)));
  const isBelow = displayWidth(head) + 2 + longest > style.width;
  const indent = ' '.repeat(isBelow ? 6 : displayWidth(head));
  const lines = rows.map(([sign, text], i) => {
    return hangingText(`${i === 0 && !isBelow ? head : indent}${mark(sign, style)}`, text, style.width);
  });
  return [...(isBelow ? [head.trimEnd()] : []), ...capped(lines)];
}

function asList(value: FieldValue): readonly string[] {
  if (value === null) return [];
  return Array.isArray(value) ? value : [String(value)];
}

function ruleBlock(rules: RulesDiff, style: Style): string[] {
  const { added, removed, changed, unchanged, unreadable } = rules;
  const counts = [
    `${added.length} added`,
    `${changed.length} changed`,
    `${removed.length} removed`,
    `${unchanged} unchanged`,
  ];
  return [
    style.tone('strong', `rules: ${counts.join(', ')}`),
    ...capped(added.map((rule) => ruleLine('+', rule, style))),
    ...capped(changed.map((change) => changedRule(change, style))),
    ...capped(removed.map((rule) => ruleLine('-', rule, style))),
    ...unreadable.map(({ side, path, reason }) => trouble(side, path, reason, style)),
  ];
}

function ruleLine(sign: Sign, { id, name, version, severity, status, attack }: RuleSummary, style: Style): string {
  const facts = [`version ${version}`, severity, status, attack.join(', ') || 'no ATT&CK tag'].join(', ');
  return [
    hangingText(`  ${mark(sign, style)}${style.tone('accent', id)}  `, escapeForTerminal(name), style.width),
    hangingText('      ', facts, style.width),
  ].join('\n');
}

function changedRule({ before, after, fields, sql, versionKept }: RuleChange, style: Style): string {
  const title = `${after.name} (${[after.severity, ...after.attack].join(', ')})`;
  const id = before.id === after.id ? after.id : `${before.id} ${arrow(style)} ${after.id}`;
  const lines = [
    hangingText(`  ${mark('~', style)}${style.tone('accent', id)}  `, escapeForTerminal(title), style.width),
    ...fieldLines(fields, '      ', style),
    ...sqlLines(sql, style),
  ];
  if (fields.length === 0 && sql.length === 0) lines.push('      only comments or layout');
  if (versionKept) {
    const warning = `what it finds changed, but its version is still ${after.version}`;
    lines.push(hangingText(`      ${style.tone('bad', 'note')}  `, warning, style.width));
  }
  return lines.join('\n');
}

function sqlLines(lines: readonly LineChange[], style: Style): string[] {
  if (lines.length === 0) return [];
  return [`      ${style.tone('muted', 'sql')}`, ...lines.map((line) => sqlLine(line, style))];
}

function sqlLine(line: LineChange, style: Style): string {
  if (line.kind === 'skipped') {
    const dots = style.unicode ? '…' : '...';
    return `        ${style.tone('muted', `${dots} ${count(line.lines, 'equal line')}`)}`;
  }
  const sign = { same: '  ', added: mark('+', style), removed: mark('-', style) }[line.kind];
  const text = escapeForTerminal(line.text.replaceAll('\t', '  '));
  const start = text.length - text.trimStart().length;
  // What is wrapped stays under the beginning of its line, so that indentation still tells something.
  return hangingText(`        ${sign}${text.slice(0, Math.min(start, 24))}`, text.slice(start), style.width).trimEnd();
}

function settingBlock(changes: readonly SettingChange[], style: Style): string[] {
  const fields = changes.map(({ name, before, after }) => ({
    field: name,
    before: settingValue(before),
    after: settingValue(after),
  }));
  return [style.tone('strong', `settings: ${changes.length || 'none'} changed`), ...fieldLines(fields, '  ', style)];
}

/** As the person who wrote it would read it. */
export function settingValue(value: SettingValue | undefined): FieldValue {
  if (value === undefined) return null;
  if (!Array.isArray(value)) return typeof value === 'number' ? value : String(value);
  return value.map((one) => (typeof one === 'string' ? one : `${one.name} ${one.url}`));
}

function rootBlock(changes: readonly FieldChange[], style: Style): string[] {
  const title = changes.length === 0 ? 'trust root: the same' : 'trust root: what its newest version changes';
  return [style.tone('strong', title), ...fieldLines(changes, '  ', style)];
}

function fileBlock({ files, before, after }: BundleDiff, style: Style): string[] {
  const { added, removed, changed, unchanged } = files;
  const size = before === undefined ? `${after.bytes}` : `${before.bytes} ${arrow(style)} ${after.bytes}`;
  const counts = `${added.length} added, ${changed.length} changed, ${removed.length} removed, ${unchanged} unchanged`;
  return [
    style.tone('strong', `files: ${counts}; ${size} bytes`),
    ...capped(added.map(({ path, mode, size: bytes }) => fileLine('+', path, `${mode}, ${bytes} bytes`, style))),
    ...capped(changed.map((change) => fileLine('~', change.path, fileChange(change, style), style))),
    ...capped(removed.map(({ path, size: bytes }) => fileLine('-', path, `${bytes} bytes`, style))),
  ];
}

/** Whom the vendors' signatures must be of. What is dropped here changes no byte of the file. */
function attestationBlock({ attestations }: BundleDiff, style: Style): string[] {
  if (attestations.length === 0) return [];
  const lines = attestations.map(({ path, material, fields }) => {
    const [isNew, isGone] = [
      fields.every(({ before }) => before === null),
      fields.every(({ after }) => after === null),
    ];
    const sign = isNew ? '+' : isGone ? '-' : '~';
    const title = `${escapeForTerminal(path)}  by ${escapeForTerminal(material)}`;
    return [hangingText(`  ${mark(sign, style)}`, title, style.width), ...fieldLines(fields, '      ', style)].join(
      '\n',
    );
  });
  return [style.tone('strong', "third parties' signatures: what they must be"), ...capped(lines)];
}

function fileChange({ before, after }: FileDiff['changed'][number], style: Style): string {
  const mode = before.mode === after.mode ? [] : [`${before.mode} ${arrow(style)} ${after.mode}`];
  const size =
    before.size === after.size ? `${after.size} bytes` : `${before.size} ${arrow(style)} ${after.size} bytes`;
  return [...mode, size].join(', ');
}

function fileLine(sign: Sign, path: string, facts: string, style: Style): string {
  return hangingText(`  ${mark(sign, style)}`, `${escapeForTerminal(path)}  ${facts}`, style.width);
}

function trouble(side: string, path: string, reason: string, style: Style): string {
  const text = `${escapeForTerminal(path)} (${side}): ${escapeForTerminal(reason)}`;
  return hangingText(`  ${style.tone('bad', '!')} `, text, style.width);
}

type Sign = '+' | '~' | '-';
const TONES = { '+': 'good', '~': 'accent', '-': 'bad' } as const;

function mark(sign: Sign, style: Style): string {
  return `${style.tone(TONES[sign], sign)} `;
}

function arrow({ unicode }: Style): string {
  return unicode ? '→' : '->';
}

function shown(value: FieldValue): string {
  return value === null ? 'none' : escapeForTerminal(String(value));
}

function capped(lines: readonly string[]): string[] {
  if (lines.length <= MAX_SHOWN) return [...lines];
  return [...lines.slice(0, MAX_SHOWN), `  and ${lines.length - MAX_SHOWN} more; --json has all`];
}
