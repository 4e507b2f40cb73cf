import { concatBytes } from '../core/bytes.ts';
import { Frontier } from '../core/compact-range.ts';
import type { HashFunction } from '../core/digest.ts';
import { leafOf } from './chain.ts';

/** Hashes in a full tile, entries in a full bundle (https://c2sp.org/tlog-tiles). */
export const TILE_WIDTH = 256;
/** Levels of the tree that a tile covers. */
const TILE_HEIGHT = 8;
/** "N must be encoded into zero-padded 3-digit path elements. All but the last path element must begin with an x." */
const PATH_BASE = 1000;
/** Entries have lengths of 16 bits. */
const MAX_ENTRY_BYTES = 0xffff;

/** A file of a tlog-tiles directory; `path` has forward slashes. */
export type TileFile = { readonly path: string; readonly bytes: Uint8Array };

function indexPath(index: number): string {
  const rest = Math.floor(index / PATH_BASE);
  const last = String(index % PATH_BASE).padStart(3, '0');
  const parents = rest === 0 ? [] : indexPath(rest).split('/');
  return [...parents.map((part) => (part.startsWith('x') ? part : `x${part}`)), last].join('/');
}

function widthSuffix(width: number): string {
  return width === TILE_WIDTH ? '' : `.p/${width}`;
}

/** `tile/<L>/<N>`, or `tile/<L>/<N>.p/<W>` for a partial one. */
export function tilePath(level: number, index: number, width: number = TILE_WIDTH): string {
  return `tile/${level}/${indexPath(index)}${widthSuffix(width)}`;
}

/** `tile/entries/<N>`, or `tile/entries/<N>.p/<W>` for a partial one. */
export function entriesPath(index: number, width: number = TILE_WIDTH): string {
  return `tile/entries/${indexPath(index)}${widthSuffix(width)}`;
}

type Row = { index: number; parts: Uint8Array[] };

/**
 * Makes the tiles and entry bundles of a log from its lines, one line at a time, in memory that does not grow with the
 * log: each file is handed over as soon as it is full.
 */
export class TileBuilder {
  readonly #hash: HashFunction;
  readonly #frontier: Frontier;
  readonly #levels: Row[] = [];
  readonly #entries: Row = { index: 0, parts: [] };

  constructor(hash: HashFunction) {
    this.#hash = hash;
    this.#frontier = Frontier.empty(hash);
  }

  /** The root over all lines so far. */
  root(): Uint8Array {
    return this.#frontier.root();
  }

  /** @param line without its newline, at most 65,535 bytes @returns the files that it completed */
  append(line: Uint8Array): TileFile[] {
    if (line.length > MAX_ENTRY_BYTES) throw new RangeError('an entry of a tlog-tiles log is at most 65,535 bytes');
    const files: TileFile[] = [];
    put(this.#entries, withLength(line), files, entriesPath);
    for (const { level, hash } of this.#frontier.append(leafOf(this.#hash, line))) {
      if (level % TILE_HEIGHT !== 0) continue;
      const tileLevel = level / TILE_HEIGHT;
      this.#levels[tileLevel] ??= { index: 0, parts: [] };
      put(this.#levels[tileLevel], hash, files, (index, width) => tilePath(tileLevel, index, width));
    }
    return files;
  }

  /** The partial tiles and the partial bundle at the edge. */
  finish(): TileFile[] {
    const partial = ({ index, parts }: Row, path: (index: number, width: number) => string): TileFile[] =>
      parts.length === 0 ? [] : [{ path: path(index, parts.length), bytes: concatBytes(...parts) }];
    return [
      ...partial(this.#entries, entriesPath),
      ...this.#levels.flatMap((row, level) => partial(row, (index, width) => tilePath(level, index, width))),
    ];
  }
}

function put(row: Row, part: Uint8Array, files: TileFile[], path: (index: number, width: number) => string): void {
  row.parts.push(part);
  if (row.parts.length < TILE_WIDTH) return;
  files.push({ path: path(row.index, TILE_WIDTH), bytes: concatBytes(...row.parts) });
  row.parts = [];
  row.index += 1;
}

/** "big-endian uint16 length-prefixed" ("Log entries"). */
function withLength(entry: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry);
}
