import { accessSync, constants, lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { FenceTools } from './fence.ts';

/** Where the system's own tools lie; PATH is not asked: it may name a tool of somebody else's. */
const TOOL_FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];
const LIBRARY_FOLDERS = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/lib', '/lib64'];
const LOADER_FILES = ['/etc/ld.so.cache'];

/** What this machine has to build fences with. Whether they hold, only trying tells. */
export function fenceTools(): FenceTools {
  const found = LIBRARY_FOLDERS.map((path) => ({ path, stat: lstatSync(path, { throwIfNoEntry: false }) }));
  const tools = Object.fromEntries(
    ['bwrap', 'unshare', 'setpriv'].flatMap((name) => {
      const path = findTool(name);
      return path === undefined ? [] : [[name, path]];
    }),
  );
  return {
    isRoot: process.getuid?.() === 0,
    ...tools,
    libraries: found.flatMap(({ path, stat }) => (stat?.isDirectory() === true ? [path] : [])),
    links: Object.fromEntries(
      found.flatMap(({ path, stat }) => (stat?.isSymbolicLink() === true ? [[path, readlinkSync(path)]] : [])),
    ),
    files: LOADER_FILES.filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isFile()),
  };
}

function findTool(name: string): string | undefined {
  return TOOL_FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
