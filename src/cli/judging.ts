import { InstallError } from '../install/errors.ts';

/**
 * Reads what a verdict rests on. Commands that verify end with 3, whatever it is that can't be trusted: for them our
 * own damaged state is one more such thing (docs/cli.md, "Exit codes").
 * @throws InstallError of fault `untrusted` instead of `tampered`; everything else as it is
 */
export async function judging<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (!(cause instanceof InstallError) || cause.fault !== 'tampered') throw cause;
    throw new InstallError(cause.code, cause.message, { cause, fault: 'untrusted' });
  }
}
