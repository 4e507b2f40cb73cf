import { encodeHex } from '../core/bytes.ts';
import type { Checkpoint } from '../core/checkpoint.ts';
import { CoreError } from '../core/errors.ts';
import { isSameKey, type PublicKey } from '../core/keys.ts';
import { RELEASE } from '../core/release.ts';
import type { Time } from '../core/time.ts';
import { raiseFloorByWitnesses } from '../install/floor-io.ts';
import { isInitialised } from '../install/host-io.ts';
import { readInstall } from '../install/install-io.ts';
import { dataLayout } from '../install/layout.ts';
import { loadPinnedRoot } from '../install/root-store-io.ts';
import { type CosignedCheckpoint, type LogIdentity, verifyCosigned } from '../ledger/cosigned.ts';
import { readCosignedNotes } from '../ledger/cosigned-io.ts';
import { LedgerError } from '../ledger/errors.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { isWitnessed, witnessKeys } from '../verify/witness.ts';
import { openInstallHere } from './install-here-io.ts';
import { loadPublicKey } from './key-files-io.ts';

/** Whose cosignatures count here. */
export type AdmittedWitnesses = {
  readonly keys: readonly PublicKey[];
  /** Whether these of them together are enough. */
  readonly isEnough: (keys: readonly PublicKey[]) => boolean;
};

/**
 * The role `witness` of the trust root pinned here decides, where it is granted; else the keys named on the command
 * line, any one of them.
 * @param files public keys given by `--witness-key`; with the role, each must hold it
 * @throws LedgerError WITNESS_NOT_ADMITTED; as `readInstall` and `loadPublicKey`
 */
export async function admittedWitnesses(data: string, files: readonly string[]): Promise<AdmittedWitnesses> {
  const given = files.map((file) => loadPublicKey(file));
  const root = await pinnedRoot(data);
  if (root === undefined || !root.roles.has('witness')) return { keys: given, isEnough: (keys) => keys.length > 0 };
  const keys = witnessKeys(root);
  const stranger = given.find((key) => !keys.some((one) => isSameKey(one, key)));
  if (stranger !== undefined) {
    const message = `the key ${stranger.keyid} does not hold the role witness in the trust root that is pinned here`;
    throw new LedgerError('WITNESS_NOT_ADMITTED', message, { fault: 'untrusted' });
  }
  return { keys, isEnough: (some) => isWitnessed(root, some) };
}

async function pinnedRoot(data: string) {
  if (!isInitialised(dataLayout(data))) return undefined;
  const { layout, state } = await readInstall(data, RELEASE.builtAt);
  return state.root === undefined ? undefined : loadPinnedRoot(layout, state);
}

/**
 * Lets the times on a log's cosigned checkpoints raise the time floor here, where the pinned trust root grants the role
 * `witness`. All that came back are weighed together: which witness came first doesn't matter.
 * @returns the new floor, if it rose
 * @throws LedgerError COSIGNED_DAMAGED and others; InstallError; DurableError
 */
export async function raiseFloorByLog(data: string, directory: string): Promise<Time | undefined> {
  const root = await pinnedRoot(data);
  if (root === undefined || !root.roles.has('witness')) return undefined;
  const keys = witnessKeys(root);
  const cosigned = await keptOf(directory, keys);
  await using install = await openInstallHere(data);
  const entry = await raiseFloorByWitnesses(
    install,
    cosigned.flatMap(({ cosignatures }) => cosignatures),
  );
  return entry && install.state.floor;
}

async function keptOf(directory: string, keys: readonly PublicKey[]): Promise<readonly CosignedCheckpoint[]> {
  using reader = await openLedgerReader(directory);
  return readCosignedNotes(directory).flatMap((note) => judgeKept(note, reader, keys) ?? []);
}

export type CosignedAnchors = {
  /** Checkpoints that enough admitted witnesses cosigned. */
  readonly anchors: readonly Checkpoint[];
  /** All with a cosignature of an admitted witness, and whether they are among the anchors. */
  readonly cosigned: readonly (CosignedCheckpoint & { readonly counts: boolean })[];
};

export type CosignedNotes = {
  /** Beside the log; those of witnesses that are not admitted (any more) are passed over. */
  readonly kept: readonly Uint8Array[];
  /** By the person who asks: each must count for something. */
  readonly given: readonly Uint8Array[];
};

/**
 * What witnesses know of a log.
 * @throws LedgerError WITNESS_NOT_ADMITTED for a note that was given, COSIGNED_DAMAGED for one that is not a checkpoint
 *   of this log, or whose cosignature fails
 */
export function cosignedAnchors(notes: CosignedNotes, log: LogIdentity, admitted: AdmittedWitnesses): CosignedAnchors {
  const cosigned = [
    ...notes.kept.flatMap((note) => judgeKept(note, log, admitted.keys) ?? []),
    ...notes.given.map((note) => judge(note, log, admitted.keys)),
  ];
  const groups = Map.groupBy(cosigned, ({ checkpoint }) => `${checkpoint.size} ${encodeHex(checkpoint.root)}`);
  const weighed = [...groups.values()].map((group) => {
    const signers = new Map(group.flatMap(({ cosignatures }) => cosignatures.map(({ key }) => [key.keyid, key])));
    return { group, counts: admitted.isEnough([...signers.values()]) };
  });
  return {
    anchors: weighed.flatMap(({ group, counts }) => (counts ? group.slice(0, 1).map((one) => one.checkpoint) : [])),
    cosigned: weighed.flatMap(({ group, counts }) => group.map((one) => ({ ...one, counts }))),
  };
}

function judgeKept(note: Uint8Array, log: LogIdentity, keys: readonly PublicKey[]): CosignedCheckpoint | undefined {
  try {
    return judge(note, log, keys);
  } catch (cause) {
    if (cause instanceof LedgerError && cause.code === 'WITNESS_NOT_ADMITTED') return undefined;
    throw cause;
  }
}

function judge(note: Uint8Array, log: LogIdentity, keys: readonly PublicKey[]): CosignedCheckpoint {
  try {
    return verifyCosigned(note, log, keys);
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    const since = cause.code === 'NOTE_SIGNATURE' ? '; or its key was changed, and it was cut back to before that' : '';
    const message = `a cosigned checkpoint for this log is not one: ${cause.message}${since}`;
    throw new LedgerError('COSIGNED_DAMAGED', message, { cause, fault: 'untrusted' });
  }
}
