import { Command, Option } from 'clipanion';
import { count } from '../../../core/wording.ts';
import { openCase } from '../../../forensics/case/case-io.ts';
import { openCaseReader } from '../../../forensics/case/query-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { renderTable } from './table.ts';

export class CaseQuery extends DaemonCommand {
  static override paths = [['case', 'query']];
  static override usage = Command.Usage({
    description: 'Ask a case one SELECT, and print the rows.',
    details:
      'It runs in a process of its own that sees nothing but the case, read-only, and is ended when it takes too long. ' +
      'Arguments and environments are masked.',
    examples: [
      ['Who connected where', "$0 case query march-7 'SELECT process_name, destination_ip FROM connections'"],
      ['As JSON', "$0 case query march-7 'SELECT * FROM alerts' --json"],
    ],
  });

  name = Option.String({ name: 'NAME' });
  sql = Option.String({ name: 'SQL' });

  async run(): Promise<ExitCode> {
    await using reader = openCaseReader(openCase(this.dataDirectory, this.name));
    const { columns, rows } = await reader.query(this.sql, { signal: this.signal });
    const { name: fence, words } = await reader.fence();
    this.result({ columns, rows, fence }, renderTable(columns, rows, this.style));
    this.note(`${count(rows.length, 'row')}, masked, ${words}`);
    return EXIT.done;
  }
}
