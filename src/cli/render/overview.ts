import { basename } from 'node:path';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { count } from '../../core/wording.ts';
import type { Step } from '../../install/agenda.ts';
import type { ChannelFreshness, ListedBundle } from '../../install/overview-io.ts';
import type { WaitingBundle } from '../../install/waiting-io.ts';
import { bytesText } from './progress.ts';

/** Words for what an enclave holds and for what is to be done, the same in every command. All of them are harmless. */

export function freshnessText({ status, reason, asOf }: ChannelFreshness): string {
  if (status === 'expired') return `EXPIRED: ${escapeForTerminal(reason)}`;
  return status === 'fresh' ? `fresh as of ${asOf}` : `not provably fresh: ${escapeForTerminal(reason)}`;
}

/** What is revoked may be active, but is not in use. */
export function takenText({ revoked }: ListedBundle): string {
  return revoked === undefined ? '' : ' (REVOKED)';
}

/** More would say less on one screen. */
const MOST_NAMES = 3;
/** Of a digest, to tell one from another. */
const SHORT = 'sha256:'.length + 12;

/** One line, one more for the volumes that were read, and one for those that are known to be missing. @param most names of each */
export function waitingText({ payload, bytes, about }: WaitingBundle, most = MOST_NAMES): readonly string[] {
  if (about === undefined) return [`a bundle, ${payload.slice(0, SHORT)}…, of which ${bytesText(bytes)} are here`];
  const { channel, seq, blobs, lacking, volumes, superseded } = about;
  const name = `${escapeForTerminal(channel)} seq ${seq}`;
  if (superseded) return [`${name}, which a newer bundle has overtaken: ${bytesText(bytes)} are left of it`];
  const pieces = `${blobs - lacking.blobs} of ${count(blobs, 'piece')} here, ${bytesText(lacking.bytes)} lacking`;
  const read = volumes.length === 0 ? [] : [`read: ${namesText(volumes, most)}`];
  const missing = lacking.volumes.length === 0 ? [] : [`still missing: ${namesText(lacking.volumes, most)}`];
  return [`${name}: ${pieces}`, ...read, ...missing];
}

function namesText(names: readonly string[], most: number): string {
  const shown = names.slice(0, most).map(escapeForTerminal).join(', ');
  return names.length <= most ? shown : `${shown} and ${names.length - most} more`;
}

/** One sentence, without what is in {@link waitingText}. */
export function stepText(step: Step): string {
  switch (step.what) {
    case 'pin':
      return 'no trust root is pinned here yet: nothing can be trusted';
    case 'first-bundle':
      return 'no bundle has been applied yet';
    case 'go-on':
      return waitingText(step.waiting)[0] ?? '';
    case 'root-expired':
      return `trust root ${step.version} EXPIRED at ${step.expires}: nothing is accepted until a newer one comes`;
    case 'revoked':
      return `${escapeForTerminal(step.channel)}  REVOKED, not loaded: ${escapeForTerminal(step.reason)}`;
    case 'expired':
      return `${escapeForTerminal(step.channel)}  EXPIRED: ${escapeForTerminal(step.reason)}`;
    case 'behind':
    case 'unproven':
      return `${escapeForTerminal(step.channel)}  ${escapeForTerminal(step.reason)}`;
    case 'receipt':
      return step.untold === 0
        ? 'a receipt, which the publisher answers with what is newest'
        : `a receipt: the publisher has not been told of the last ${count(step.untold, 'event')}`;
    case 'answer':
      return `${count(step.open, 'receipt')} out, without an answer: when it comes, take it in`;
    case 'witness':
      return `the log ${escapeForTerminal(basename(step.log))}: ${count(step.entries, 'line')} that no witness has seen`;
    case 'damaged-log':
      return `the log ${escapeForTerminal(basename(step.log))} can't be read, or has no head to trust`;
  }
}

/** What a command line is made for. */
export type CommandPlace = {
  /** As the person gave it. */
  readonly data: string | undefined;
  readonly enclave: string | undefined;
};

/** The command to type; words in capitals are to be filled in. */
export function stepCommand(step: Step, place: CommandPlace): string {
  const data = place.data === undefined ? [] : ['--data', shellWord(place.data)];
  return ['daemoneye', ...stepWords(step, place), ...data].join(' ');
}

function stepWords(step: Step, { enclave }: CommandPlace): readonly string[] {
  const stem = enclave !== undefined && PLAIN.test(enclave) ? enclave : 'enclave';
  const receipt = ['bundle', 'receipt', '--out', `STICK/${stem}.receipt.json`];
  const acceptHeads = ['bundle', 'heads', 'accept', 'HEADS'];
  switch (step.what) {
    case 'pin':
      return ['trust', 'pin', 'ROOT', '--fingerprint', 'SHA256'];
    case 'first-bundle':
    case 'root-expired':
    case 'revoked':
    case 'expired':
    case 'behind':
      return ['bundle', 'apply', 'BUNDLE'];
    case 'go-on':
      return ['bundle', 'apply', step.waiting.about?.volumes.length === 0 ? 'BUNDLE' : 'VOLUME...'];
    case 'unproven':
      return step.asked ? acceptHeads : receipt;
    case 'answer':
      return acceptHeads;
    case 'receipt':
      return receipt;
    case 'witness':
      return ['ledger', 'witness', 'request', shellWord(step.log), '--out', `STICK/${stem}.request`];
    case 'damaged-log':
      return ['ledger', 'verify', shellWord(step.log)];
  }
}

const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,40}$/;

/** As a POSIX shell takes it. What can't be shown can't be typed either. */
function shellWord(text: string): string {
  if (escapeForTerminal(text) !== text) return 'DIR';
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
