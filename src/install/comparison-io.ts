import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DiffSide } from '../bundle/diff.ts';
import { BUNDLE_PAYLOAD_TYPE } from '../bundle/format.ts';
import { type Envelope, parseEnvelope, signingKeys } from '../core/dsse.ts';
import type { KeyId } from '../core/keys.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import type { DataLayout } from './layout.ts';
import type { Staging } from './staging-io.ts';
import type { HeldBundle } from './state.ts';
import { openStoredBundle } from './stored-bundle-io.ts';
import type { BundleJudgement } from './verify-io.ts';

/**
 * A bundle of this host as one side of a comparison.
 * @param root that judges here now
 * @throws InstallError STATE_TAMPERED; DurableError
 */
export function storedSide(layout: DataLayout, channel: string, held: HeldBundle, root: TrustRoot): DiffSide {
  const { payload, statement, envelope, entries, read } = openStoredBundle(layout, channel, held);
  return { payload, statement, entries, read, signers: knownSigners(root, envelope), root: root.version };
}

/**
 * A verified bundle in staging as the other side.
 * @returns undefined when it isn't one: then there is nothing to compare
 */
export function stagedSide({ verification, staged }: BundleJudgement, staging: Staging): DiffSide | undefined {
  const { statement, payload, entries, chain } = verification;
  const root = chain.at(-1);
  if (statement === undefined || payload === undefined || staged === undefined || root === undefined) return undefined;
  return {
    payload,
    statement,
    entries,
    signers: knownSigners(root, parseEnvelope(staged.envelope, BUNDLE_PAYLOAD_TYPE)),
    root: root.version,
    read: ({ path }) => readStaged(join(staging.files, ...path.split('/'))),
  };
}

/** Those keys of the root, whatever their role, that did sign: what an envelope merely claims is not shown. */
function knownSigners(root: TrustRoot, envelope: Envelope): readonly KeyId[] {
  const keys = [...root.keys.values()].map(({ key }) => key);
  return signingKeys(envelope, keys).map(({ keyid }) => keyid);
}

/** Ours alone since its digest was checked. */
function readStaged(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw durableErrorFrom(cause, 'read the staged file', path);
  }
}
