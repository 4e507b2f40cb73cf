import { Command, Option } from 'clipanion';
import { encodeHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/digest.ts';
import { DaemonEyeError } from '../../../core/errors.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { pinnedParts } from '../../../verify/release/pinned-file.ts';
import { isPinKind, MAX_PINNED_BYTES, PIN_KINDS, sayPinChange } from '../../../verify/release-pins.ts';
import type { PinKind, ReleasePin } from '../../../verify/root-document.ts';
import { withReleasePin } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../files-io.ts';
import { parseName } from '../../names.ts';
import { keepPinnedFile, removeUnpinned } from '../../pinned-workspace-io.ts';
import { PUBLIC_GOOD } from '../../release/sigstore-trust.ts';
import { changeDraft, readChain, readDraft } from '../../trust-workspace-io.ts';
import { DROPPED_SIGNATURES } from '../trust/wording.ts';

export class ReleaseRootsAdd extends DaemonCommand {
  static override paths = [['release', 'roots', 'add']];
  static override usage = Command.Usage({
    description: 'Pin a file that releases are judged by in the draft of a trust root, and keep a copy beside it.',
    details:
      'The root names it by its digest; a bundle of kind trust, built from DIR, carries it. Then "release verify" takes ' +
      'NAME where it takes such a file. A name that is pinned already is pinned to the new file.',
    examples: [
      ["A vendor's key", '$0 release roots add root vendor vendor.pub --kind minisign'],
      ['A sigstore of your own', '$0 release roots add root our-sigstore trusted_root.json --kind sigstore'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  name = Option.String({ name: 'NAME' });
  file = Option.String({ name: 'FILE' });
  kind = Option.String('--kind', {
    required: true,
    description: `what it is, one of \`KIND\`: ${PIN_KINDS.join(', ')}`,
  });

  async run(): Promise<ExitCode> {
    const name = parseName(this.name, 'NAME');
    if (name === PUBLIC_GOOD)
      throw usageError('USAGE_VALUE', `${PUBLIC_GOOD} ships with this program; take another name`);
    const kind = parseKind(this.kind);
    const draft = readDraft(this.directory);
    const bytes = readInputFile(this.file, { maxBytes: MAX_PINNED_BYTES });
    assertKind(this.file, kind, bytes);
    const pin: ReleasePin = { kind, sha256: encodeHex(sha256(bytes)) };
    const before = new Map(Object.entries(draft.releases ?? {})).get(name);
    // First the file: a draft that pins what is not here would be signed for nothing.
    const copy = keepPinnedFile(this.directory, pin.sha256, bytes);
    const dropped = changeDraft(this.directory, (current) => withReleasePin(current, name, pin));
    const finished = readChain(this.directory).slice(-1);
    removeUnpinned(this.directory, [readDraft(this.directory), ...finished.map(({ document }) => document)]);
    this.result(
      { name, ...pin, copy, ...(before === undefined ? {} : { before }) },
      `${sayPinChange({ name, ...(before === undefined ? {} : { before }), after: pin })}\n${escapeForTerminal(copy)}`,
    );
    if (dropped) this.note(DROPPED_SIGNATURES);
    return EXIT.done;
  }
}

function parseKind(text: string): PinKind {
  if (isPinKind(text)) return text;
  throw usageError('USAGE_VALUE', `--kind is one of ${PIN_KINDS.join(', ')}, not "${text}"`);
}

/** Nobody should sign for a file that every enclave would refuse to use. */
function assertKind(path: string, kind: PinKind, bytes: Uint8Array): void {
  try {
    pinnedParts(kind, bytes);
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError)) throw cause;
    const message = `${escapeForTerminal(path)} can't be pinned as ${kind}: ${cause.message}`;
    throw Object.assign(usageError('USAGE_VALUE', message), { cause });
  }
}
