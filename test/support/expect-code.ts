import { expect } from 'vitest';
import { DaemonEyeError } from '../../src/core/errors.ts';

/** Runs `action` and expects one of our errors with this code; prose may change, codes may not. */
export function expectCode(action: () => unknown, code: string): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expectThrown(thrown, code);
}

/** As {@link expectCode}, for a promise or a function that returns one. */
export async function expectCodeAsync(
  action: Promise<unknown> | (() => Promise<unknown>),
  code: string,
): Promise<void> {
  let thrown: unknown;
  try {
    await (typeof action === 'function' ? action() : action);
  } catch (error) {
    thrown = error;
  }
  expectThrown(thrown, code);
}

function expectThrown(thrown: unknown, code: string): void {
  if (thrown !== undefined && !(thrown instanceof DaemonEyeError)) throw thrown;
  expect(thrown, `expected an error with code ${code}`).toBeInstanceOf(DaemonEyeError);
  expect((thrown as DaemonEyeError).code).toBe(code);
}
