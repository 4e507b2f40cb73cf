import { Command, Option } from 'clipanion';
import { openCase } from '../../../forensics/case/case-io.ts';
import { lineageTree, renderLineage } from '../../../forensics/case/lineage.ts';
import { lineageSql, readLineage } from '../../../forensics/case/lineage-sql.ts';
import { openCaseReader } from '../../../forensics/case/query-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class CaseLineage extends DaemonCommand {
  static override paths = [['case', 'lineage']];
  static override usage = Command.Usage({
    description: 'Print the processes of a case as a tree: who started whom, connected where, raised which alert.',
    details: 'FOCUS is a trace, a process identity or a pid: what is above it and below it. Without it, everything.',
    examples: [
      ['What one trace saw', '$0 case lineage march-7 trace-1'],
      ['The question behind it, to ask it differently', '$0 case lineage march-7 trace-1 --sql'],
    ],
  });

  name = Option.String({ name: 'NAME' });
  focus = Option.String({ name: 'FOCUS', required: false });
  sql = Option.Boolean('--sql', false, { description: 'print the question instead of asking it' });

  async run(): Promise<ExitCode> {
    const opened = openCase(this.dataDirectory, this.name);
    const sql = lineageSql(this.focus);
    if (this.sql) {
      this.result({ sql }, sql);
      return EXIT.done;
    }
    await using reader = openCaseReader(opened);
    const rows = readLineage(await reader.query(sql, { signal: this.signal }));
    const lines = renderLineage(lineageTree(rows), this.style);
    this.result({ sql, processes: rows }, lines.length === 0 ? 'no such process is in the case' : lines.join('\n'));
    return EXIT.done;
  }
}
