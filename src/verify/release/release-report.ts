import { type Check, failed, passed, type Report, type Signer, skipped, verdictOf } from '../../core/checks.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Time } from '../../core/time.ts';
import { count } from '../../core/wording.ts';
import { reasonOf } from '../errors.ts';
import { assertChecksums, checksumsAt, checksumsOf, parseChecksums, type SumsEntry } from './checksums.ts';
import { isReleaseFile, type ReleaseFile } from './debian/release-file.ts';
import { ReleaseError } from './errors.ts';
import { type Message, type MessageHash, messageOfBytes } from './message.ts';
import type { MessageNeed, PreparedMethod } from './prepared.ts';
import {
  type Finding,
  fileName,
  findPackage,
  judgeArchive,
  matchLines,
  type NamedBytes,
  PACKAGE_HASHES,
  type PackagesIndex,
  type SignedList,
} from './signed-list.ts';

/**
 * One verification of a release: who signed is judged first where a small list of checksums was signed, so that whoever
 * reads the artifact knows which hashes of it are wanted; it is read once.
 */
export class ReleaseVerification {
  readonly #methods: readonly PreparedMethod[];
  readonly #list: SignedList | undefined;
  readonly #checks: Check[] = [];
  readonly #signers: Signer[] = [];
  #entries: readonly SumsEntry[] = [];
  #lines: readonly SumsEntry[] = [];
  #archive: ReleaseFile | undefined;
  #index: PackagesIndex | undefined;
  readonly #ofArtifact: PreparedMethod[] = [];

  /**
   * @param methods at least one: without a signature there is nothing to believe
   * @param list which is then what the signatures are over
   */
  constructor(methods: readonly PreparedMethod[], list?: SignedList) {
    this.#methods = methods;
    this.#list = list;
    if (list !== undefined) this.#judgeList(list);
  }

  /**
   * The lines of the signed list, once it was judged good.
   * @throws ReleaseError SUMS_MALFORMED and others of `parseChecksums`
   */
  listed(): readonly SumsEntry[] {
    if (this.#entries.length === 0 && this.#list !== undefined) this.#entries = parseChecksums(this.#list.bytes);
    return this.#entries;
  }

  /** What has to be known of the artifact. @param more what else is wanted of it */
  needs(more: readonly MessageNeed[] = []): ReadonlySet<MessageNeed> {
    const lines = this.#index === undefined ? this.#lines.map(({ hash }) => hash) : PACKAGE_HASHES;
    const own = this.#list === undefined ? this.#methods.flatMap(({ needs }) => needs) : lines;
    return new Set<MessageNeed>(['sha256', ...own, ...this.#ofArtifact.flatMap(({ needs }) => needs), ...more]);
  }

  /**
   * Adds what is about the artifact itself, also where a list of checksums was signed: provenance names the artifact.
   * Before {@link needs} is asked for.
   */
  alsoOfArtifact(method: PreparedMethod): void {
    this.#ofArtifact.push(method);
  }

  /** Puts an index between the list and the artifact. Before {@link needs} is asked for. */
  through(index: PackagesIndex): void {
    this.#index = index;
  }

  /** Judges the artifact, once. @param notChecked names of signatures beside it that no trust was given for */
  artifact(message: Message, notChecked: readonly string[] = []): void {
    this.#read(message, notChecked);
    const index = this.#index;
    if (this.#list === undefined) this.#run(this.#methods, message);
    else this.#judgeLines(index?.message ?? message);
    if (index !== undefined) this.#after('packages', () => findPackage(index, message));
    this.#run(this.#ofArtifact, message);
  }

  /** The same where the artifact is the list, which was judged; with an index, that is held against its line. */
  list(message: Message, notChecked: readonly string[] = []): void {
    this.#read(message, notChecked);
    if (this.#index !== undefined) this.#judgeLines(this.#index.message);
  }

  /**
   * Judges a bill of materials: it must be signed as the release is, beside it or by a line of the signed list, since
   * who changes files would change an unsigned list of them too.
   * @param methods for the signatures beside it; not looked at where a list was signed
   * @returns whether its files are to be compared
   */
  sbomSigned(file: NamedBytes, methods: readonly PreparedMethod[]): boolean {
    this.#after('sbom-signature', () => ({ reason: this.#vouchFor(file, methods) }));
    return this.#blocking() === undefined;
  }

  /** The same for an artifact that is itself the list: its signature was judged, if these are the bytes of it. */
  sameBytes({ name, bytes }: NamedBytes, message: Message): boolean {
    this.#after('sbom-signature', () => {
      if (messageOfBytes(name, bytes).digests.sha256 === message.digests.sha256)
        return { reason: 'the release is the list' };
      throw new ReleaseError('SBOM_UNSIGNED', 'the list of files changed while it was read');
    });
    return this.#blocking() === undefined;
  }

  /** @param compare what comparing its files gave, or throws why it is refused; not called after a failure */
  sbomFiles(compare: () => Finding): void {
    this.#after('sbom', compare);
  }

  /** Whether nothing was refused so far. */
  get isGood(): boolean {
    return this.#blocking() === undefined;
  }

  /** Files that the signed list has lines for, or the index packages. @param compare as for {@link sbomFiles} */
  listedFiles(name: 'files' | 'packages', compare: () => Finding): void {
    this.#after(name, compare);
  }

  /** @param floor it is at least this moment */
  report(message: Message, floor: Time): Report {
    const verdict = verdictOf(this.#checks);
    const expires = this.#archive?.validUntil;
    return {
      verdict,
      subject: { type: 'release', name: message.name, digest: `sha256:${message.digests.sha256}` },
      checks: this.#checks,
      freshness: {
        status: 'not-provable',
        reason: 'a signature does not tell whether something newer exists',
        floor,
        ...(expires === undefined ? {} : { expires }),
      },
      signers: verdict === 'trusted' ? this.#signers : [],
    };
  }

  /** Only what a signature vouches for is parsed at all. */
  #judgeList({ name, bytes, about, listedAs, floor }: SignedList): void {
    this.#run(this.#methods, messageOfBytes(name, bytes));
    if (this.#blocking() === undefined && isReleaseFile(bytes)) {
      this.#try('release-file', () => {
        const { archive, finding } = judgeArchive(bytes, floor);
        [this.#archive, this.#entries] = [archive, archive.entries];
        return finding();
      });
    }
    if (about === undefined) return;
    const blocking = this.#blocking();
    if (blocking !== undefined) {
      this.#checks.push(skipped('checksums', `not reached: ${blocking.name} failed`));
      return;
    }
    try {
      const entries = this.listed();
      this.#lines = listedAs === undefined ? checksumsOf(entries, about) : checksumsAt(entries, listedAs);
    } catch (error) {
      this.#refuse('checksums', error);
    }
  }

  #judgeLines(message: Message): void {
    // What failed before said already that it wasn't reached.
    if (this.#blocking() === undefined) this.#try('checksums', () => matchLines(this.#lines, message));
  }

  #read(message: Message, notChecked: readonly string[]): void {
    const beside = notChecked.length === 0 ? '' : `; not checked: ${notChecked.map(escapeForTerminal).join(', ')}`;
    const detail = notChecked.length === 0 ? undefined : { notChecked };
    this.#checks.unshift(passed('file', `read, ${count(message.size, 'byte')}${beside}`, detail));
  }

  #run(methods: readonly PreparedMethod[], message: Message): void {
    for (const method of methods) {
      const { checks, signers } = method.verify(message);
      this.#checks.push(...checks);
      // Passing without saying who signed would be a yes from nobody.
      if (signers.length === 0 && checks.every(({ status }) => status === 'pass')) {
        this.#checks.push(failed(method.name, 'SIGNATURE_MISSING', 'nobody was found to have signed it'));
      }
      this.#signers.push(...signers);
    }
  }

  /** A check that is made only if all before it passed. */
  #after(name: string, make: () => Finding): void {
    const blocking = this.#blocking();
    if (blocking === undefined) this.#try(name, make);
    else this.#checks.push(skipped(name, `not reached: ${blocking.name} failed`));
  }

  #vouchFor({ name, bytes }: NamedBytes, methods: readonly PreparedMethod[]): string {
    const message = messageOfBytes(name, bytes);
    if (this.#list !== undefined) {
      const lines = checksumsOf(this.listed(), fileName(name));
      assertChecksums(message, lines);
      return `the list of files is the one of line ${lines.map(({ line }) => line).join(', ')} of the signed list`;
    }
    if (methods.length === 0) throw new ReleaseError('SIGNATURE_MISSING', 'nobody signed the list of files');
    for (const { checks } of methods.map((method) => method.verify(message))) {
      const refusal = checks.find(({ status }) => status !== 'pass');
      if (refusal !== undefined) throw new ReleaseError('SBOM_UNSIGNED', `the list of files: ${refusal.reason}`);
    }
    return `the list of files is signed as the release is (${methods.map((method) => method.name).join(', ')})`;
  }

  #try(name: string, make: () => Finding): void {
    try {
      const { reason, detail } = make();
      this.#checks.push(passed(name, reason, detail));
    } catch (error) {
      this.#refuse(name, error);
    }
  }

  #refuse(name: string, error: unknown): void {
    if (!(error instanceof DaemonEyeError)) throw error;
    this.#checks.push(failed(name, error.code, reasonOf(error)));
  }

  #blocking(): Check | undefined {
    return this.#checks.find(({ status }) => status !== 'pass');
  }
}

/** The hashes among the needs. */
export function hashesOf(needs: ReadonlySet<MessageNeed>): MessageHash[] {
  return [...needs].filter((need) => need !== 'whole');
}
