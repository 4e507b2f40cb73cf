import { Command, Option } from 'clipanion';
import type { Digest } from '../../../core/digest.ts';
import type { RootDocument } from '../../../verify/root-document.ts';
import { withRevokedKey, withRevokedPayload } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { keyidsNamed } from '../../draft-keys-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { changeDraft } from '../../trust-workspace-io.ts';
import { DROPPED_SIGNATURES } from './wording.ts';

export class TrustRevoke extends DaemonCommand {
  static override paths = [['trust', 'revoke']];
  static override usage = Command.Usage({
    description: 'Revoke keys or signed documents in the draft of a trust root.',
    details: 'A revoked key leaves every role. What it signed stops counting as soon as the finished root arrives.',
    examples: [
      ['A lost key', '$0 trust revoke root --key bob'],
      ['A bundle that should not have been signed', '$0 trust revoke root --payload sha256:4f…'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  keys = Option.Array('--key', [], { description: 'revoke `KEY`: an operator (all of its keys), a keyid or a file' });
  payloads = Option.Array('--payload', [], { description: 'revoke the document with the payload `DIGEST`' });

  async run(): Promise<ExitCode> {
    if (this.keys.length + this.payloads.length === 0) {
      throw usageError('USAGE_OPTION', 'say what to revoke: --key or --payload');
    }
    let revoked: RootDocument['revoked'] = { keys: [], payloads: [] };
    const dropped = changeDraft(this.directory, (draft) => {
      const keyids = this.keys.flatMap((key) => keyidsNamed(draft, key));
      const withKeys = keyids.reduce(withRevokedKey, draft);
      const next = this.payloads.map(payloadNamed).reduce(withRevokedPayload, withKeys);
      revoked = next.revoked;
      return next;
    });
    const { keys, payloads } = revoked;
    this.result({ revoked }, `revoked in the draft: ${keys.length} keys, ${payloads.length} documents`);
    if (dropped) this.note(DROPPED_SIGNATURES);
    return EXIT.done;
  }
}

/** Documents are told by their SHA-256; revoking any other digest would look like something and do nothing. */
function payloadNamed(text: string): Digest {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text as Digest;
  throw usageError('USAGE_VALUE', `--payload takes sha256: and 64 hex digits, as reports show it, not "${text}"`);
}
