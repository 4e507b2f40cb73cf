import { type Check, failed, passed, type Report, type Signer, skipped, verdictOf } from '../../core/checks.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Time } from '../../core/time.ts';
import { count } from '../../core/wording.ts';
import { reasonOf } from '../errors.ts';
import { assertChecksums, checksumsOf, parseChecksums, type SumsEntry } from './checksums.ts';
import { ReleaseError } from './errors.ts';
import { type Message, type MessageHash, messageOfBytes } from './message.ts';
import type { MessageNeed, PreparedMethod } from './prepared.ts';

/** A file in memory, by the name people know it by. */
export type NamedBytes = { readonly name: string; readonly bytes: Uint8Array };

/**
 * One verification of a release: who signed is judged first where a small list of checksums was signed, so that whoever
 * reads the artifact knows which hashes of it are wanted; it is read once.
 */
export class ReleaseVerification {
  readonly #methods: readonly PreparedMethod[];
  readonly #sums: NamedBytes | undefined;
  readonly #checks: Check[] = [];
  readonly #signers: Signer[] = [];
  #lines: readonly SumsEntry[] = [];
  readonly #ofArtifact: PreparedMethod[] = [];

  /**
   * @param methods at least one: without a signature there is nothing to believe
   * @param sums a list of checksums, which is then what the signatures are over
   * @param name the artifact's own name, without directories, as the list has it
   */
  constructor(name: string, methods: readonly PreparedMethod[], sums?: NamedBytes) {
    this.#methods = methods;
    this.#sums = sums;
    if (sums !== undefined) this.#judgeSums(name, sums);
  }

  /** What has to be known of the artifact. @param more what else is wanted of it */
  needs(more: readonly MessageNeed[] = []): ReadonlySet<MessageNeed> {
    const own =
      this.#sums === undefined ? this.#methods.flatMap(({ needs }) => needs) : this.#lines.map(({ hash }) => hash);
    return new Set<MessageNeed>(['sha256', ...own, ...this.#ofArtifact.flatMap(({ needs }) => needs), ...more]);
  }

  /**
   * Adds what is about the artifact itself, also where a list of checksums was signed: provenance names the artifact.
   * Before {@link needs} is asked for.
   */
  alsoOfArtifact(method: PreparedMethod): void {
    this.#ofArtifact.push(method);
  }

  /** Judges the artifact, once. @param notChecked names of signatures beside it that no trust was given for */
  artifact(message: Message, notChecked: readonly string[] = []): void {
    const beside = notChecked.length === 0 ? '' : `; not checked: ${notChecked.map(escapeForTerminal).join(', ')}`;
    const detail = notChecked.length === 0 ? undefined : { notChecked };
    this.#checks.unshift(passed('file', `read, ${count(message.size, 'byte')}${beside}`, detail));
    if (this.#sums === undefined) this.#run(this.#methods, message);
    else if (this.#blocking() === undefined) {
      this.#try('checksums', () => {
        assertChecksums(message, this.#lines);
        const lines = this.#lines.map(({ line, hash }) => `line ${line} (${hash})`).join(' and ');
        return { reason: `the file is the one of ${lines} of the signed list` };
      });
    }
    this.#run(this.#ofArtifact, message);
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

  /** @param floor it is at least this moment */
  report(message: Message, floor: Time): Report {
    const verdict = verdictOf(this.#checks);
    return {
      verdict,
      subject: { type: 'release', name: message.name, digest: `sha256:${message.digests.sha256}` },
      checks: this.#checks,
      freshness: { status: 'not-provable', reason: 'a signature does not tell whether something newer exists', floor },
      signers: verdict === 'trusted' ? this.#signers : [],
    };
  }

  #judgeSums(name: string, { name: listName, bytes }: NamedBytes): void {
    this.#run(this.#methods, messageOfBytes(listName, bytes));
    const blocking = this.#blocking();
    if (blocking !== undefined) {
      this.#checks.push(skipped('checksums', `not reached: ${blocking.name} failed`));
      return;
    }
    try {
      // Only what a signature vouches for is parsed at all.
      this.#lines = checksumsOf(parseChecksums(bytes), name);
    } catch (error) {
      this.#refuse('checksums', error);
    }
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
    if (this.#sums !== undefined) {
      const lines = checksumsOf(parseChecksums(this.#sums.bytes), fileName(name));
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

/** What was found, in a sentence and for programs. */
export type Finding = { readonly reason: string; readonly detail?: Check['detail'] };

function fileName(path: string): string {
  return path.split(/[/\\]/).at(-1) ?? path;
}

/** The hashes among the needs. */
export function hashesOf(needs: ReadonlySet<MessageNeed>): MessageHash[] {
  return [...needs].filter((need) => need !== 'whole');
}
