import { payloadDigest } from '../core/dsse.ts';
import { embedEnvelope } from '../core/embedded-envelope.ts';
import { laterTime } from '../core/time.ts';
import { FLOOR_RESET, type FloorResetDocument, verifyFloorReset } from '../verify/floor-reset.ts';
import { parseDocumentEnvelope } from '../verify/signed-document.ts';
import type { AcceptedStatement } from './heads-io.ts';
import type { WritableInstall } from './install-io.ts';
import { judgeStatement } from './refused-statement-io.ts';
import { loadPinnedRoot } from './root-store-io.ts';

/**
 * Corrects the time floor, as holders of the role root say, once. The only way it ever falls. A refusal is logged.
 * @param bytes of the envelope
 * @throws VerifyError as `verifyFloorReset`; InstallError; LedgerError; DurableError
 */
export async function resetFloor(
  install: WritableInstall,
  bytes: Uint8Array,
): Promise<AcceptedStatement<FloorResetDocument>> {
  const { layout, state, host } = install;
  const { floor, nonces, spent } = state;
  const root = loadPinnedRoot(layout, state);
  const verified = await judgeStatement(install, 'floor-reset', (seen) => {
    const brought = parseDocumentEnvelope(FLOOR_RESET, bytes);
    seen.payload = payloadDigest(brought);
    return verifyFloorReset(root, brought, { host, floor, nonces, spent });
  });
  const { document, envelope, payload } = verified;
  const data = {
    payload,
    nonce: document.answers,
    from: floor,
    // What the pinned root itself proves stays proved.
    floor: laterTime(laterTime(document.to, root.document.issuedAt), state.builtAt),
    reason: document.reason,
    root_version: root.version,
    document: embedEnvelope(envelope),
  };
  return { verified, entry: await install.append({ type: 'floor.reset', data }) };
}
