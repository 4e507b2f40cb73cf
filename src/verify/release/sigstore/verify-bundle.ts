import { createPublicKey, type PublicKeyInput } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import type { X509Certificate } from '@sigstore/core';
import { type SignedEntity, toSignedEntity, VerificationError, Verifier } from '@sigstore/verify';
import { encodeHex, equalBytes } from '../../../core/bytes.ts';
import { type Check, type Signer, verdictOf } from '../../../core/checks.ts';
import { sha256 } from '../../../core/digest.ts';
import { messageOf } from '../../../core/errors.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { formatTime, type Time } from '../../../core/time.ts';
import { ReleaseError, type ReleaseErrorCode } from '../errors.ts';
import type { Artifact, MethodOutcome } from '../method.ts';
import type { ReleaseKey } from '../release-key.ts';
import { runStages, type Stage } from '../stages.ts';
import { certifiedIdentity } from './certificate.ts';
import { assertIdentity, type CertifiedIdentity, type IdentityExpectation } from './identity.ts';
import { assertLogEntry, countLogs, type SignerMaterial } from './log-entry.ts';
import { readBundle } from './read-bundle.ts';
import { artifactDigest, signatureContent, signedDigest } from './signature-content.ts';
import { assertSubject, readStatement, type Statement } from './statement.ts';
import type { SigstoreRoot } from './trusted-root.ts';

/** Whom to believe, and how much evidence there must be. */
export type SigstoreTrust = {
  readonly root: SigstoreRoot;
  /** The bundle must be signed with a certificate of this identity. */
  readonly identity?: IdentityExpectation;
  /** Or with this key, however the bundle calls it. Give one of the two. */
  readonly key?: ReleaseKey;
  readonly thresholds?: Thresholds;
};

/** Distinct ones of each. A certificate always needs a proven time: without one, nothing says that it had not ended. */
export type Thresholds = {
  /** Transparency logs that have the signature; default 1. 0 trusts the signature alone. */
  readonly logs?: number;
  /** Certificate transparency logs that have the certificate; default 1. */
  readonly certificateLogs?: number;
  /** Logs and timestamp authorities that say when; default 1 with a certificate, 0 with a key without validity. */
  readonly times?: number;
};

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

/** The order of the checks of a bundle. */
const MATERIAL = 'material';
const TIMES = 'times';
const CERTIFICATE = 'certificate';
const KEY = 'key';
const LOG = 'transparency-log';
const SIGNATURE = 'signature';
const IDENTITY = 'identity';
const ARTIFACT = 'artifact';

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

/** As {@link verifySigstoreBundle}, for a bundle inside of something else. */
export function verifyReadBundle(artifact: Artifact, read: () => Bundle, trust: SigstoreTrust): SigstoreOutcome {
  const work = new BundleWork(artifact, read, trust);
  const checks = runStages(work.stages());
  return verdictOf(checks) === 'trusted' ? work.outcome(checks) : { checks, signers: [] };
}

/** Which check each refusal of the library belongs to, and its code here. */
const REFUSALS: Readonly<Record<string, readonly [string, ReleaseErrorCode]>> = {
  TIMESTAMP_ERROR: [TIMES, 'TIMESTAMP_REFUSED'],
  CERTIFICATE_ERROR: [CERTIFICATE, 'CERTIFICATE_REFUSED'],
  PUBLIC_KEY_ERROR: [KEY, 'KEY_EXPIRED'],
  TLOG_INCLUSION_PROOF_ERROR: [LOG, 'LOG_ENTRY_REFUSED'],
  TLOG_INCLUSION_PROMISE_ERROR: [LOG, 'LOG_ENTRY_REFUSED'],
  TLOG_MISSING_INCLUSION_ERROR: [LOG, 'LOG_ENTRY_REFUSED'],
  TLOG_ERROR: [LOG, 'LOG_ENTRY_REFUSED'],
  TLOG_BODY_ERROR: [LOG, 'LOG_ENTRY_MISMATCH'],
  SIGNATURE_ERROR: [SIGNATURE, 'SIGNATURE_REFUSED'],
};

/** What one verification learns, step by step. */
class BundleWork {
  readonly #artifact: Artifact;
  readonly #read: () => Bundle;
  readonly #trust: SigstoreTrust;
  #bundle: Bundle | undefined;
  #entity: SignedEntity | undefined;
  /** The library judges everything in one call; its refusal is told by the check that it belongs to. */
  #refusal: { readonly stage: string; readonly error: ReleaseError } | undefined;
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
      throw new ReleaseError('KEY_MISSING', 'the bundle is signed with a plain key; give the publisher’s key');
    }
    if (kind !== 'publicKey' && (key !== undefined || identity === undefined)) {
      const message = 'the bundle is signed with a certificate; say which identity and issuer it must be of';
      throw new ReleaseError('IDENTITY_UNSAID', message);
    }
    this.#bundle = bundle;
    this.#entity = entityOf(bundle, this.#artifact);
    this.#judge(this.#entity);
    const form = bundle.content.$case === 'dsseEnvelope' ? 'attestation' : 'signature';
    return `a sigstore bundle with ${form === 'attestation' ? 'an' : 'a'} ${form}`;
  }

  #judge(entity: SignedEntity): void {
    const { root, key, thresholds } = this.#trust;
    const material = { ...root.material, ...(key === undefined ? {} : { publicKey: () => timedKey(key) }) };
    const verifier = new Verifier(material, {
      tlogThreshold: thresholds?.logs ?? 1,
      ctlogThreshold: thresholds?.certificateLogs ?? 1,
      timestampThreshold: this.#wantedTimes,
    });
    try {
      verifier.verify(entity);
    } catch (cause) {
      this.#refusal = refusalOf(cause);
    }
  }

  get #wantedTimes(): number {
    const { key, thresholds } = this.#trust;
    // Without a certificate's or a key's end there is nothing that a time would be compared with.
    const needed = key === undefined || key.validFor !== undefined ? 1 : 0;
    return Math.max(needed, thresholds?.times ?? needed);
  }

  #judged(stage: string, own: () => string): string {
    if (this.#refusal?.stage === stage) throw this.#refusal.error;
    return own();
  }

  #times(): string {
    const sources = new Set(this.#timeSources().map(({ source }) => source));
    if (sources.size < this.#wantedTimes) {
      const message = `${sources.size} distinct sources of time where ${this.#wantedTimes} are wanted`;
      throw new ReleaseError('TIMESTAMP_REFUSED', message);
    }
    const times = this.#provenTimes();
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
    return { certificate: this.#rawCertificate(), spki: certificate.publicKey };
  }

  /** The bytes as they came: written again, another encoding of them could become the logged one. */
  #rawCertificate(): Uint8Array {
    const content = this.#bundle?.verificationMaterial.content;
    if (content?.$case === 'certificate') return content.certificate.rawBytes;
    const chain = content?.$case === 'x509CertificateChain' ? content.x509CertificateChain.certificates : [];
    return chain[0]?.rawBytes ?? new Uint8Array();
  }

  #provenTimes(): number[] {
    return this.#timeSources().map(({ time }) => time);
  }

  /** The same that the library has verified and counted: an entry without a promise proves no time. */
  #timeSources(): { source: string; time: number }[] {
    return (this.#entity?.timestamps ?? []).flatMap((stamp) => {
      if (stamp.$case === 'timestamp-authority') {
        const { signingTime, signerIssuer, signerSerialNumber } = stamp.timestamp;
        const source = `authority ${encodeHex(signerIssuer)} ${encodeHex(signerSerialNumber)}`;
        return [{ source, time: signingTime.getTime() }];
      }
      const { inclusionPromise, integratedTime, logId } = stamp.tlogEntry;
      if (inclusionPromise === undefined) return [];
      return [{ source: `log ${encodeHex(logId.keyId)}`, time: Number(integratedTime) * 1000 }];
    });
  }
}

function derKey(spki: Uint8Array): PublicKeyInput {
  return { key: Buffer.from(spki), format: 'der', type: 'spki' };
}

/** @throws ReleaseError MATERIAL_MALFORMED if the certificate or a timestamp isn't one */
function entityOf(bundle: Bundle, artifact: Artifact): SignedEntity {
  try {
    return { ...toSignedEntity(bundle), signature: signatureContent(bundle.content, artifact) };
  } catch (cause) {
    const problem = `the certificate or a timestamp in the bundle can't be read (${messageOf(cause)})`;
    throw new ReleaseError('MATERIAL_MALFORMED', problem, { cause });
  }
}

/**
 * What the library refuses, by the check it belongs to. Anything else that it throws on hostile input means that something
 * in the bundle can't be read.
 * @throws ReleaseError MATERIAL_MALFORMED
 */
function refusalOf(cause: unknown): { stage: string; error: ReleaseError } {
  const refusal = cause instanceof VerificationError ? REFUSALS[cause.code] : undefined;
  if (refusal === undefined) {
    const problem = `something in the bundle can't be read (${messageOf(cause)})`;
    throw new ReleaseError('MATERIAL_MALFORMED', problem, { cause });
  }
  const [stage, code] = refusal;
  return { stage, error: new ReleaseError(code, messageOf(cause), { cause }) };
}

function timedKey(key: ReleaseKey): ReturnType<SigstoreRoot['material']['publicKey']> {
  return { publicKey: key.handle, validFor: (date) => isInTime(key, date.getTime()) };
}

function isInTime({ validFor }: ReleaseKey, time: number): boolean {
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = validFor ?? {};
  return start <= time && time <= end;
}

/** The library accepts a key whose end has passed when nothing says when it signed: here that needs a time. */
function assertKeyInTime(key: ReleaseKey, times: readonly number[]): void {
  if (key.validFor === undefined) return;
  if (times.length > 0 && times.every((time) => isInTime(key, time))) return;
  throw new ReleaseError('KEY_EXPIRED', 'the key has an end, and nothing proves that it signed before it');
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
