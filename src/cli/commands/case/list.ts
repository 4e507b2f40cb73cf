import { Command } from 'clipanion';
import { count } from '../../../core/wording.ts';
import { listCases, openCase } from '../../../forensics/case/case-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class CaseList extends DaemonCommand {
  static override paths = [['case', 'list']];
  static override usage = Command.Usage({
    description: 'List the cases here and the packages in each.',
    examples: [['What there is', '$0 case list']],
  });

  async run(): Promise<ExitCode> {
    const cases = listCases(this.dataDirectory).map((name) => openCase(this.dataDirectory, name).document);
    const lines = cases.flatMap(({ name, createdAt, packages }) => [
      `${name}  since ${createdAt}, ${count(packages.length, 'package')}`,
      ...packages.map((one) => `  ${one.name}  ${count(one.lines, 'line')}, ${one.withheld} withheld  ${one.digest}`),
    ]);
    this.result({ cases }, lines.length === 0 ? 'there is no case yet' : lines.join('\n'));
    return EXIT.done;
  }
}
