import { type Attestation, filesNamedBy, pinNamedBy } from '../bundle/attestations.ts';
import type { IndexEntry } from '../bundle/index-lines.ts';
import { utf8 } from '../core/bytes.ts';
import { decidingCheck } from '../core/checks.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { encodeCanonicalJson } from '../core/jcs.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import type { AttestationFinding } from './checks/attestations.ts';
import { reasonOf } from './errors.ts';
import { ReleaseError, type ReleaseErrorCode } from './release/errors.ts';
import { MAX_WHOLE_BYTES, type Message, type MessageHash } from './release/message.ts';
import { prepareMinisign } from './release/minisign-method.ts';
import type { PreparedMethod } from './release/prepared.ts';
import { readPolicy } from './release/provenance/policy.ts';
import { prepareRaw } from './release/raw-method.ts';
import { parseReleaseKey } from './release/release-key.ts';
import { hashesOf, ReleaseVerification } from './release/release-report.ts';
import { prepareSignify } from './release/signify-method.ts';
import { publicGoodRoot, readTrustedRoot, type SigstoreRoot } from './release/sigstore/trusted-root.ts';
import { prepareSigstore } from './release/sigstore-method.ts';
import { prepareSsh } from './release/ssh-method.ts';

/** What the attestations of one file are judged with. */
export type AttestedWith = {
  /** The index line of a path; every path that an attestation names has one (`assertAttestations`). */
  readonly entryOf: (path: string) => IndexEntry | undefined;
  /** The bytes of the files of {@link namedFiles}, as signed. */
  readonly bytesOf: (path: string) => Uint8Array;
  /** The trusted root that the trust root pins by a name of {@link namedPins}; throws why there is none. */
  readonly pinnedRoot: (name: string) => PinnedRoot;
  /** It is at least this moment. */
  readonly floor: Time;
};

/** A pinned file, and what a report calls it. */
export type PinnedRoot = { readonly bytes: Uint8Array; readonly source: string };

/** The paths whose bytes judging this file takes: its materials and roots, and those of the lists among them. */
export function namedFiles(entry: IndexEntry, entryOf: AttestedWith['entryOf']): ReadonlySet<string> {
  return new Set(judgedFor(entry, entryOf).flatMap(filesNamedBy));
}

/** The names of pins that judging this file takes. */
export function namedPins(entry: IndexEntry, entryOf: AttestedWith['entryOf']): ReadonlySet<string> {
  return new Set(judgedFor(entry, entryOf).flatMap((attestation) => pinNamedBy(attestation) ?? []));
}

/** Its own attestations, and those of the lists among them. */
function judgedFor({ attestations = [] }: IndexEntry, entryOf: AttestedWith['entryOf']): Attestation[] {
  const ofLists = attestations.filter(({ type }) => type === 'sums').flatMap((list) => signaturesOf(list, entryOf));
  return [...attestations, ...ofLists];
}

/** The third-party signatures over one file, ready for its bytes. The same code as `release verify` judges them. */
export type PreparedFile = {
  /** Hashes of the file that are wanted besides its SHA-256, which the index says and the check `blobs` knows to be true. */
  readonly hashes: readonly MessageHash[];
  /** Whether all of its bytes are wanted, and few enough. */
  readonly isKept: boolean;
  readonly judge: (message: Message) => AttestationFinding[];
};

/** What can't be used (a key that is none, a list that is unsigned) is a finding against the file, never an error. */
export function prepareAttested(entry: IndexEntry, used: AttestedWith): PreparedFile {
  const prepared = (entry.attestations ?? []).map((attestation) => ({
    attestation,
    verification: orRefusal(() => verificationOf(entry, attestation, used)),
  }));
  const needs = new Set(
    prepared.flatMap(({ verification }) => (verification instanceof DaemonEyeError ? [] : [...verification.needs()])),
  );
  return {
    hashes: hashesOf(needs).filter((name) => name !== 'sha256'),
    isKept: needs.has('whole') && entry.size <= MAX_WHOLE_BYTES,
    judge: (message) =>
      prepared.map(({ attestation, verification }) => {
        if (verification instanceof DaemonEyeError) return refusedBy(entry, attestation, verification);
        const found = orRefusal(() => find(entry, attestation, verification, message, used.floor));
        return found instanceof DaemonEyeError ? refusedBy(entry, attestation, found) : found;
      }),
  };
}

function find(
  entry: IndexEntry,
  attestation: Attestation,
  verification: ReleaseVerification,
  message: Message,
  floor: Time,
): AttestationFinding {
  verification.artifact(message);
  const report = verification.report(message, floor);
  const against = decidingCheck(report);
  if (report.verdict !== 'trusted' || against !== undefined) {
    return refusal(entry, attestation, against?.code ?? 'SIGNATURE_MISSING', against?.reason ?? 'nobody signed it');
  }
  const root = report.checks.find(({ name }) => name === 'trusted-root')?.reason;
  return { path: entry.path, material: attestation.material, ok: true, ...(root === undefined ? {} : { root }) };
}

function verificationOf(entry: IndexEntry, attestation: Attestation, used: AttestedWith): ReleaseVerification {
  const name = entry.path.split('/').at(-1) ?? entry.path;
  if (attestation.type !== 'sums') return new ReleaseVerification([methodOf(attestation, used)]);
  const { material } = attestation;
  const methods = signaturesOf(attestation, used.entryOf).map((signature) => methodOf(signature, used));
  // An unsigned list would vouch for anything.
  if (methods.length === 0) throw new ReleaseError('SIGNATURE_MISSING', 'nobody signed the list of checksums');
  return new ReleaseVerification(methods, {
    name: material,
    bytes: used.bytesOf(material),
    about: name,
    floor: used.floor,
  });
}

/** What vouches for a list of checksums; never another list. */
function signaturesOf({ material }: Attestation, entryOf: AttestedWith['entryOf']): Attestation[] {
  return (entryOf(material)?.attestations ?? []).filter(({ type }) => type !== 'sums');
}

function methodOf(attestation: Attestation, used: AttestedWith): PreparedMethod {
  const signature = used.bytesOf(attestation.material);
  const method = unembedded(attestation, signature, used);
  // The text in the signature's own file is what such a signature is over, and not this file.
  if (method.embedded === undefined) return method;
  throw new ReleaseError('SIGNIFY_MALFORMED', 'not a signify signature over a file: there is text after it');
}

function unembedded(attestation: Attestation, signature: Uint8Array, used: AttestedWith): PreparedMethod {
  switch (attestation.type) {
    case 'minisign':
      return prepareMinisign(signature, utf8(attestation.key));
    case 'signify':
      return prepareSignify(signature, utf8(`untrusted comment: of the index\n${attestation.key}\n`));
    case 'ssh': {
      const { key, namespace } = attestation;
      // The key alone decides: its name is only what the report calls it.
      const signers = utf8(`publisher ${key}\n`);
      return prepareSsh(signature, { signers, identity: 'publisher', namespace, floor: used.floor });
    }
    case 'key':
      return prepareRaw(signature, utf8(attestation.key));
    case 'sigstore': {
      const { identity, issuer, policy } = attestation;
      const trust = { root: rootOf(attestation, used), identity: { identity, issuer } };
      return prepareSigstore(signature, trust, policyOf(policy));
    }
    case 'sigstore-key': {
      const trust = { root: rootOf(attestation, used), key: parseReleaseKey(utf8(attestation.key)) };
      return prepareSigstore(signature, trust, policyOf(attestation.policy));
    }
    case 'sums':
      throw new ReleaseError('SIGNATURE_MISSING', 'a list of checksums is no signature');
  }
}

type Certified = Extract<Attestation, { readonly type: 'sigstore' | 'sigstore-key' }>;

function rootOf(attestation: Certified, { bytesOf, pinnedRoot }: AttestedWith): SigstoreRoot {
  const { trustedRoot } = attestation;
  if (trustedRoot === undefined) return publicGoodRoot();
  const pin = pinNamedBy(attestation);
  if (pin !== undefined) {
    const { bytes, source } = pinnedRoot(pin);
    return readTrustedRoot(bytes, source);
  }
  return readTrustedRoot(bytesOf(trustedRoot), escapeForTerminal(trustedRoot));
}

function policyOf(policy: Certified['policy']): ReturnType<typeof readPolicy> | undefined {
  return policy === undefined ? undefined : readPolicy(encodeCanonicalJson(policy));
}

function orRefusal<T>(make: () => T): T | DaemonEyeError {
  try {
    return make();
  } catch (error) {
    if (error instanceof DaemonEyeError) return error;
    throw error;
  }
}

function refusedBy(entry: IndexEntry, attestation: Attestation, error: DaemonEyeError): AttestationFinding {
  return refusal(entry, attestation, error.code, reasonOf(error));
}

function refusal(
  { path }: IndexEntry,
  { type, material }: Attestation,
  code: string,
  reason: string,
): AttestationFinding {
  const message = `${escapeForTerminal(path)} is not vouched for by ${escapeForTerminal(material)} (${type}): ${reason}`;
  // Codes of core (a key, base64) pass through: what refused the release is what refuses the bundle.
  return { path, material, ok: false, cause: new ReleaseError(code as ReleaseErrorCode, message) };
}
