import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { errnoOf } from '../durable/errors.ts';
import type { Environment } from './environment.ts';
import { ConfigError } from './errors.ts';
import { CONFIG_LIMITS, parseSettings } from './parse.ts';
import type { SomeSettings } from './settings.ts';

/** Where a machine and a person keep their settings. */
export function settingsFiles(env: Environment): { readonly system: string; readonly user: string } {
  if (process.platform === 'win32') {
    const of = (directory: string) => join(directory, 'daemoneye', 'config.yaml');
    return { system: of(env['PROGRAMDATA'] || 'C:\\ProgramData'), user: of(env['APPDATA'] || homedir()) };
  }
  // XDG Base Directory Specification: a relative path is to be ignored.
  const xdg = env['XDG_CONFIG_HOME'] ?? '';
  const base = isAbsolute(xdg) ? xdg : join(env['HOME'] || homedir(), '.config');
  return { system: '/etc/daemoneye/config.yaml', user: join(base, 'daemoneye', 'config.yaml') };
}

/**
 * The settings in a file. One that others than its owner, root and ourselves could have written is refused: sinks say
 * where alerts go.
 * @returns undefined when there is no such file
 * @throws ConfigError CONFIG_WRITABLE, CONFIG_UNREADABLE or as `parseSettings`
 */
export function readSettingsFile(path: string): SomeSettings | undefined {
  const bytes = readBytes(path);
  return bytes === undefined ? undefined : parseSettings(bytes, path);
}

function readBytes(path: string): Uint8Array | undefined {
  let fd: number | undefined;
  try {
    // Without waiting for the other end, should it be a pipe.
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const found = fstatSync(fd);
    if (!found.isFile()) throw unreadable(path, 'it is not a file');
    assertOurs(path, found);
    // One byte more than allowed, so that the parser can tell it is too large; a size is not to be believed.
    const buffer = Buffer.alloc(CONFIG_LIMITS.maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0; length += read) read = readSync(fd, buffer, length, buffer.length - length, null);
    return new Uint8Array(buffer.subarray(0, length));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw unreadable(path, errno === 'EACCES' ? 'this user may not' : messageOf(cause), cause);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const OTHERS_WRITE = 0o002;

function assertOurs(path: string, { mode, uid }: Stats): void {
  if (process.getuid === undefined) return;
  const foreign = uid !== 0 && uid !== process.getuid();
  if (!foreign && (mode & OTHERS_WRITE) === 0) return;
  const why = foreign ? `belongs to uid ${uid}` : 'can be written by everybody';
  const message = `${escapeForTerminal(path)} ${why}, so its settings are not taken; correct its owner and mode`;
  throw new ConfigError('CONFIG_WRITABLE', message, { fault: 'refused' });
}

function unreadable(path: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError('CONFIG_UNREADABLE', `the settings in ${escapeForTerminal(path)} can't be read: ${why}`, {
    cause,
  });
}
