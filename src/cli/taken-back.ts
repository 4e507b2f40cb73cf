import { count } from '../core/wording.ts';
import { type DroppedRevocations, droppedRevocations } from '../verify/dropped-revocations.ts';
import type { RootDocument } from '../verify/root-document.ts';
import { CliError } from './errors.ts';

/**
 * Lets a draft take back revocations of the version before only when somebody says that it is meant.
 * @param previous undefined when it isn't known here
 * @returns what is taken back
 * @throws CliError REVOCATION_DROPPED unless `isMeant`
 */
export function assertRevocationsKept(
  previous: RootDocument | undefined,
  draft: RootDocument,
  isMeant: boolean,
): DroppedRevocations | undefined {
  const dropped = previous === undefined ? undefined : droppedRevocations(previous, draft);
  if (dropped === undefined || isMeant) return dropped;
  const message = `${sayTakenBack(dropped, draft.version)}; say --drop-revocations if that is meant, else add them again with trust revoke`;
  throw new CliError('REVOCATION_DROPPED', message, { fault: 'refused' });
}

/** One line that names everything, shortened as people compare it. */
export function sayTakenBack({ keys, payloads, spared }: DroppedRevocations, version: number): string {
  const parts = [
    ...named(keys, 'key'),
    ...named(payloads, 'document'),
    ...named(spared, 'key').map((text) => `more log heads of the revoked ${text}`),
  ];
  return `version ${version} takes back what version ${version - 1} revoked: ${parts.join(', ')}`;
}

function named(ids: readonly string[], noun: string): string[] {
  if (ids.length === 0) return [];
  const shown = ids.slice(0, 3).map((id) => `${id.replace('sha256:', '').slice(0, 8)}…`);
  return [`${count(ids.length, noun)} (${shown.join(', ')}${ids.length > shown.length ? ', …' : ''})`];
}
