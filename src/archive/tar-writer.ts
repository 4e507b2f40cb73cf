import { compareUtf8 } from '../core/bytes.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { ArchiveError } from './errors.ts';
import { encodeTarHeader, TAR_END_BYTES, tarPadding } from './tar-header.ts';

/** `size` bytes of body, in pieces of any length. */
export type TarFile = {
  readonly name: string;
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
};

/** The order a format gives its members; names of one archive ascend strictly by it. */
export type NameOrder = (a: string, b: string) => number;

/**
 * The bytes of the one archive that holds these files: headers as `encodeTarHeader` makes them, zero padding, two zero
 * blocks, nothing after. The same files give the same bytes on any machine.
 *
 * Pieces of a body are handed on as they come, so a consumer may reuse nothing it was given before asking for more.
 * @throws ArchiveError TAR_ORDER, TAR_DUPLICATE, TAR_BODY_SIZE (a body is not as long as its size), TAR_NAME,
 *   TAR_ENTRY_TOO_LARGE or PATH_…
 */
export async function* writeTar(
  files: AsyncIterable<TarFile> | Iterable<TarFile>,
  order: NameOrder = compareUtf8,
): AsyncGenerator<Uint8Array> {
  let previous: string | undefined;
  for await (const { name, size, body } of files) {
    if (previous !== undefined) assertAscending(previous, name, order);
    previous = name;
    yield encodeTarHeader(name, size);
    let written = 0;
    for await (const piece of body) {
      written += piece.length;
      if (written > size) break;
      yield piece;
    }
    if (written !== size) {
      throw new ArchiveError('TAR_BODY_SIZE', `"${escapeForTerminal(name)}" was not the ${size} bytes it should have`);
    }
    const padding = tarPadding(size);
    if (padding > 0) yield new Uint8Array(padding);
  }
  yield new Uint8Array(TAR_END_BYTES);
}

function assertAscending(previous: string, name: string, order: NameOrder): void {
  const compared = order(previous, name);
  const shown = `"${escapeForTerminal(name)}"`;
  if (compared === 0) throw new ArchiveError('TAR_DUPLICATE', `${shown} is in the archive twice`);
  if (compared > 0) throw new ArchiveError('TAR_ORDER', `${shown} is after "${escapeForTerminal(previous)}"`);
}
