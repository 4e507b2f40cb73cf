import { Command, Option } from 'clipanion';
import { MAX_ROOT_BYTES } from '../../../bundle/format.ts';
import { pinRoot } from '../../../install/pin-io.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../files-io.ts';
import { openInstallHere } from '../../install-here-io.ts';

export class TrustPin extends DaemonCommand {
  static override paths = [['trust', 'pin']];
  static override usage = Command.Usage({
    description: 'Pin a trust root here: from now on it, and its successors, decide what is trusted.',
    details:
      'Get the fingerprint from the publisher by another way than the file itself: on paper, by telephone. Whoever ' +
      'hands over both on one stick could hand over anything.',
    examples: [['As printed on the hand-over sheet', '$0 trust pin 1.root.dsse.json --fingerprint sha256:91ab…']],
  });

  file = Option.String({ name: 'ROOT' });
  fingerprint = Option.String('--fingerprint', { required: true, description: 'the root must have this `DIGEST`' });

  async run(): Promise<ExitCode> {
    await using install = await openInstallHere(this.dataDirectory);
    const { root, entry } = await pinRoot(
      install,
      readInputFile(this.file, { maxBytes: MAX_ROOT_BYTES }),
      parseFingerprint(this.fingerprint),
    );
    this.result(
      { version: root.version, fingerprint: root.digest, expires: root.expires, entry },
      `pinned trust root ${root.version} (valid until ${root.expires}), logged as entry ${entry.seq}`,
    );
    return EXIT.done;
  }
}

/** As people copy it from paper: in groups, in capitals, with or without the name of the hash. */
function parseFingerprint(text: string): string {
  const digits = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text.replace(/\s/g, '').toLowerCase())?.[1];
  if (digits !== undefined) return `sha256:${digits}`;
  throw usageError('USAGE_VALUE', `--fingerprint takes sha256: and 64 hex digits, not "${text}"`);
}
