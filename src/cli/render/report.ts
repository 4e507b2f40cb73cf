import { type Check, decidingCheck, type Freshness, type Report, type Signer } from '../../core/checks.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Style } from './style.ts';
import { displayWidth, hangingText, padDisplay } from './text.ts';

/**
 * A verification report for people: the verdict first, then the subject, one line a check in the report's own order,
 * who signed, how fresh it is, and the verdict again: on a small terminal the first line has scrolled away. Everything in a report may come from an attacker, so all of it is escaped.
 */
export function renderReport(report: Report, style: Style): string {
  const blocks = [
    [verdictLine(report, style), ...subjectLines(report, style)],
    report.checks.map((check) => checkLine(check, columnOf(report.checks.map(({ name }) => name)), style)),
    [...signerLines(report.signers, style), freshnessLine(report.freshness, style)],
    [verdictLine(report, style)],
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

/** `✓ trusted  bundle rules/linux-baseline` or `✗ refused  … : signatures [THRESHOLD]`. */
function verdictLine(report: Report, style: Style): string {
  const isTrusted = report.verdict === 'trusted';
  const verdict = `${style.mark(isTrusted)} ${style.tone(isTrusted ? 'good' : 'bad', report.verdict)}`;
  const subject = `${report.subject.type} ${escapeForTerminal(report.subject.name)}`;
  const deciding = isTrusted ? undefined : decidingCheck(report);
  const because =
    deciding === undefined ? '' : `, because of ${escapeForTerminal(deciding.name)}${codeOf(deciding, style)}`;
  return hangingText(`${verdict}  `, `${style.tone('strong', subject)}${because}`, style.width);
}

function subjectLines({ subject }: Report, style: Style): string[] {
  const entries = Object.entries({
    ...(subject.digest === undefined ? {} : { digest: subject.digest }),
    ...subject.detail,
  });
  const column = columnOf(entries.map(([name]) => name));
  return entries.map(([name, value]) => fact(name, String(value), column, style));
}

function checkLine(check: Check, column: number, style: Style): string {
  const head = `  ${style.status(check.status)}  ${padDisplay(escapeForTerminal(check.name), column)}  `;
  return hangingText(head, escapeForTerminal(check.reason) + codeOf(check, style), style.width);
}

function codeOf({ code }: Check, style: Style): string {
  return code === undefined ? '' : ` ${style.tone('muted', `[${escapeForTerminal(code)}]`)}`;
}

function signerLines(signers: readonly Signer[], style: Style): string[] {
  return signers.map(({ keyid, role, operator, identity, issuer }) => {
    const name = operator ?? identity;
    const vouched = issuer === undefined ? '' : ` (${issuer})`;
    const who = name === undefined ? '' : ` by ${name}${vouched}`;
    return fact('signed', `${role}${who}, key ${keyid}`, FACT_COLUMN, style);
  });
}

function freshnessLine({ status, reason, asOf, floor, expires }: Freshness, style: Style): string {
  const bounds = [
    ...(floor === undefined ? [] : [`floor ${floor}`]),
    ...(expires === undefined ? [] : [`expires ${expires}`]),
  ];
  const word = asOf === undefined ? FRESHNESS_WORDS[status] : `as of ${asOf}`;
  const said = `${word}: ${reason}${bounds.length === 0 ? '' : ` (${bounds.join(', ')})`}`;
  return fact('fresh', said, FACT_COLUMN, style);
}

const FRESHNESS_WORDS: Readonly<Record<Freshness['status'], string>> = {
  fresh: 'yes',
  'not-provable': 'not provably',
  expired: 'no, expired',
  unknown: 'unknown',
};

const FACT_COLUMN = 'signed'.length;

function fact(name: string, value: string, column: number, style: Style): string {
  const head = `  ${style.tone('muted', padDisplay(escapeForTerminal(name), column))}  `;
  return hangingText(head, escapeForTerminal(value), style.width);
}

function columnOf(names: readonly string[]): number {
  return Math.max(0, ...names.map((name) => displayWidth(escapeForTerminal(name))));
}
