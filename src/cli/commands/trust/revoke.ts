import { Command, Option } from 'clipanion';
import type { Digest } from '../../../core/digest.ts';
import { count } from '../../../core/wording.ts';
import type { RootDocument } from '../../../verify/root-document.ts';
import { withRevokedKey, withRevokedPayload } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { keysToRevoke } from '../../draft-keys-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { changeDraft } from '../../trust-workspace-io.ts';
import { readLogHeads } from '../../valid-through-io.ts';
import { DROPPED_SIGNATURES } from './wording.ts';

export class TrustRevoke extends DaemonCommand {
  static override paths = [['trust', 'revoke']];
  static override usage = Command.Usage({
    description: 'Revoke keys or signed documents in the draft of a trust root.',
    details:
      'A revoked key leaves every role. What it signed stops counting as soon as the finished root arrives. Of a log, ' +
      'what was known before its key was lost can be kept: --valid-through names a checkpoint that still counts.',
    examples: [
      ['A lost key', '$0 trust revoke root --key bob'],
      ['A bundle that should not have been signed', '$0 trust revoke root --payload sha256:4f…'],
      [
        'A stolen host, whose log was seen at this checkpoint before',
        '$0 trust revoke root --key plant-7.enrolment.json --valid-through plant-7.checkpoint',
      ],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  keys = Option.Array('--key', [], {
    description: 'revoke `KEY`: an operator (all of its keys), a keyid, a key file or an enrolment',
  });
  payloads = Option.Array('--payload', [], { description: 'revoke the document with the payload `DIGEST`' });
  checkpoints = Option.Array('--valid-through', [], { description: 'of a log, still count the checkpoint in `FILE`' });

  async run(): Promise<ExitCode> {
    if (this.keys.length + this.payloads.length === 0) {
      throw usageError('USAGE_OPTION', 'say what to revoke: --key or --payload');
    }
    let revoked: RootDocument['revoked'] = { keys: [], payloads: [] };
    let unlisted = 0;
    const dropped = changeDraft(this.directory, (draft) => {
      const named = this.keys.flatMap((key) => keysToRevoke(draft, key));
      unlisted = named.filter(({ keyid }) => !Object.hasOwn(draft.keys, keyid)).length;
      const heads = readLogHeads(this.checkpoints, named);
      const withKeys = named.reduce((next, { keyid }) => withRevokedKey(next, keyid, heads.get(keyid)), draft);
      const next = this.payloads.map(payloadNamed).reduce(withRevokedPayload, withKeys);
      revoked = next.revoked;
      return next;
    });
    const { keys, payloads } = revoked;
    this.result({ revoked }, `revoked in the draft: ${keys.length} keys, ${payloads.length} documents`);
    if (unlisted > 0) {
      this.note(`Not listed in the draft: ${count(unlisted, 'key')}, to be revoked as those of logs or enrolments.`);
    }
    if (dropped) this.note(DROPPED_SIGNATURES);
    return EXIT.done;
  }
}

/** Documents are told by their SHA-256; revoking any other digest would look like something and do nothing. */
function payloadNamed(text: string): Digest {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text as Digest;
  throw usageError('USAGE_VALUE', `--payload takes sha256: and 64 hex digits, as reports show it, not "${text}"`);
}
