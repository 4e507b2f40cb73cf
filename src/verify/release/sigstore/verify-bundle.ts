import { createPublicKey, type PublicKeyInput } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import type { X509Certificate } from '@sigstore/core';
import type { SignedEntity } from '@sigstore/verify';
import { encodeHex, equalBytes } from '../../../core/bytes.ts';
import { type Check, type Signer, verdictOf } from '../../../core/checks.ts';
import { sha256 } from '../../../core/digest.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { formatTime, type Time } from '../../../core/time.ts';
import { ReleaseError } from '../errors.ts';
import type { Artifact, MethodOutcome } from '../method.ts';
import type { ReleaseKey } from '../release-key.ts';
import { runStages, type Stage } from '../stages.ts';
import { certifiedIdentity } from './certificate.ts';
import { assertIdentity, type CertifiedIdentity } from './identity.ts';
import {
  ARTIFACT,
  CERTIFICATE,
  entityOf,
  IDENTITY,
  judgeByLibrary,
  KEY,
  LOG,
  MATERIAL,
  type Refusal,
  rawCertificate,
  SIGNATURE,
  TIMES,
  timeSources,
} from './library.ts';
import { assertLogEntry, countLogs, type SignerMaterial } from './log-entry.ts';
import { readBundle } from './read-bundle.ts';
import { artifactDigest, signedDigest } from './signature-content.ts';
import { assertSubject, readStatement, type Statement } from './statement.ts';
import { assertKeyInTime, type SigstoreTrust, wantedTimes } from './trust.ts';

export type { SigstoreTrust, Thresholds } from './trust.ts';

export type SigstoreOutcome = MethodOutcome & {
  /** When everything passed. */
  readonly proof?: {
    /** The earliest proven moment of signing, if any. */
    readonly signedAt?: Time;
    /** What an attestation says; its subject is the artifact. */
    readonly statement?: Statement;
    /** The signing certificate, whose extensions say more about the build. */
    readonly certificate?: X509Certificate;
  };
};

/**
 * Verifies an artifact by a sigstore bundle, versions 0.1 to 0.3: signature over the artifact or attestation about it, by a
 * certificate or a plain key. No network, no clock: time is what the bundle's own logs and timestamps prove.
 *
 * What a yes says: the named identity (or the given key) signed this artifact, or an attestation whose subject it is; the
 * certificate was valid then and was logged; and the signature is in the transparency log.
 * @throws ReleaseError IDENTITY_PATTERN (usage)
 */
export function verifySigstoreBundle(artifact: Artifact, bytes: Uint8Array, trust: SigstoreTrust): SigstoreOutcome {
  return verifyReadBundle(artifact, () => readBundle(bytes), trust);
}

/** The last moment that ECMAScript has (ECMA-262, "Time Values and Time Range"), in Unix milliseconds. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/** As {@link verifySigstoreBundle}, for a bundle inside of something else. */
export function verifyReadBundle(artifact: Artifact, read: () => Bundle, trust: SigstoreTrust): SigstoreOutcome {
  const work = new BundleWork(artifact, read, trust);
  const checks = runStages(work.stages());
  return verdictOf(checks) === 'trusted' ? work.outcome(checks) : { checks, signers: [] };
}

/** What one verification learns, step by step. */
class BundleWork {
  readonly #artifact: Artifact;
  readonly #read: () => Bundle;
  readonly #trust: SigstoreTrust;
  #bundle: Bundle | undefined;
  #entity: SignedEntity | undefined;
  /** The library judges everything in one call; its refusal is told by the check that it belongs to. */
  #refusal: Refusal | undefined;
  #signed: CertifiedIdentity | undefined;
  #statement: Statement | undefined;

  constructor(artifact: Artifact, read: () => Bundle, trust: SigstoreTrust) {
    this.#artifact = artifact;
    this.#read = read;
    this.#trust = trust;
  }

  stages(): Stage[] {
    const { key } = this.#trust;
    return [
      { name: MATERIAL, run: () => this.#material() },
      { name: TIMES, run: () => this.#judged(TIMES, () => this.#times()) },
      key === undefined
        ? { name: CERTIFICATE, run: () => this.#judged(CERTIFICATE, () => this.#certificate()) }
        : { name: KEY, run: () => this.#judged(KEY, () => this.#key(key)) },
      { name: LOG, run: () => this.#judged(LOG, () => this.#log()) },
      { name: SIGNATURE, run: () => this.#signature() },
      ...(key === undefined ? [{ name: IDENTITY, run: () => this.#identity() }] : []),
      { name: ARTIFACT, run: () => this.#artifactIsSigned() },
    ];
  }

  outcome(checks: readonly Check[]): SigstoreOutcome {
    const times = this.#provenTimes();
    const certificate = this.#certificateOf();
    const signer: Signer = {
      keyid: encodeHex(sha256(this.#signerMaterial().spki)),
      role: 'release',
      ...this.#signed,
    };
    return {
      checks,
      signers: [signer],
      proof: {
        ...(times.length === 0 ? {} : { signedAt: formatTime(Math.min(...times)) }),
        ...(this.#statement === undefined ? {} : { statement: this.#statement }),
        ...(certificate === undefined ? {} : { certificate }),
      },
    };
  }

  #material(): string {
    const bundle = this.#read();
    const kind = bundle.verificationMaterial.content.$case;
    const { key, identity } = this.#trust;
    if (kind === 'publicKey' && key === undefined) {
      throw new ReleaseError('KEY_MISSING', 'the bundle is signed with a plain key; give the key of its publisher');
    }
    if (kind !== 'publicKey' && (key !== undefined || identity === undefined)) {
      const message = 'the bundle is signed with a certificate; say which identity and issuer it must be of';
      throw new ReleaseError('IDENTITY_UNSAID', message);
    }
    this.#bundle = bundle;
    this.#entity = entityOf(bundle, this.#artifact);
    this.#refusal = judgeByLibrary(this.#entity, this.#trust);
    const form = bundle.content.$case === 'dsseEnvelope' ? 'attestation' : 'signature';
    return `a sigstore bundle with ${form === 'attestation' ? 'an' : 'a'} ${form}`;
  }

  #judged(stage: string, own: () => string): string {
    if (this.#refusal?.stage === stage) throw this.#refusal.error;
    return own();
  }

  #times(): string {
    const sources = new Set(timeSources(this.#entity).map(({ source }) => source));
    if (sources.size < wantedTimes(this.#trust)) {
      const message = `${sources.size} distinct sources of time where ${wantedTimes(this.#trust)} are wanted`;
      throw new ReleaseError('TIMESTAMP_REFUSED', message);
    }
    const times = this.#provenTimes();
    // A log entry may claim any number: one past the calendar has no spelling, and nothing compares with it.
    if (!times.every((time) => Math.abs(time) <= MAX_TIME_MS)) {
      throw new ReleaseError('TIMESTAMP_REFUSED', 'a log entry claims a time that is in no calendar');
    }
    if (times.length === 0) return 'no time is needed: the key has no end';
    return `signed at ${formatTime(Math.min(...times))}, by ${sources.size} source${sources.size === 1 ? '' : 's'} of time`;
  }

  #certificate(): string {
    const certificate = this.#certificateOf();
    if (certificate === undefined) throw new ReleaseError('CERTIFICATE_REFUSED', 'the bundle has no certificate');
    this.#signed = certifiedIdentity(certificate);
    return 'the certificate chains to the trusted root, was valid then, and was logged';
  }

  #key(key: ReleaseKey): string {
    assertKeyInTime(key, this.#provenTimes());
    return `the given key ${key.keyid.slice(0, 16)}…`;
  }

  #log(): string {
    const entries = this.#entity?.tlogEntries ?? [];
    const wanted = this.#trust.thresholds?.logs ?? 1;
    const signer = this.#signerMaterial();
    for (const entry of entries) assertLogEntry(entry, signer, this.#trust.root.material.tlogs, this.#provenTimes());
    const count = countLogs(entries);
    if (count < wanted) {
      throw new ReleaseError('LOG_ENTRY_REFUSED', `the signature is in ${count} logs where ${wanted} are wanted`);
    }
    return count === 0 ? 'not asked for' : `the signature is in ${count} log${count === 1 ? '' : 's'}`;
  }

  #signature(): string {
    const signsMessage = this.#bundle?.content.$case === 'messageSignature';
    const handle = this.#trust.key?.handle ?? createPublicKey(derKey(this.#signerMaterial().spki));
    if (signsMessage && handle.asymmetricKeyType === 'ed25519' && this.#artifact.bytes === undefined) {
      const message = 'Ed25519 signs the whole artifact, not its digest, and the artifact is not in memory';
      throw new ReleaseError('ARTIFACT_UNHASHED', message);
    }
    return this.#judged(SIGNATURE, () => 'the signature is valid');
  }

  #identity(): string {
    const { identity } = this.#trust;
    if (this.#signed === undefined || identity === undefined) {
      throw new ReleaseError('IDENTITY_UNSAID', 'say which identity and issuer must have signed');
    }
    assertIdentity(identity, this.#signed);
    return `signed by ${escapeForTerminal(this.#signed.identity)}`;
  }

  #artifactIsSigned(): string {
    // A refusal that no check here told (a new one, of another version of the library) still refuses.
    if (this.#refusal !== undefined) throw this.#refusal.error;
    const content = this.#bundle?.content;
    if (content?.$case === 'messageSignature') {
      const { hash, digest } = signedDigest(content.messageSignature);
      assertDigest(artifactDigest(this.#artifact, hash), digest, hash);
      return `the signature is over this artifact (${hash})`;
    }
    const { payloadType, payload } = content?.dsseEnvelope ?? { payloadType: '', payload: new Uint8Array() };
    this.#statement = readStatement(payloadType, payload);
    assertSubject(this.#statement, this.#artifact);
    return `the attestation (${escapeForTerminal(this.#statement.predicateType.slice(0, 200))}) is about this artifact`;
  }

  #certificateOf(): X509Certificate | undefined {
    return this.#entity?.key.$case === 'certificate' ? this.#entity.key.certificate : undefined;
  }

  #signerMaterial(): SignerMaterial {
    const certificate = this.#certificateOf();
    if (certificate === undefined) return { spki: this.#trust.key?.spki ?? new Uint8Array() };
    return { certificate: rawCertificate(this.#bundle), spki: certificate.publicKey };
  }

  #provenTimes(): number[] {
    return timeSources(this.#entity).map(({ time }) => time);
  }
}

function derKey(spki: Uint8Array): PublicKeyInput {
  return { key: Buffer.from(spki), format: 'der', type: 'spki' };
}

function assertDigest(own: Uint8Array | undefined, signed: Uint8Array, hash: string): void {
  if (own === undefined) {
    throw new ReleaseError(
      'ARTIFACT_UNHASHED',
      `the signature is over the ${hash} of the artifact, which was not computed`,
    );
  }
  if (!equalBytes(own, signed)) {
    throw new ReleaseError('ARTIFACT_MISMATCH', 'the signature is valid, but it is over another file');
  }
}
