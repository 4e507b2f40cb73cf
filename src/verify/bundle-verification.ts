import type { IndexEntry } from '../bundle/index-lines.ts';
import { type BundleStatement, parseStatement } from '../bundle/statement.ts';
import {
  type Check,
  type Freshness,
  failed,
  passed,
  type Report,
  type Signer,
  skipped,
  verdictOf,
} from '../core/checks.ts';
import { type Digest, sha256Digest } from '../core/digest.ts';
import type { Envelope } from '../core/dsse.ts';
import { DaemonEyeError } from '../core/errors.ts';
import type { Time } from '../core/time.ts';
import { count } from '../core/wording.ts';
import { type AttestationFinding, attestedFiles, checkAttestations } from './checks/attestations.ts';
import { checkAudience } from './checks/audience.ts';
import { type BlobFindings, checkBlobs } from './checks/blobs.ts';
import { type ContainerState, checkContainer } from './checks/container.ts';
import { type ContentVerdict, checkContent } from './checks/content.ts';
import { checkCritical } from './checks/critical.ts';
import { checkEnvelope } from './checks/envelope.ts';
import { assertFresh, checkFreshness, raisedFloor } from './checks/freshness.ts';
import { checkIndex } from './checks/index-file.ts';
import { checkRequires } from './checks/requires.ts';
import { checkRevocation } from './checks/revocation.ts';
import { checkRootChain } from './checks/root-chain.ts';
import { type ChannelMemory, checkSequence } from './checks/sequence.ts';
import { checkSignatures, knownSigners } from './checks/signatures.ts';
import { reasonOf, VerifyError } from './errors.ts';
import { judgeHeads, placeIn } from './heads.ts';
import { extendPinnedRoot, type RootFile } from './root-chain.ts';
import type { TrustRoot } from './root-document.ts';

/** The checks of a bundle, in the order they are made and shown (docs/formats.md, "Bundle"). */
export const BUNDLE_CHECKS = [
  'container',
  'root-chain',
  'envelope',
  'signatures',
  'revocation',
  'audience',
  'critical',
  'requires',
  'sequence',
  'freshness',
  'index',
  'blobs',
  'attestations',
  'content',
] as const;

export type BundleCheckName = (typeof BUNDLE_CHECKS)[number];

/** Everything a verdict depends on besides the bundle's bytes. */
export type BundleTrust = {
  readonly pinned: TrustRoot;
  /** The latest moment known to have passed, the tool's build time included. */
  readonly floor: Time;
  readonly toolVersion: string;
  /** What this enclave answers to besides the name in its trust root. */
  readonly names?: readonly string[];
  /** What is remembered of a channel; undefined for one never seen. */
  readonly channelMemory: (channel: string) => ChannelMemory | undefined;
  /** The newest heads statement that answered a nonce of this enclave; judged anew under the newest root. */
  readonly heads?: Envelope | undefined;
  readonly acceptGap?: boolean;
  readonly requireFresh?: boolean;
};

export type { AttestationFinding } from './checks/attestations.ts';
export type { ContentVerdict } from './checks/content.ts';

/**
 * One verification, fed as the bytes arrive: `head`, then `index`, then `blobs`, then `attestations` where there are any,
 * then `content`. Pure: every byte and
 * every fact is an argument. Each step returns whether to go on; after the first failure nothing that it protects is
 * parsed any more, and the checks not reached are `skipped`, which is never a pass. A step out of turn, or made a
 * second time, is a failure: it would judge one bundle by the checks of another.
 */
export class BundleVerification {
  readonly #trust: BundleTrust;
  readonly #checks = new Map<BundleCheckName, Check>();
  #container: ContainerState = { status: 'unopened' };
  #signers: readonly Signer[] = [];
  #freshness: Freshness = { status: 'unknown', reason: 'not judged: an earlier check failed' };
  #floor: Time;
  #chain: readonly TrustRoot[] = [];
  #payload: Digest | undefined;
  #statement: BundleStatement | undefined;
  #entries: readonly IndexEntry[] = [];

  constructor(trust: BundleTrust) {
    this.#trust = trust;
    this.#floor = trust.floor;
  }

  /**
   * The verified root chain from the pinned version on, also when the bundle around it is refused or its newest version
   * has expired: verified roots are kept.
   */
  get chain(): readonly TrustRoot[] {
    return this.#chain;
  }

  /** Set once enough signers vouch for it. */
  get statement(): BundleStatement | undefined {
    return this.#statement;
  }

  /** Digest of the statement's payload: the bundle's identity. */
  get payload(): Digest | undefined {
    return this.#payload;
  }

  get entries(): readonly IndexEntry[] {
    return this.#entries;
  }

  /** The floor, raised by what was verified. */
  get floor(): Time {
    return this.#floor;
  }

  /**
   * Root chain and envelope; everything up to the freshness of the signed statement.
   * @param rootFiles the chain the bundle carries; without one the pinned root judges, as it is
   */
  head(envelopeBytes: Uint8Array, rootFiles?: readonly RootFile[]): boolean {
    const { pinned, toolVersion, names, channelMemory, acceptGap = false, requireFresh = false } = this.#trust;
    const root = this.#run('root-chain', () => {
      // Kept whatever becomes of the rest, its newest version expired or not.
      this.#chain = rootFiles === undefined ? [pinned] : extendPinnedRoot(pinned, rootFiles);
      const judged = checkRootChain(pinned, this.#chain, this.#floor);
      this.#floor = judged.floor;
      return [judged.reason, judged.root];
    });
    const envelope = this.#run('envelope', () => {
      const judged = checkEnvelope(envelopeBytes);
      return [judged.reason, judged.envelope];
    });
    if (root === undefined || envelope === undefined) return false;

    const payload = sha256Digest(envelope.payload);
    this.#payload = payload;
    const statement = this.#run('signatures', () => {
      // Only what a key of the root vouches for is parsed at all.
      const signers = knownSigners(root, envelope);
      const parsed = parseStatement(envelope.payload);
      const judged = checkSignatures(root, parsed, signers);
      this.#signers = judged.signers;
      this.#statement = parsed;
      return [judged.reason, parsed];
    });
    if (statement === undefined) return false;

    this.#run('revocation', () => {
      const judged = checkRevocation(root, statement, payload, this.#signers, this.#floor);
      this.#signers = judged.signers;
      return [judged.reason, true];
    });
    this.#run('audience', () => [checkAudience(root, statement, names), true]);
    this.#run('critical', () => [checkCritical(statement), true]);
    this.#run('requires', () => [checkRequires(root, statement, toolVersion), true]);
    const heads = judgeHeads(root, this.#trust.heads, this.#floor);
    this.#run('sequence', () => {
      const announced = 'document' in heads ? placeIn(heads.document, statement.channel) : undefined;
      return [checkSequence(statement, payload, channelMemory(statement.channel), acceptGap, announced), true];
    });
    const fresh = this.#run('freshness', () => {
      this.#floor = raisedFloor(root, statement, this.#floor);
      this.#freshness = checkFreshness(statement, payload, this.#floor, heads);
      if (requireFresh) assertFresh(this.#freshness);
      const { asOf, reason } = this.#freshness;
      const proof = asOf === undefined ? 'not provably fresh' : `fresh as of ${asOf}`;
      return [`not expired at ${this.#floor}; ${proof}: ${reason}`, true];
    });
    return fresh === true;
  }

  /** @param bytes of index.jsonl, at most as many as the statement says */
  index(bytes: Uint8Array): boolean {
    const entries = this.#run('index', () => {
      const { statement } = this;
      if (statement === undefined) throw new VerifyError('VERIFY_STAGE', 'the index came before the statement');
      const parsed = checkIndex(statement, bytes);
      return [`${count(parsed.length, 'file')}, ${statement.bytes} bytes, as signed`, parsed];
    });
    this.#entries = entries ?? [];
    return entries !== undefined;
  }

  /** Also the attestations of a bundle that has none, or may have none. */
  blobs(findings: BlobFindings): boolean {
    const areRight = this.#run('blobs', () => [checkBlobs(this.#entries, findings), true]) === true;
    return areRight && this.attested.length > 0 ? true : this.attestations([]);
  }

  /** The check to be made next; undefined when one failed, or all are made. */
  get due(): BundleCheckName | undefined {
    return this.#blocking() === undefined ? this.#next() : undefined;
  }

  /** The files whose third-party signatures are to be judged next; none before the blobs, and none after. */
  get attested(): readonly IndexEntry[] {
    return this.due === 'attestations' && this.#statement?.kind === 'update' ? attestedFiles(this.#entries) : [];
  }

  /** @param findings one for each signature over each of {@link attested} */
  attestations(findings: readonly AttestationFinding[]): boolean {
    const checked = this.#run('attestations', () => {
      const { statement } = this;
      if (statement === undefined) throw new VerifyError('VERIFY_STAGE', 'attestations came before the statement');
      return [checkAttestations(statement.kind, this.#entries, findings), true];
    });
    return checked === true;
  }

  content(verdict: ContentVerdict): boolean {
    return this.#run('content', () => [checkContent(verdict), true]) === true;
  }

  /** The container itself (layout, archive) was refused, however late that came out: nothing else counts. */
  containerRefused(error: DaemonEyeError): void {
    this.#checks.clear();
    this.#signers = [];
    this.#freshness = { status: 'unknown', reason: 'not judged: the container was refused' };
    this.#container = { status: 'refused', error };
  }

  /** The container is in order as far as it was read; that alone never makes it pass. @param reason what was read */
  containerOpened(reason: string): void {
    if (this.#container.status === 'unopened') this.#container = { status: 'open', reason };
  }

  /** The container was read to its end and found in order; a refusal stands. @param reason what was read */
  containerRead(reason: string): void {
    if (this.#container.status !== 'refused') this.#container = { status: 'end', reason };
  }

  report(name: string): Report {
    const made = new Map(this.#checks);
    const container = checkContainer(this.#container, this.#blocking()?.name);
    if (container !== undefined) made.set('container', container);
    const blocking = [...made.values()].find(({ status }) => status === 'fail');
    const why = blocking === undefined ? 'not made' : `not reached: ${blocking.name} failed`;
    const checks = BUNDLE_CHECKS.map((check) => made.get(check) ?? skipped(check, why));
    const statement = this.#statement;
    const detail = statement && { kind: statement.kind, channel: statement.channel, seq: statement.seq };
    return {
      verdict: verdictOf(checks),
      subject: {
        type: 'bundle',
        name,
        ...(this.#payload === undefined ? {} : { digest: this.#payload }),
        ...(detail === undefined ? {} : { detail }),
      },
      checks,
      freshness: this.#freshness,
      signers: this.#signers,
    };
  }

  /** Runs a check unless an earlier one failed; its first result is the reason, its second what the step yields. */
  #run<T>(name: BundleCheckName, check: () => readonly [string, T]): T | undefined {
    if (this.#blocking() !== undefined) return undefined;
    try {
      this.#assertTurn(name);
      const [reason, value] = check();
      this.#checks.set(name, passed(name, reason));
      return value;
    } catch (error) {
      if (!(error instanceof DaemonEyeError)) throw error;
      this.#checks.set(name, failed(name, error.code, reasonOf(error)));
      if (error.code === 'EXPIRED') this.#freshness = { status: 'expired', reason: error.message, floor: this.#floor };
      return undefined;
    }
  }

  /** The check that ended the verification; a refused container ends it too. */
  #blocking(): { readonly name: string } | undefined {
    if (this.#container.status === 'refused') return { name: 'container' };
    return [...this.#checks.values()].find(({ status }) => status === 'fail');
  }

  /** Only the container is judged beside the others, while it is read. */
  #assertTurn(name: BundleCheckName): void {
    const due = this.#next();
    if (name !== due) throw new VerifyError('VERIFY_STAGE', `${name} was checked when ${due ?? 'nothing'} was due`);
  }

  #next(): BundleCheckName | undefined {
    return BUNDLE_CHECKS.find((check) => check !== 'container' && !this.#checks.has(check));
  }
}
