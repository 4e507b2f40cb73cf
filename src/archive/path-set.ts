import { escapeForTerminal } from '../core/terminal-text.ts';
import { hostile } from './errors.ts';
import { assertInstallPath, foldName } from './path-rules.ts';

type Place = { readonly path: string; readonly kind: 'file' | 'directory' };

/**
 * File paths that can lie beside each other on any file system: each obeys the path rules, no two fold to the same
 * name (a twin would overwrite the other), no file is also a directory of another, and a directory has one spelling.
 */
export class PathSet {
  readonly #places = new Map<string, Place>();
  /** Sorted paths share their directory with the one before; that one needs no second look. */
  #lastDirectory = '';

  /**
   * @throws ArchiveError PATH_DUPLICATE, PATH_TWIN or PATH_FILE_AND_DIRECTORY, and as `assertInstallPath`
   */
  addFile(path: string): void {
    assertInstallPath(path);
    const directory = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    if (directory !== this.#lastDirectory) {
      for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
        this.#place({ path: path.slice(0, slash), kind: 'directory' });
      }
      this.#lastDirectory = directory;
    }
    this.#place({ path, kind: 'file' });
  }

  #place(place: Place): void {
    const fold = foldName(place.path);
    const other = this.#places.get(fold);
    if (other === undefined) {
      this.#places.set(fold, place);
      return;
    }
    const shown = `"${escapeForTerminal(place.path)}"`;
    if (other.path !== place.path) {
      throw hostile('PATH_TWIN', `${shown} and "${escapeForTerminal(other.path)}" are one file where case is ignored`);
    }
    if (other.kind !== place.kind) throw hostile('PATH_FILE_AND_DIRECTORY', `${shown} is both a file and a directory`);
    if (place.kind === 'file') throw hostile('PATH_DUPLICATE', `${shown} is listed twice`);
  }
}
