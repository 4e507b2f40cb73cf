import { encodeMedia, type Medium } from '../bundle/medium.ts';
import { decodeUtf8, encodeHex } from '../core/bytes.ts';
import { encodeEnvelope, signEnvelope } from '../core/dsse.ts';
import { DaemonEyeError } from '../core/errors.ts';
import type { KeyId } from '../core/keys.ts';
import { readGenesis, requireHeads } from '../ledger/open-io.ts';
import { type ReceiptDocument, sealReceipt } from '../verify/receipt.ts';
import { logDirectories } from './enrolment-io.ts';
import { loadReceiptKey } from './host-keys-io.ts';
import type { LoggedEntry, WritableInstall } from './install-io.ts';
import type { DataLayout } from './layout.ts';
import { loadPinnedRoot } from './root-store-io.ts';
import type { InstallState } from './state.ts';

const NONCE_BYTES = 16;

export type IssuedReceipt = {
  readonly document: ReceiptDocument;
  /** Of the signed envelope. */
  readonly bytes: Uint8Array;
  readonly keyid: KeyId;
  readonly entry: LoggedEntry;
  /** Logs whose newest checkpoint could not be read, and is therefore not in the receipt. */
  readonly unread: readonly string[];
};

/**
 * Signs a receipt: what this enclave holds, refused and can prove, under a new nonce. The nonce is logged first; a
 * receipt that gets lost leaves one that nobody answers.
 * @param media that it is about to be written to
 * @throws InstallError NO_TRUST_ROOT or STATE_TAMPERED; LedgerError; DurableError
 */
export async function issueReceipt(install: WritableInstall, media: readonly Medium[] = []): Promise<IssuedReceipt> {
  const root = loadPinnedRoot(install.layout, install.state);
  const key = loadReceiptKey(install.layout);
  const nonce = encodeHex(install.random(NONCE_BYTES));
  const entry = await install.append({ type: 'receipt.issued', data: { nonce, ...encodeMedia(media) } });
  const { state, host, layout } = install;
  const { notes, unread } = checkpoints(layout, decodeUtf8(await install.checkpoint()));
  const document: ReceiptDocument = {
    v: 1,
    nonce,
    host,
    ...(root.enclave === undefined ? {} : { enclave: root.enclave }),
    root: { version: root.version, payload: root.digest },
    floor: state.floor,
    ...heldBy(state),
    refused: state.refused,
    checkpoints: notes,
  };
  const bytes = encodeEnvelope(signEnvelope(sealReceipt(document), key));
  return { document, bytes, keyid: key.publicKey.keyid, entry, unread };
}

function heldBy({ channels }: InstallState): Pick<ReceiptDocument, 'channels' | 'holds'> {
  const held = [...channels.values()].flatMap(({ active, previous }) => [active, ...(previous ? [previous] : [])]);
  return {
    channels: Object.fromEntries([...channels].map(([channel, { active, highest }]) => [channel, { active, highest }])),
    holds: [...new Set(held.map(({ payload }) => payload))],
  };
}

/** The newest checkpoints of this host's logs, so that a copy of them leaves the enclave. @param own of the install log */
function checkpoints(layout: DataLayout, own: string): { notes: readonly string[]; unread: readonly string[] } {
  const notes = [own];
  const unread: string[] = [];
  for (const directory of logDirectories(layout.data)) {
    if (directory === layout.installLog) continue;
    try {
      const genesis = readGenesis(directory);
      notes.push(decodeUtf8(requireHeads(directory, genesis).newest.note));
    } catch (error) {
      // A damaged log must not keep the enclave from saying what it holds; that it is damaged is said here.
      if (!(error instanceof DaemonEyeError)) throw error;
      unread.push(directory);
    }
  }
  return { notes, unread };
}
