import { TrustedRoot } from '@sigstore/protobuf-specs';
import { type TrustMaterial, toTrustMaterial } from '@sigstore/verify';
import trustedRootSchema from '../../../../schemas/sigstore-trusted-root.schema.json' with { type: 'json' };
import { utf8 } from '../../../core/bytes.ts';
import { type Digest, sha256Digest } from '../../../core/digest.ts';
import { messageOf } from '../../../core/errors.ts';
import type { JsonObject } from '../../../core/strict-json.ts';
import { formatTime, type Time } from '../../../core/time.ts';
import { ReleaseError } from '../errors.ts';
import { assertAuthorities } from './authorities.ts';
import { isReadInSteps } from './der-steps.ts';
import { keepEncodings } from './encodings.ts';
import { PUBLIC_GOOD_ROOT } from './public-good-root.ts';
import { assertShape, readProtobufJson } from './read-json.ts';

/** Whose certificates, logs and timestamps count. */
export type SigstoreRoot = {
  readonly material: TrustMaterial;
  /** Of the file's bytes; this is what one pins. */
  readonly digest: Digest;
  /** Where it comes from, for the report. */
  readonly source: string;
  /** The newest moment at which something in it starts to count: it can't be older than that. */
  readonly newestStart: Time;
};

/** Said in every report that rests on it. */
export const PUBLIC_GOOD_SOURCE = 'public-good root of 2026-11-05, shipped with this program';

let publicGood: SigstoreRoot | undefined;

/** The root that ships. */
export function publicGoodRoot(): SigstoreRoot {
  // A test reads it the long way; here its schema need not be compiled for the same answer each time.
  publicGood ??= rootOf(JSON.parse(PUBLIC_GOOD_ROOT) as JsonObject, utf8(PUBLIC_GOOD_ROOT), PUBLIC_GOOD_SOURCE);
  return publicGood;
}

type Validity = { readonly start: string; readonly end?: string };
type RootJson = {
  readonly tlogs?: readonly LogJson[];
  readonly ctlogs?: readonly LogJson[];
  readonly certificateAuthorities: readonly { readonly validFor: Validity }[];
  readonly timestampAuthorities?: readonly { readonly validFor: Validity }[];
};
type LogJson = { readonly publicKey: { readonly validFor: Validity } };

/**
 * Reads a `trusted_root.json`. Every validity in it must be a real span of time: the library takes `{}` or a number for a
 * moment in 1970 and a word for one that never compares.
 * @param source what the report calls it
 * @throws ReleaseError MATERIAL_TOO_LARGE or TRUSTED_ROOT_MALFORMED
 */
export function readTrustedRoot(bytes: Uint8Array, source: string): SigstoreRoot {
  const json = readProtobufJson(bytes, 'trusted root', 'TRUSTED_ROOT_MALFORMED');
  assertShape(json, trustedRootSchema, 'trusted root', 'TRUSTED_ROOT_MALFORMED');
  const root = rootOf(json, bytes, source);
  try {
    assertAuthorities(root.material);
  } catch (cause) {
    throw new ReleaseError('TRUSTED_ROOT_MALFORMED', `not a trusted root: ${messageOf(cause)}`, { cause });
  }
  return root;
}

function rootOf(json: JsonObject, bytes: Uint8Array, source: string): SigstoreRoot {
  const starts = validitiesOf(json as unknown as RootJson).map(assertSpan);
  try {
    const root = TrustedRoot.fromJSON(json);
    const raw = [...root.certificateAuthorities, ...root.timestampAuthorities].map(({ certChain }) => certChain);
    const all = raw.flatMap((chain) => chain?.certificates.map(({ rawBytes }) => rawBytes) ?? []);
    if (!all.every(isReadInSteps)) throw new Error('too much is in a certificate');
    const material = toTrustMaterial(root, keyIsGiven);
    for (const [i, { certChain }] of [...material.certificateAuthorities, ...material.timestampAuthorities].entries())
      for (const [at, certificate] of certChain.entries())
        keepEncodings(certificate, raw[i]?.certificates[at]?.rawBytes ?? new Uint8Array());
    return { material, digest: sha256Digest(bytes), source, newestStart: formatTime(Math.max(...starts)) };
  } catch (cause) {
    const problem = `a key or certificate in it can't be read (${messageOf(cause)})`;
    throw new ReleaseError('TRUSTED_ROOT_MALFORMED', `not a trusted root: ${problem}`, { cause });
  }
}

/** A root names no publishers' keys: those are given beside it. */
function keyIsGiven(): never {
  throw new ReleaseError('KEY_MISSING', 'no key was given to verify with');
}

function validitiesOf(root: RootJson): Validity[] {
  const logs = [...(root.tlogs ?? []), ...(root.ctlogs ?? [])].map(({ publicKey }) => publicKey.validFor);
  const authorities = [...root.certificateAuthorities, ...(root.timestampAuthorities ?? [])];
  return [...logs, ...authorities.map(({ validFor }) => validFor)];
}

/** @returns its start, in Unix milliseconds */
function assertSpan({ start, end }: Validity): number {
  const from = Date.parse(start);
  const to = end === undefined ? Number.POSITIVE_INFINITY : Date.parse(end);
  if (from <= to) return from;
  throw new ReleaseError('TRUSTED_ROOT_MALFORMED', `not a trusted root: ${start} to ${end} is no span of time`);
}
