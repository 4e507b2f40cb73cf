import { decodeUtf8 } from '../../core/bytes.ts';
import { ReleaseError, type ReleaseErrorCode } from './errors.ts';

/** Most bytes of a detached signature, or of a key. */
export const MAX_SIGNATURE_BYTES = 64 * 1024;

/** How one kind of material says that it is not in order. */
export type Malformed = (problem: string, cause?: unknown) => ReleaseError;

/** @param what such as `not a minisign signature` */
export function malformedAs(code: ReleaseErrorCode, what: string): Malformed {
  return (problem, cause) => new ReleaseError(code, `${what}: ${problem}`, { cause });
}

/**
 * Text of a bounded size: UTF-8 without BOM, NUL or carriage return. Tools disagree on each of these, and what two
 * tools read differently is no evidence.
 * @throws ReleaseError MATERIAL_TOO_LARGE, or as `malformed` makes it
 */
export function readText(bytes: Uint8Array, maxBytes: number, malformed: Malformed): string {
  assertSize(bytes, maxBytes, malformed);
  const text = decode(bytes, malformed);
  if (text.includes('\0')) throw malformed('it has a NUL byte');
  if (text.startsWith('\ufeff')) throw malformed('it starts with a byte order mark');
  if (text.includes('\r')) throw malformed('it has carriage returns; take the file as the publisher made it');
  return text;
}

/** @throws ReleaseError MATERIAL_TOO_LARGE */
export function assertSize({ length }: Uint8Array, maxBytes: number, malformed: Malformed): void {
  if (length <= maxBytes) return;
  throw new ReleaseError('MATERIAL_TOO_LARGE', malformed(`its ${length} bytes are over ${maxBytes}`).message);
}

function decode(bytes: Uint8Array, malformed: Malformed): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformed('it is not UTF-8', cause);
  }
}
