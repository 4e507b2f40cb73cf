import { payloadDigest } from '../core/dsse.ts';
import { embedEnvelope } from '../core/embedded-envelope.ts';
import { laterTime } from '../core/time.ts';
import { checkHeads, HEADS, type HeadsDocument } from '../verify/heads.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { parseDocument, parseDocumentEnvelope, type Verified, verifyDocument } from '../verify/signed-document.ts';
import type { LoggedEntry, WritableInstall } from './install-io.ts';
import { judgeStatement, type SeenStatement } from './refused-statement-io.ts';
import { loadPinnedRoot } from './root-store-io.ts';
import type { InstallState } from './state.ts';

export type AcceptedStatement<D> = { readonly verified: Verified<D>; readonly entry: LoggedEntry };

/**
 * Takes in a heads statement that answers a receipt of this enclave. From then on what it names is fresh as of the
 * moment it was issued, until it expires at the floor or a newer trust root no longer stands behind it. A refusal is
 * logged.
 * @param bytes of the envelope
 * @throws VerifyError as `verifyDocument` and `checkHeads`; InstallError; LedgerError; DurableError
 */
export async function acceptHeads(
  install: WritableInstall,
  bytes: Uint8Array,
): Promise<AcceptedStatement<HeadsDocument>> {
  const { layout, state } = install;
  const root = loadPinnedRoot(layout, state);
  const { verified, answered } = await judgeStatement(install, 'heads', (seen) => judge(state, root, bytes, seen));
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

function judge(
  { heads, nonces, spent, channels, floor }: InstallState,
  root: TrustRoot,
  bytes: Uint8Array,
  seen: SeenStatement,
): { readonly verified: Verified<HeadsDocument>; readonly answered: readonly string[] } {
  const envelope = parseDocumentEnvelope(HEADS, bytes);
  seen.payload = payloadDigest(envelope);
  const verified = verifyDocument(HEADS, root, envelope, floor);
  const before = heads && parseDocument(HEADS, heads.envelope.payload);
  const highest = (channel: string) => channels.get(channel)?.highest;
  return { verified, answered: checkHeads(verified, { nonces, spent, highest, before }) };
}
