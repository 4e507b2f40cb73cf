import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeEnvelope, mergeSignatures, payloadDigest } from '../core/dsse.ts';
import type { Time } from '../core/time.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { currentEpoch } from '../ledger/epochs.ts';
import { requireEpochs } from '../ledger/epochs-io.ts';
import { GENESIS_FILE } from '../ledger/format.ts';
import { readGenesis } from '../ledger/open-io.ts';
import { parseEnrolmentEnvelope, type VerifiedEnrolment, verifyEnrolment } from '../verify/enrolment.ts';
import { type HostEnrolmentDocument, sealEnrolment } from '../verify/enrolment-document.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { InstallError } from './errors.ts';
import { raiseFloor } from './floor-io.ts';
import { assertInitialised } from './host-io.ts';
import { loadReceiptPublicKey } from './host-keys-io.ts';
import type { WritableInstall } from './install-io.ts';
import { type DataLayout, dataLayout } from './layout.ts';
import { judgeStatement } from './refused-statement-io.ts';
import { loadPinnedRoot } from './root-store-io.ts';

/**
 * Enrolment, from this side: a host asks (`trust enrol request`), holders of `enrol` sign the request on their own
 * machines, in any order, and the signed copies are accepted wherever the host's logs are to be believed, and on the
 * host itself, so that its evidence packages carry the enrolment along.
 *
 * Accepted enrolments lie in `trust/enrolments/`, named by their payload digest. They are no state: each use verifies
 * them anew under the newest pinned root, so who puts a file there gains nothing.
 */
const SUFFIX = '.dsse.json';

/** Directories of this host's logs, in the order of their names. @throws InstallError NOT_INITIALISED; DurableError */
export function logDirectories(data: string): string[] {
  const layout = dataLayout(data);
  assertInitialised(layout);
  return namesIn(layout.logs)
    .map((name) => join(layout.logs, name))
    .filter((directory) => existsSync(join(directory, GENESIS_FILE)));
}

/**
 * The unsigned enrolment of this host with its receipt key and all the logs it has now, each with the key it has now. A
 * log that is made later needs a request of its own; enrolments add up.
 * @throws InstallError NOT_INITIALISED; LedgerError; EnrolmentError ENROLMENT_MALFORMED; DurableError
 */
export function hostEnrolmentRequest(
  data: string,
  issuedAt: Time,
  expires: Time | undefined,
): { readonly document: HostEnrolmentDocument; readonly bytes: Uint8Array } {
  const logs = logDirectories(data).map((directory) => {
    const genesis = readGenesis(directory);
    return { ...genesis, key: currentEpoch(requireEpochs(directory, genesis)).key };
  });
  const [first] = logs;
  const receipt = loadReceiptPublicKey(dataLayout(data));
  if (first === undefined) throw new InstallError('NOT_INITIALISED', `${data} has no logs to enrol`);
  const document: HostEnrolmentDocument = {
    v: 1,
    host: first.host,
    logs: logs.map(({ origin, digest, hash, key }) => ({
      origin,
      genesis: digest,
      hash,
      keyid: key.keyid,
      pem: key.pem,
    })),
    receipt: { keyid: receipt.keyid, pem: receipt.pem },
    issuedAt,
    ...(expires === undefined ? {} : { expires }),
  };
  return { document, bytes: encodeEnvelope(sealEnrolment(document)) };
}

/**
 * Verifies an enrolment, gathered from copies that were signed apart, and stores it for this side. That it was signed
 * raises the time floor; a refusal is logged.
 * @throws EnrolmentError; CoreError PAYLOADS_DIFFER; VerifyError as `verifyEnrolment`; InstallError NO_TRUST_ROOT or
 *   STATE_TAMPERED; LedgerError; DurableError
 */
export async function acceptEnrolment(
  install: WritableInstall,
  copies: readonly [Uint8Array, ...Uint8Array[]],
): Promise<{ readonly enrolment: VerifiedEnrolment; readonly file: string; readonly root: TrustRoot }> {
  const { layout, state } = install;
  const root = loadPinnedRoot(layout, state);
  const { enrolment, bytes } = await judgeStatement(install, 'enrolment', (seen) => {
    const [first, ...others] = copies.map(parseEnrolmentEnvelope);
    if (first === undefined) throw new Error('there is at least one copy');
    seen.payload = payloadDigest(first);
    const merged = encodeEnvelope(mergeSignatures(first, others));
    return { enrolment: verifyEnrolment(root, merged, state.floor), bytes: merged };
  });
  const directory = enrolmentsDirectory(layout);
  createDirectoryDurably(directory);
  const { payload, document } = enrolment;
  const file = join(directory, `${payload.slice('sha256:'.length)}${SUFFIX}`);
  writeFileDurably(file, bytes, { mode: 0o644 });
  await raiseFloor(install, document.issuedAt, { cause: 'enrolment', payload, root_version: root.version });
  return { enrolment, file, root };
}

/** The enrolments that were accepted here, each to be verified before it is believed. @throws DurableError */
export function readEnrolments(layout: DataLayout): Uint8Array[] {
  const directory = enrolmentsDirectory(layout);
  if (!existsSync(directory)) return [];
  return namesIn(directory)
    .filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.'))
    .map((name) => readOne(join(directory, name)));
}

function enrolmentsDirectory(layout: DataLayout): string {
  return join(layout.trust, 'enrolments');
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (cause) {
    throw durableErrorFrom(cause, 'list', directory);
  }
}

function readOne(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw durableErrorFrom(cause, 'read', path);
  }
}
