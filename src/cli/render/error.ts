import { DaemonEyeError, messageOf } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { CliError, Interruption } from '../errors.ts';
import { EXIT, exitCodeOfFault, SIGNAL_EXIT } from '../exit-codes.ts';
import type { Style } from './style.ts';

/** What an error is to the person who meets it. */
export type ErrorView = {
  readonly code: string;
  /** One line: what, where, what to do. */
  readonly message: string;
  readonly exitCode: number;
  /** What led to it, nearest first; of a bug also where in the program. Shown with `--verbose`. */
  readonly causes: readonly string[];
};

/**
 * Views anything thrown. Our own errors speak for themselves; an error of the operating system is put into a sentence;
 * everything else is a bug in this program and says so.
 */
export function viewError(thrown: unknown): ErrorView {
  const error = ownError(thrown);
  if (error !== undefined) {
    const { code, message, fault } = error;
    const exitCode = error instanceof Interruption ? SIGNAL_EXIT[error.signal] : exitCodeOfFault(fault);
    return { code, message: oneLine(message), exitCode, causes: causesOf(error.cause) };
  }
  const where = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  const message =
    `this is a bug in daemoneye (${oneLine(messageOf(thrown)).slice(0, 200)}); ` +
    'please report it with the command line and what --verbose prints';
  return {
    code: 'INTERNAL',
    message,
    exitCode: EXIT.failed,
    causes: [...where.split('\n').map(oneLine), ...causesOf(causeOf(thrown))],
  };
}

/** `daemoneye: <what, where, what to do> [CODE]`, and with `verbose` what led to it, a line each. */
export function formatError({ code, message, causes }: ErrorView, style: Style, verbose: boolean): string {
  const line = `${style.tone('bad', 'daemoneye:')} ${message} ${style.tone('muted', `[${code}]`)}`;
  return [line, ...(verbose ? causes.map((cause) => `  because: ${cause}`) : [])].join('\n');
}

function ownError(thrown: unknown): DaemonEyeError | undefined {
  if (thrown instanceof DaemonEyeError) return thrown;
  if (isSystemError(thrown)) return new CliError('SYSTEM', systemMessage(thrown), { cause: thrown });
  return undefined;
}

/** Node's own error for a failed system call; `syscall` tells it from errors that merely have a code. */
export function isSystemError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && 'syscall' in thrown && 'code' in thrown && /^E[A-Z0-9]+$/.test(String(thrown.code));
}

/** `no space left on device (ENOSPC, write "/data/x")`. */
function systemMessage(error: NodeJS.ErrnoException): string {
  const reason = /^[A-Z0-9]+: ([^,]*)/.exec(error.message)?.[1] ?? error.message;
  const path = error.path === undefined ? '' : ` "${error.path}"`;
  return `the system says: ${reason} (${error.code}, ${error.syscall}${path})`;
}

function causesOf(cause: unknown, depth = 0): string[] {
  // A cause chain can be a ring.
  if (cause === undefined || depth === 8) return [];
  const code = cause instanceof DaemonEyeError ? ` [${cause.code}]` : '';
  return [`${oneLine(messageOf(cause))}${code}`, ...causesOf(causeOf(cause), depth + 1)];
}

function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? thrown.cause : undefined;
}

function oneLine(text: string): string {
  return escapeForTerminal(text.replace(/\s*\n\s*/g, ' '));
}
