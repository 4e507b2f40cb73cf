import { Command, Option } from 'clipanion';
import { askAgent } from '../../agent/control/client-io.ts';
import type { QueryResult } from '../../agent/requests.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { count } from '../../core/wording.ts';
import { DaemonCommand } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { displayWidth, padDisplay } from '../render/text.ts';

/** A column of a table on a terminal is no wider; JSON has it all. */
const MAX_CELL = 60;

export class Query extends DaemonCommand {
  static override paths = [['query']];
  static override usage = Command.Usage({
    description: 'Ask the event store of the running agent: one SELECT over the tables that rules see.',
    details:
      "Answered in a child that reads nothing else and is killed when it takes too long. Arguments are masked. The question goes into the agent's log.",
    examples: [
      [
        'Who listens',
        '$0 query "SELECT process_name, destination_port FROM connections WHERE connection_state = \'listening\'"',
      ],
      ['For programs', '$0 query "SELECT * FROM processes LIMIT 5" --json'],
    ],
  });

  sql = Option.String({ name: 'SQL' });

  async run(): Promise<ExitCode> {
    const params = { sql: this.sql };
    const result = (await askAgent(this.dataDirectory, 'query', {
      params,
      signal: this.signal,
    })) as QueryResult;
    this.signal.throwIfAborted();
    this.result(result, tableText(result));
    this.note(count(result.rows.length, 'row'));
    return EXIT.done;
  }
}

function tableText({ columns, rows }: QueryResult): string {
  const cells = [columns, ...rows].map((row) => row.map((cell) => shorten(escapeForTerminal(String(cell ?? '')))));
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => displayWidth(row[at] ?? ''))));
  return cells
    .map((row) =>
      row
        .map((cell, at) => padDisplay(cell, widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length <= MAX_CELL ? text : `${characters.slice(0, MAX_CELL - 1).join('')}…`;
}
