import { type Check, failed, passed, type Report, type Signer, skipped, verdictOf } from '../../core/checks.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Time } from '../../core/time.ts';
import { count } from '../../core/wording.ts';
import { reasonOf } from '../errors.ts';
import { assertChecksums, checksumsOf, parseChecksums, type SumsEntry } from './checksums.ts';
import { type Message, type MessageHash, messageOfBytes } from './message.ts';
import type { MessageNeed, PreparedMethod } from './methods.ts';

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

  /** What has to be known of the artifact. */
  get needs(): ReadonlySet<MessageNeed> {
    const own =
      this.#sums === undefined ? this.#methods.flatMap(({ needs }) => needs) : this.#lines.map(({ hash }) => hash);
    return new Set<MessageNeed>(['sha256', ...own]);
  }

  /** Judges the artifact, once. @param notChecked names of signatures beside it that no trust was given for */
  artifact(message: Message, notChecked: readonly string[] = []): void {
    const beside = notChecked.length === 0 ? '' : `; not checked: ${notChecked.map(escapeForTerminal).join(', ')}`;
    const detail = notChecked.length === 0 ? undefined : { notChecked };
    this.#checks.unshift(passed('artifact', `read, ${count(message.size, 'byte')}${beside}`, detail));
    if (this.#sums === undefined) this.#run(message);
    else if (this.#blocking() === undefined) {
      this.#try('checksums', () => {
        assertChecksums(message, this.#lines);
        const lines = this.#lines.map(({ line, hash }) => `line ${line} (${hash})`).join(' and ');
        return `the file is the one of ${lines} of the signed list`;
      });
    }
  }

  /** A further check, made only if all before it passed. @param make the reason it passes, or throws */
  also(name: string, make: () => string): void {
    if (this.#blocking() === undefined) this.#try(name, make);
    else this.#checks.push(skipped(name, `not reached: ${this.#blocking()?.name} failed`));
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
    this.#run(messageOfBytes(listName, bytes));
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

  #run(message: Message): void {
    for (const method of this.#methods) {
      const { checks, signers } = method.verify(message);
      this.#checks.push(...checks);
      this.#signers.push(...signers);
    }
  }

  #try(name: string, make: () => string): void {
    try {
      this.#checks.push(passed(name, make()));
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
