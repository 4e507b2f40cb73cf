import { escapeForTerminal } from '../core/terminal-text.ts';
import { type BundleError, type BundleErrorCode, untrusted } from './errors.ts';
import {
  ENVELOPE_NAME,
  INDEX_NAME,
  MAX_ENVELOPE,
  MAX_INDEX_BYTES,
  MAX_ROOT_BYTES,
  parseBlobName,
  parseRootName,
} from './format.ts';

/** What a name in a bundle stands for. The names below are all there are. */
export type BundlePart =
  | { readonly kind: 'envelope' }
  | { readonly kind: 'root'; readonly version: number }
  | { readonly kind: 'index' }
  | { readonly kind: 'blob'; readonly sha256: string };

/** The order in a tar: what is needed to judge comes before what is judged. */
const RANK = { envelope: 0, root: 1, index: 2, blob: 3 } as const;

/** @throws BundleError UNKNOWN_NAME */
export function partOf(name: string): BundlePart {
  if (name === ENVELOPE_NAME) return { kind: 'envelope' };
  if (name === INDEX_NAME) return { kind: 'index' };
  const version = parseRootName(name);
  if (version !== undefined) return { kind: 'root', version };
  const sha256 = parseBlobName(name);
  if (sha256 !== undefined) return { kind: 'blob', sha256 };
  throw unknownName(name);
}

/** Envelope, roots by version, index, blobs by digest. @throws BundleError UNKNOWN_NAME */
export function compareBundleNames(a: string, b: string): number {
  const left = partOf(a);
  const right = partOf(b);
  if (left.kind === 'root' && right.kind === 'root') return left.version - right.version;
  if (left.kind === 'blob' && right.kind === 'blob') return left.sha256 < right.sha256 ? -1 : Number(a !== b);
  return RANK[left.kind] - RANK[right.kind];
}

/**
 * The fixed caps on what precedes the index, and on the index. A blob has its size from the index.
 * @throws BundleError ENVELOPE_TOO_LARGE, ROOT_TOO_LARGE or INDEX_TOO_LARGE
 */
export function assertPartSize({ kind }: BundlePart, size: number, indexBytes = MAX_INDEX_BYTES): void {
  if (kind === 'envelope' && size > MAX_ENVELOPE) throw tooLarge('ENVELOPE_TOO_LARGE', 'envelope', size, MAX_ENVELOPE);
  if (kind === 'root' && size > MAX_ROOT_BYTES) throw tooLarge('ROOT_TOO_LARGE', 'trust root', size, MAX_ROOT_BYTES);
  if (kind === 'index' && size > indexBytes) throw tooLarge('INDEX_TOO_LARGE', 'index', size, indexBytes);
}

function tooLarge(code: BundleErrorCode, what: string, size: number, most: number): BundleError {
  return untrusted(code, `the ${what} has ${size} bytes; at most ${most} are allowed`);
}

export function unknownName(name: string): BundleError {
  return untrusted('UNKNOWN_NAME', `a bundle has no "${escapeForTerminal(name)}"; remove it if a copying tool left it`);
}
