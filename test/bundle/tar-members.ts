import { encodeTarHeader, TAR_END_BYTES, tarPadding } from '../../src/archive/tar-header.ts';
import { TarReader } from '../../src/archive/tar-reader.ts';
import { compareBundleNames } from '../../src/bundle/layout.ts';
import { concatBytes } from '../../src/core/bytes.ts';

/** Bundle tars taken apart and put together, in any order and with anything in them. */

export type Member = readonly [name: string, body: Uint8Array];

export async function membersOf(tar: Uint8Array): Promise<Member[]> {
  const source = (async function* () {
    yield tar;
  })();
  const reader = new TarReader(source, { maxEntries: 1000, maxEntryBytes: 1e6, order: compareBundleNames });
  const members: Member[] = [];
  for (let header = await reader.next(); header !== undefined; header = await reader.next()) {
    members.push([header.name, (await reader.read()) ?? new Uint8Array()]);
  }
  return members;
}

/** One file as it lies in a tar of ours, padding included. */
export function memberBytes([name, body]: Member): Uint8Array {
  return concatBytes(encodeTarHeader(name, body.length), body, new Uint8Array(tarPadding(body.length)));
}

/** A tar of whatever members, in whatever order, otherwise as ours. */
export function tarOf(members: readonly Member[]): Uint8Array {
  return concatBytes(...members.map(memberBytes), new Uint8Array(TAR_END_BYTES));
}
