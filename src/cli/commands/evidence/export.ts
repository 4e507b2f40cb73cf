import { basename } from 'node:path';
import { Command, Option } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { type Exported, exportEvidence } from '../../../forensics/evidence/export-io.ts';
import { parseBagName } from '../../../forensics/evidence/layout.ts';
import { logDirectories, readEnrolments } from '../../../install/enrolment-io.ts';
import { dataLayout } from '../../../install/layout.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { parseMoment } from '../../moment.ts';
import { ownSealingKey } from '../../sealing-key-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';

const RANGE = /^([a-z0-9][a-z0-9._-]{0,62}):([0-9]+)-([0-9]+)$/;

export class EvidenceExport extends DaemonCommand {
  static override paths = [['evidence', 'export']];
  static override usage = Command.Usage({
    description:
      'Export a trace, or ranges of logs, as one sealed evidence package. Every other line is withheld, provably.',
    details:
      'The name of the file says case and number: plant-7-1.evidence.tar is number 1 of the case plant-7. Sealed with ' +
      "the key of one of this host's logs in it, or with --key of somebody who holds the role evidence. Enrolments accepted here go along.",
    examples: [
      ['A trace', '$0 evidence export --trace 0197a3 --out /media/usb/plant-7-1.evidence.tar'],
      ['Lines 100 to 199 of a log', '$0 evidence export --range procmond:100-200 --out plant-7-2.evidence.tar'],
    ],
  });

  trace = Option.String('--trace', { description: 'export all of the trace `ID`, and what explains it' });
  ranges = Option.Array('--range', [], { description: 'export all lines of `LOG:FROM-TO`, from FROM to before TO' });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });
  logs = Option.Array('--log', [], { description: 'export from the log in `DIR`; default all logs here' });
  key = Option.String('--key', { description: 'seal with the private key in `FILE`' });
  reason = Option.String('--reason', { description: 'why, for who receives it: `TEXT`' });
  createdAt = Option.String('--created-at', { description: 'date it `MOMENT` instead of now' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const layout = dataLayout(this.dataDirectory);
    const logs = this.logs.length > 0 ? this.logs : logDirectories(this.dataDirectory);
    const exported = await exportEvidence({
      logs,
      what: this.#what(),
      enrolments: readEnrolments(layout),
      key:
        this.key === undefined
          ? await ownSealingKey(this.dataDirectory, logs)
          : await loadPrivateKey(this.key, this.context, this.passphraseFile),
      ...(parseBagName(basename(this.out, '.tar')) ?? { case: 'evidence', number: 1 }),
      createdAt: this.createdAt === undefined ? this.now : parseMoment(this.createdAt, this.now, '--created-at'),
      builder: { name: RELEASE.name, version: RELEASE.version },
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      out: this.out,
      signal: this.signal,
    });
    const { file, sha256, bytes, digest, document } = exported;
    this.result({ file, sha256, bytes, digest, package: document }, renderExported(exported));
    if (document.enrolments.length === 0) {
      this.note(
        'No enrolment goes along: the other side must know this host, or it will refuse (trust enrol request).',
      );
    }
    return EXIT.done;
  }

  #what(): { trace: string } | { ranges: { log: string; from: number; to: number }[] } {
    if ((this.trace === undefined) === (this.ranges.length === 0)) {
      throw usageError('USAGE_OPTION', 'say what to export: either --trace, or --range once or more');
    }
    if (this.trace !== undefined) return { trace: this.trace };
    const ranges = this.ranges.map((text) => {
      const [, log, from = '', to = ''] = RANGE.exec(text) ?? [];
      if (log === undefined)
        throw usageError('USAGE_VALUE', `--range takes LOG:FROM-TO such as procmond:10-20, not "${text}"`);
      return { log, from: parseWholeNumber(from, 'FROM'), to: parseWholeNumber(to, 'TO') };
    });
    return { ranges };
  }
}

function renderExported({ file, bytes, digest, document }: Exported): string {
  const logs = document.hosts.flatMap(({ host, logs }) =>
    logs.map(({ log, lines, withheld }) => `  ${host} ${log}: ${count(lines, 'line')}, ${withheld} withheld`),
  );
  return [`${escapeForTerminal(file)}  ${bytes} bytes`, ...logs, `sealed  ${digest}`].join('\n');
}
