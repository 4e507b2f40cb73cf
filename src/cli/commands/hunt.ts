import type { ReadStream, WriteStream } from 'node:tty';
import { Command, Option } from 'clipanion';
import { type Case, listCases, openCase, readReport } from '../../forensics/case/case-io.ts';
import { openCaseReader } from '../../forensics/case/query-io.ts';
import { createTimelineSource, SOURCE_LIMITS, type TimelineSource } from '../../tui/timeline-source.ts';
import { type CaseView, plainRow } from '../../tui/view.ts';
import { DaemonCommand } from '../command.ts';
import { Interruption, usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { parseWholeNumber } from '../whole-number.ts';

const DEFAULT_LIMIT = '1000';
const PAGE = 1000;

export class Hunt extends DaemonCommand {
  static override paths = [['hunt']];
  static override usage = Command.Usage({
    description: 'Look through a case on the terminal: its timeline, and each line in full.',
    details: 'Without a terminal, with TERM=dumb or --json it prints the timeline instead. Press ? for the keys.',
    examples: [
      ['The only case there is', '$0 hunt'],
      ['As text', '$0 hunt march-7 --plain --limit 50'],
    ],
  });

  name = Option.String({ name: 'CASE', required: false });
  plain = Option.Boolean('--plain', false, { description: 'print the timeline, a line each' });
  limit = Option.String('--limit', DEFAULT_LIMIT, { description: 'print at most `N` lines' });

  async run(): Promise<ExitCode> {
    const limit = parseWholeNumber(this.limit, '--limit');
    const opened = openCase(this.dataDirectory, this.name ?? this.#onlyCase());
    await using reader = openCaseReader(opened, SOURCE_LIMITS);
    const source = createTimelineSource(reader);
    const { words } = await reader.fence();
    const view = viewOf(opened, words);
    const { stdin, stdout, stderr, env } = this.context;
    const isScreen = isTerminal(stdin) && isTerminal(stdout) && env['TERM'] !== 'dumb';
    if (this.json || this.plain || !isScreen) return await this.#print(view, source, limit);
    // Loaded here: it brings react along.
    const { runHunt } = await import('../../tui/hunt.ts');
    const { colour, unicode } = this.style;
    const left = await runHunt({
      view,
      source,
      stdin: stdin as ReadStream,
      stdout: stdout as WriteStream,
      stderr,
      colour: colour !== 'none',
      unicode,
      signal: this.signal,
    });
    if (left === 'interrupted') throw new Interruption('SIGINT');
    if (left === 'gone') throw new Interruption('SIGHUP');
    return EXIT.done;
  }

  #onlyCase(): string {
    const cases = listCases(this.dataDirectory);
    const [only, ...more] = cases;
    if (only !== undefined && more.length === 0) return only;
    const hint =
      only === undefined ? 'there is none yet; make one: daemoneye case create' : `there are: ${cases.join(', ')}`;
    throw usageError('USAGE_ARGUMENT', `say which case; ${hint}`);
  }

  async #print(view: CaseView, source: TimelineSource, limit: number): Promise<ExitCode> {
    const total = await source.count();
    const rows = [];
    for (let from = 0; from < Math.min(total, limit); from += PAGE) {
      const to = Math.min(total, limit, from + PAGE);
      rows.push(...(await source.rows(Array.from({ length: to - from }, (_, i) => from + i))));
    }
    const packages = [...view.packages].map(([digest, held]) => ({ digest, ...held }));
    this.result(
      { case: view.name, packages, fence: view.fence, masked: true, total, rows },
      rows.map(plainRow).join('\n'),
    );
    const verdicts = packages.map(({ name, verdict }) => `${name} ${verdict}`).join(', ') || 'no package';
    this.note(`${rows.length} of ${total} lines; ${verdicts}; masked; ${view.fence}`);
    return EXIT.done;
  }
}

function isTerminal(stream: object): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}

function viewOf({ directory, document }: Case, fence: string): CaseView {
  const packages = document.packages.map(({ digest, name }) => {
    return [digest, { name, verdict: readReport(directory, digest).verdict }] as const;
  });
  return { name: document.name, packages: new Map(packages), fence };
}
