import { type Check, failed, passed, type Report, type Signer, skipped, verdictOf } from '../../core/checks.ts';
import { type HashFunction, type HashName, sha256Digest } from '../../core/digest.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { verifyRange } from '../../core/range-proof.ts';
import { laterTime, type Time } from '../../core/time.ts';
import { count } from '../../core/wording.ts';
import { LedgerError } from '../../ledger/errors.ts';
import { checkTrace } from '../../ledger/trace-check.ts';
import { type Admissions, admit } from '../../verify/enrolment-admission.ts';
import { reasonOf } from '../../verify/errors.ts';
import { assertRootNotExpired } from '../../verify/root-chain.ts';
import type { TrustRoot } from '../../verify/root-document.ts';
import { untrusted } from '../errors.ts';
import { checkBag, type FileFacts } from './bag.ts';
import { type Contents, type Documents, enrolmentsIn, openContents, placesIn } from './contents.ts';
import { EVIDENCE_CHECKS, type EvidenceCheckName, SEAL_NAME, TAGMANIFEST_NAME } from './format.ts';
import { describeLog, logPath } from './layout.ts';
import { keysInside, locators } from './locate.ts';
import { LogAudit } from './log-audit.ts';
import { assertLogsEnrolled, checkCheckpoints, describeSigners } from './log-authority.ts';
import { checkSeal } from './seal.ts';
import { sealingLogKeys } from './sealing-keys.ts';

/** Everything a verdict depends on besides the package's bytes. */
export type EvidenceTrust = {
  /** The newest trust root pinned on this side. */
  readonly root: TrustRoot;
  /** The latest moment known to have passed, the tool's build time included. */
  readonly floor: Time;
  /** Enrolments known here already; those in the package are looked at as well. Each counts only if it verifies. */
  readonly enrolments: readonly Uint8Array[];
};

/** A package as it was copied: what is known of every file, and the bytes of all but the lines. */
export type OpenedBag = {
  /** The directory in the tar; undefined for an unpacked one, which people may rename. */
  readonly name: string | undefined;
  readonly files: FileFacts;
  readonly documents: Documents;
};

/**
 * One verification: `open` judges everything but the lines, the caller feeds each returned audit its lines.ndjson, then
 * `close`. Pure: every byte and every fact is an argument. After the first failure nothing that it protects is believed
 * any more, and the checks not reached are `skipped`, which is never a pass.
 */
export class EvidenceVerification {
  readonly #trust: EvidenceTrust;
  readonly #hashes: Readonly<Record<HashName, HashFunction>>;
  readonly #checks = new Map<EvidenceCheckName, Check>();
  #digest: string | undefined;
  #signers: readonly Signer[] = [];
  #contents: Contents | undefined;
  #roots: readonly Uint8Array[] = [];
  #audits: readonly LogAudit[] = [];
  #isLocating = false;

  constructor(trust: EvidenceTrust, hashes: Readonly<Record<HashName, HashFunction>>) {
    this.#trust = trust;
    this.#hashes = hashes;
  }

  /** What the package holds, once its seal stands. */
  get contents(): Contents | undefined {
    return this.#contents;
  }

  /** The container itself (layout, archive) was refused. */
  containerRefused(error: DaemonEyeError): void {
    this.#checks.set('container', failed('container', error.code, reasonOf(error)));
  }

  /**
   * @param reason how the container was read
   * @returns the audits to feed, each with the lines of its place: to judge them or, when the package was changed, only
   *   to name the line
   */
  open({ name, files, documents }: OpenedBag, reason: string): readonly LogAudit[] {
    this.#checks.set('container', passed('container', reason));
    const tagmanifest = documents.get(TAGMANIFEST_NAME) ?? new Uint8Array();
    let changed: string | undefined;
    const isBag = this.#run('bag', () => {
      const found = checkBag(files, documents);
      this.#digest = sha256Digest(tagmanifest);
      changed = found.changed;
      if (changed !== undefined) throw untrusted('BAG_CHANGED', `${changed} is not what was listed: it was changed`);
      return [`a complete BagIt 1.0 bag of ${count(found.payload, 'file')}, each with its digest`, true];
    });
    if (isBag === undefined) return this.#locate(files, documents, changed);

    const admissions = this.#run('signatures', () => this.#judgeSeal(files, documents, tagmanifest));
    if (admissions === undefined) {
      const isChanged = this.#checks.get('signatures')?.code === 'SEAL_MISMATCH';
      return isChanged ? this.#locate(files, documents) : [];
    }
    const contents = this.#run('package', () => {
      const opened = openContents(files, documents, name);
      const { hosts } = opened.document;
      return [`${count(opened.logs.length, 'log')} of ${count(hosts.length, 'host')}, as package.json says`, opened];
    });
    this.#contents = contents;
    this.#run('enrolment', () => {
      const { logs } = contents ?? { logs: [] };
      assertLogsEnrolled(logs, admissions);
      return [`every log is admitted by an enrolment under trust root ${this.#trust.root.version}`, true];
    });
    const roots = this.#run('checkpoints', () => {
      const { logs } = contents ?? { logs: [] };
      return [describeSigners(logs), checkCheckpoints(logs, admissions, this.#trust.root)];
    });
    if (contents === undefined || roots === undefined) return [];
    this.#roots = roots;
    const { trace } = contents.document;
    this.#audits = contents.logs.map(
      (log) =>
        new LogAudit({
          place: log.place,
          range: log.range,
          lines: log.packaged.lines,
          hash: this.#hashes[log.genesis.hash],
          genesis: log.genesis.digest,
          epochs: log.epochs,
          ...(trace === undefined ? {} : { traceId: trace }),
        }),
    );
    return this.#audits;
  }

  /** Call once every audit has had all its lines. */
  close(): void {
    for (const audit of this.#audits) audit.finish();
    const flawed = this.#audits.find(({ lineFlaw }) => lineFlaw !== undefined)?.lineFlaw;
    if (this.#isLocating) {
      if (flawed !== undefined) this.#nameLine(flawed.reason);
      return;
    }
    // A changed line would lead the proof to another root, which says less than which line it is.
    if (flawed === undefined) this.#run('ranges', () => [this.#judgeRanges(), true]);
    this.#run('lines', () => {
      if (flawed !== undefined) throw new LedgerError(flawed.code, flawed.reason, { fault: 'untrusted' });
      const lines = this.#audits.reduce((sum, audit) => sum + audit.lines, 0);
      return [`${count(lines, 'line')}, canonical, in order, and linked where they stand side by side`, true];
    });
    this.#run('line-signatures', () => {
      const flaw = this.#audits.find(({ signatureFlaw }) => signatureFlaw !== undefined)?.signatureFlaw;
      if (flaw !== undefined) throw new LedgerError(flaw.code, flaw.reason, { fault: 'untrusted' });
      const signed = this.#audits.reduce((sum, audit) => sum + audit.signed, 0);
      return [`${count(signed, 'line')} signed, each by the key that its log had then`, true];
    });
    this.#run('trace', () => [this.#judgeTrace(), true]);
    this.#run('custody', () => [
      'no custody record came along: nothing is said about whose hands the package went through',
      true,
    ]);
  }

  report(name: string): Report {
    const blocking = [...this.#checks.values()].find(({ status }) => status === 'fail');
    const why = blocking === undefined ? 'not made' : `not reached: ${blocking.name} failed`;
    const checks = EVIDENCE_CHECKS.map((check) => this.#checks.get(check) ?? skipped(check, why));
    const verdict = verdictOf(checks);
    return {
      verdict,
      subject: {
        type: 'evidence',
        name,
        ...(this.#digest === undefined ? {} : { digest: this.#digest }),
        ...(this.#contents === undefined ? {} : { detail: detailOf(this.#contents) }),
      },
      checks,
      freshness: {
        status: 'unknown',
        reason: 'evidence is about the past: a checkpoint says what a log held, not that nothing came after',
      },
      signers: this.#signers,
    };
  }

  #judgeSeal(files: FileFacts, documents: Documents, tagmanifest: Uint8Array): readonly [string, Admissions] {
    const { root, floor, enrolments } = this.#trust;
    const known = laterTime(floor, root.document.issuedAt);
    assertRootNotExpired(root, known);
    const admissions = admit(root, [...enrolments, ...enrolmentsIn(documents)], known);
    const places = placesIn(files);
    const logs = sealingLogKeys(places, documents, admissions);
    const inside = () => keysInside(places, documents);
    this.#signers = checkSeal(documents.get(SEAL_NAME), tagmanifest, { root, floor: known, admissions, logs, inside });
    const [first] = this.#signers;
    const who = first?.operator ?? first?.keyid ?? '';
    return [`sealed by ${who} as ${first?.role}${this.#signers.length > 1 ? ' and others' : ''}`, admissions];
  }

  #judgeRanges(): string {
    const logs = this.#contents?.logs ?? [];
    for (const [i, { place, range }] of logs.entries()) {
      const audit = this.#audits[i];
      const root = this.#roots[i];
      if (audit === undefined || root === undefined) throw new Error('every log has an audit and a checkpoint');
      try {
        verifyRange(audit.hash, { ...range, root, leafAt: audit.leaves() });
      } catch (cause) {
        throw cause instanceof DaemonEyeError ? new AboutLog(cause, describeLog(place)) : cause;
      }
    }
    const sum = (of: 'lines' | 'withheld') => logs.reduce((total, { packaged }) => total + packaged[of], 0);
    return `${count(sum('lines'), 'line')} shown and ${sum('withheld')} withheld, each in its place under its checkpoint`;
  }

  #judgeTrace(): string {
    const trace = this.#contents?.document.trace;
    if (trace === undefined) return 'the package claims no whole trace: nothing is said about what else a trace has';
    return checkTrace(
      trace,
      this.#audits.flatMap(({ traced }) => traced),
    );
  }

  /** @param only the file that was changed; all logs when that is not known */
  #locate(files: FileFacts, documents: Documents, only?: string): readonly LogAudit[] {
    this.#isLocating = true;
    const places = placesIn(files).filter((place) => only === undefined || logPath(place, 'lines') === only);
    this.#audits = locators(places, documents, this.#hashes);
    return this.#audits;
  }

  #nameLine(reason: string): void {
    const check = [...this.#checks.values()].find(({ status }) => status === 'fail');
    if (check === undefined) return;
    this.#checks.set(check.name as EvidenceCheckName, { ...check, reason: `${check.reason}: ${reason}` });
  }

  /** Runs a check unless an earlier one failed; its first result is the reason, its second what the step yields. */
  #run<T>(name: EvidenceCheckName, check: () => readonly [string, T]): T | undefined {
    if ([...this.#checks.values()].some(({ status }) => status === 'fail')) return undefined;
    try {
      const [reason, value] = check();
      this.#checks.set(name, passed(name, reason));
      return value;
    } catch (error) {
      if (!(error instanceof DaemonEyeError)) throw error;
      this.#checks.set(name, failed(name, error.code, reasonOf(error)));
      return undefined;
    }
  }
}

/** core doesn't know whose proof it is, so the sentence gets its "where" here. */
class AboutLog extends DaemonEyeError {
  constructor(cause: DaemonEyeError, what: string) {
    super(cause.code, `${what}: ${cause.message}`, { cause, fault: 'untrusted' });
  }
}

function detailOf({ document, logs }: Contents): { [key: string]: string | number } {
  return {
    case: document.case,
    number: document.number,
    hosts: document.hosts.map(({ host }) => host).join(' '),
    logs: logs.length,
    lines: logs.reduce((sum, { packaged }) => sum + packaged.lines, 0),
    withheld: logs.reduce((sum, { packaged }) => sum + packaged.withheld, 0),
    ...(document.trace === undefined ? {} : { trace: document.trace }),
  };
}
