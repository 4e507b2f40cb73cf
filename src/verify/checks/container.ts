import { type Check, failed, passed } from '../../core/checks.ts';
import type { DaemonEyeError } from '../../core/errors.ts';
import { reasonOf } from '../errors.ts';

/**
 * What the reader of the container (directory or tar) has said so far. `end` alone makes the check pass for good: what
 * lies behind the last thing read, a second envelope for another tool to find, comes out only there.
 */
export type ContainerState =
  | { readonly status: 'unopened' }
  | { readonly status: 'open' | 'end'; readonly reason: string }
  | { readonly status: 'refused'; readonly error: DaemonEyeError };

/**
 * @param refusedBy the check that ended the reading early, if one did: then the container passes as far as it was read
 * @returns undefined when nothing can be said of it, which a report shows as skipped: a refusal
 */
export function checkContainer(state: ContainerState, refusedBy: string | undefined): Check | undefined {
  switch (state.status) {
    case 'refused':
      return failed('container', state.error.code, reasonOf(state.error));
    case 'end':
      return passed('container', state.reason);
    case 'open':
      return refusedBy === undefined ? undefined : passed('container', state.reason);
    case 'unopened':
      return undefined;
  }
}
