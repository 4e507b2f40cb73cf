import { describe, expect, it } from 'vitest';
import { PathSet } from '../../src/archive/path-set.ts';
import { expectCode } from '../support/expect-code.ts';

function add(...paths: readonly string[]): void {
  const set = new PathSet();
  for (const path of paths) set.addFile(path);
}

describe('PathSet', () => {
  it('accepts paths that can lie beside each other anywhere', () => {
    expect(() => add('a/b', 'a/c', 'a-b', 'b', 'a/d/e', 'a/d/f', 'x')).not.toThrow();
  });

  it.each([
    ['PATH_DUPLICATE', ['a', 'a']],
    ['PATH_DUPLICATE', ['d/a', 'd/b', 'd/a']],
    ['PATH_TWIN', ['README', 'readme']],
    ['PATH_TWIN', ['straße', 'STRASSE']],
    ['PATH_TWIN', ['ſ', 's']],
    // one directory on one system, two on another
    ['PATH_TWIN', ['Dir/a', 'dir/b']],
    ['PATH_TWIN', ['x/Dir/a', 'x/dir/b']],
    // a file that is also a directory, in another case
    ['PATH_TWIN', ['A', 'a/b']],
    ['PATH_FILE_AND_DIRECTORY', ['a', 'a/b']],
    ['PATH_FILE_AND_DIRECTORY', ['a/b/c', 'a/b']],
    ['PATH_TRAVERSAL', ['../a']],
  ])('refuses with %s: %j', (code, paths) => {
    expectCode(() => add(...paths), code);
  });

  it('remembers directories seen before the last one', () => {
    expectCode(() => add('a/x', 'b/x', 'A/y'), 'PATH_TWIN');
    expectCode(() => add('a/x', 'b/x', 'a/x'), 'PATH_DUPLICATE');
  });
});
