import type { BundleStatement } from '../../bundle/statement.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { VerifyError } from '../errors.ts';

/** Names in `critical` that this version understands. None are defined yet. */
const KNOWN: ReadonlySet<string> = new Set();

/**
 * A publisher lists in `critical` what must not be ignored; a verifier that doesn't know a name refuses
 * (as RFC 5280 section 4.2 does for critical extensions). @throws VerifyError CRITICAL_UNKNOWN
 */
export function checkCritical(statement: BundleStatement): string {
  const unknown = statement.critical.filter((name) => !KNOWN.has(name));
  if (unknown.length > 0) {
    const names = unknown.map(escapeForTerminal).join(', ');
    throw new VerifyError('CRITICAL_UNKNOWN', `needs what this version does not know: ${names}`);
  }
  return 'asks for nothing this version does not know';
}
