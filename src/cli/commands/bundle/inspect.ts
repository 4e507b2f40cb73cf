import { Command, Option } from 'clipanion';
import { inspectBundle } from '../../../bundle/inspect-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { decryptionBy } from '../../volumes-argument-io.ts';

export class BundleInspect extends DaemonCommand {
  static override paths = [['bundle', 'inspect']];
  static override usage = Command.Usage({
    description: 'Look into a bundle without trusting it: what it says of itself, unverified.',
    examples: [['What is on this stick', '$0 bundle inspect /media/usb/linux-2.bundle.tar']],
  });

  bundle = Option.String({ name: 'BUNDLE' });
  identities = Option.Array('--identity', [], { description: 'open it with the age identity in `FILE`' });

  async run(): Promise<ExitCode> {
    const { transport, payload, statement, entries, claimedSigners, rootVersions } = await inspectBundle(
      this.bundle,
      decryptionBy(this.identities),
    );
    const lines = [
      this.style.tone('strong', 'NOT VERIFIED: anybody can write this'),
      `bundle      ${statement.channel} seq ${statement.seq} (${statement.kind}, ${transport})`,
      `statement   ${payload}`,
      `previous    ${statement.prev ?? 'none, the first of its channel'}`,
      `issued      ${statement.issuedAt}`,
      `expires     ${statement.expires ?? 'never'}`,
      `audience    ${statement.audience.join(', ') || 'every enclave'}`,
      `built by    ${escapeForTerminal(statement.builder.name)} ${escapeForTerminal(statement.builder.version)}`,
      `trust root  ${rootVersions.join(', ')}`,
      `signatures  ${claimedSigners.map((keyid) => `claimed by ${keyid}`).join('\n            ') || 'none'}`,
      '',
      ...entries.map(({ path, mode, size }) => `${mode} ${String(size).padStart(10)}  ${escapeForTerminal(path)}`),
    ];
    this.result({ transport, payload, statement, files: entries, claimedSigners, rootVersions }, lines.join('\n'));
    return EXIT.done;
  }
}
