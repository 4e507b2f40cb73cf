import type { KeyId } from './keys.ts';
import type { Time } from './time.ts';

/**
 * The report every verifier returns, and text, JSON and the terminal UI all render: named checks in a fixed order.
 * A required check that was skipped is a refusal.
 */
export type CheckStatus = 'pass' | 'fail' | 'skipped';

export type Check = {
  readonly name: string;
  readonly status: CheckStatus;
  /** One sentence for people. */
  readonly reason: string;
  /** On a failure, the closed code that tests and scripts rely on. */
  readonly code?: string;
  readonly detail?: { readonly [key: string]: string | number | boolean | readonly string[] };
};

export type Signer = {
  readonly keyid: KeyId;
  readonly role: string;
  readonly operator?: string;
  /** Where a certificate binds the key to a name: that name, and the account provider that vouched for it. */
  readonly identity?: string;
  readonly issuer?: string;
};

export type Freshness = {
  readonly status: 'fresh' | 'not-provable' | 'expired' | 'unknown';
  readonly reason: string;
  /** When `fresh`: the moment at which the publisher said that nothing newer existed. */
  readonly asOf?: Time;
  /** The latest moment known to have passed. */
  readonly floor?: Time;
  readonly expires?: Time;
};

export type Subject = {
  readonly type: 'bundle' | 'release' | 'evidence' | 'ledger' | 'root';
  readonly name: string;
  readonly digest?: string;
  readonly detail?: { readonly [key: string]: string | number };
};

export type Report = {
  readonly verdict: 'trusted' | 'refused';
  readonly subject: Subject;
  readonly checks: readonly Check[];
  readonly freshness: Freshness;
  readonly signers: readonly Signer[];
};

export function passed(name: string, reason: string, detail?: Check['detail']): Check {
  return { name, status: 'pass', reason, ...(detail === undefined ? {} : { detail }) };
}

export function failed(name: string, code: string, reason: string, detail?: Check['detail']): Check {
  return { name, status: 'fail', reason, code, ...(detail === undefined ? {} : { detail }) };
}

export function skipped(name: string, reason: string): Check {
  return { name, status: 'skipped', reason };
}

/** Trusted only if there is at least one check and every one passed: skipped is not passed. */
export function verdictOf(checks: readonly Check[]): Report['verdict'] {
  return checks.length > 0 && checks.every(({ status }) => status === 'pass') ? 'trusted' : 'refused';
}

/** The check that decided against, if any: the first that did not pass. */
export function decidingCheck(report: Report): Check | undefined {
  return report.checks.find(({ status }) => status === 'fail') ?? report.checks.find(({ status }) => status !== 'pass');
}
