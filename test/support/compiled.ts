import { pathToFileURL } from 'node:url';

/**
 * A compiled module of src/, to be used with types from the source: what starts processes starts compiled ones then, and
 * a process of a test runs compiled code, which from sources would take a second more each time. Call `ensureBuilt()`
 * before.
 * @param path below src/, with the extension .js
 */
export async function compiled<T>(path: string): Promise<T> {
  return (await import(pathToFileURL(`${import.meta.dirname}/../../dist/src/${path}`).href)) as T;
}
