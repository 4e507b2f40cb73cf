import { embedEnvelope } from '../core/embedded-envelope.ts';
import { laterTime } from '../core/time.ts';
import { checkHeads, HEADS, type HeadsDocument } from '../verify/heads.ts';
import { parseDocument, parseDocumentEnvelope, type Verified, verifyDocument } from '../verify/signed-document.ts';
import type { LoggedEntry, WritableInstall } from './install-io.ts';
import { loadPinnedRoot } from './root-store-io.ts';

export type AcceptedStatement<D> = { readonly verified: Verified<D>; readonly entry: LoggedEntry };

/**
 * Takes in a heads statement that answers a receipt of this enclave. From then on what it names is fresh as of the
 * moment it was issued, until it expires at the floor or a newer trust root no longer stands behind it.
 * @param bytes of the envelope
 * @throws VerifyError as `verifyDocument` and `checkHeads`; InstallError; LedgerError; DurableError
 */
export async function acceptHeads(
  install: WritableInstall,
  bytes: Uint8Array,
): Promise<AcceptedStatement<HeadsDocument>> {
  const { layout, state } = install;
  const root = loadPinnedRoot(layout, state);
  const verified = verifyDocument(HEADS, root, parseDocumentEnvelope(HEADS, bytes), state.floor);
  const { heads, nonces, spent, channels } = state;
  const before = heads && parseDocument(HEADS, heads.envelope.payload);
  const highest = (channel: string) => channels.get(channel)?.highest;
  const answered = checkHeads(verified, { nonces, spent, highest, before });
  const { document, envelope, payload } = verified;
  const data = {
    payload,
    nonces: answered,
    issued_at: document.issuedAt,
    expires: document.expires,
    root_version: root.version,
    floor: laterTime(state.floor, document.issuedAt),
    document: embedEnvelope(envelope),
  };
  return { verified, entry: await install.append({ type: 'heads.accepted', data }) };
}
