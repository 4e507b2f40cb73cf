import { extname, isAbsolute, join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../core/errors.ts';
import { IpcError } from './errors.ts';

/**
 * How procmond is started: which program, with which fences, told what. In one place, and pure, so that tests can start
 * a probe behind the very same fences. It lies here and not in collector/ because the agent, which starts it, sees
 * nothing of a collector but the protocol.
 */

export type ProcmondOptions = {
  /** Absolute path of its own log, which exists already: it may create nothing beside it. */
  readonly log: string;
  /** Absolute path of the directory of its sealed values; exists too. */
  readonly sealed: string;
  /** Absolute path of the PEM file with the log's private key. */
  readonly key: string;
  /** `age1…` of those who may open sealed values, from the trust root; none: values are not kept at all. */
  readonly recipients: readonly string[];
  /** Milliseconds between two looks at the processes. */
  readonly intervalMs: number;
  /** Milliseconds between two looks at the sockets; 0: never. */
  readonly socketsMs: number;
  /** Whether names of environment variables are logged, and the values sealed. */
  readonly environment: boolean;
  /** Bytes that the lines of its log may have. */
  readonly logBytes: number;
};

export const DEFAULT_INTERVAL_MS = 250;
export const DEFAULT_SOCKETS_MS = 1000;
export const DEFAULT_LOG_BYTES = 8 * 2 ** 30;
const MIN_INTERVAL_MS = 10;
const MAX_INTERVAL_MS = 3_600_000;

/** Where procmond's things lie in a data directory (docs/formats.md, "State on disk"). */
export function procmondPaths(data: string): Pick<ProcmondOptions, 'log' | 'sealed' | 'key'> {
  return {
    log: join(data, 'logs', 'procmond'),
    sealed: join(data, 'sealed', 'procmond'),
    key: join(data, 'keys', 'logs', 'procmond.key.pem'),
  };
}

/** Its main file: TypeScript beside TypeScript, compiled beside compiled. */
export function procmondMain(): string {
  const { dirname, filename } = import.meta;
  return join(dirname, '..', 'collector', `procmond-main${extname(filename)}`);
}

/**
 * Arguments for the Node.js that runs procmond: the fences, the main file, what it is told.
 *
 * - `--permission` withholds network, child processes, workers, addons, WASI and the inspector, since nothing of them
 *   is granted. It may read everything, which is its work, and write in its log and its sealed values.
 * - `--freeze-flags-after-init`: V8's tracing flags, set at run time, write files past the permission model.
 * - `--disallow-code-generation-from-strings`, except from the sources, where ajv still has to compile the schemas.
 * - node:sqlite, which the ledger's lock needs, is native and bound by none of this: procmond gives it up by itself as
 *   soon as the lock is held (collector/native-doors-io.ts).
 * @param main another main file, for tests
 * @throws IpcError LAUNCH_OPTIONS for a path that is not absolute or would be read as a pattern
 */
export function procmondArguments(options: ProcmondOptions, main: string = procmondMain()): string[] {
  const { log, sealed, key, recipients, intervalMs, socketsMs, environment, logBytes } = options;
  for (const path of [log, sealed, key]) assertPlainPath(path);
  return [
    '--permission',
    '--allow-fs-read=*',
    `--allow-fs-write=${log}`,
    `--allow-fs-write=${sealed}`,
    '--freeze-flags-after-init',
    ...(extname(main) === '.ts' ? [] : ['--disallow-code-generation-from-strings']),
    '--disable-proto=throw',
    '--max-old-space-size=64',
    '--max-semi-space-size=2',
    '--optimize-for-size',
    '--v8-pool-size=1',
    '--no-warnings',
    main,
    `--log=${log}`,
    `--sealed=${sealed}`,
    `--key=${key}`,
    `--interval=${intervalMs}`,
    `--sockets=${socketsMs}`,
    `--quota=${logBytes}`,
    ...(environment ? ['--environment'] : []),
    ...recipients.map((recipient) => `--recipient=${recipient}`),
  ];
}

/** `*` at the end of a granted path grants everything that begins like it. */
function assertPlainPath(path: string): void {
  if (isAbsolute(path) && !path.includes('*')) return;
  throw new IpcError('LAUNCH_OPTIONS', 'the data directory must be an absolute path without "*"; choose another');
}

/**
 * What procmond was told, from the arguments behind its main file.
 * @throws IpcError LAUNCH_OPTIONS
 */
export function parseProcmondArguments(args: readonly string[]): ProcmondOptions {
  const { log, sealed, key, interval, sockets, environment, quota, recipient } = parse(args);
  if (log === undefined || sealed === undefined || key === undefined) {
    throw new IpcError('LAUNCH_OPTIONS', 'procmond needs --log, --sealed and --key; let the agent start it');
  }
  for (const path of [log, sealed, key]) assertPlainPath(path);
  return {
    log,
    sealed,
    key,
    recipients: recipient ?? [],
    intervalMs: parseMilliseconds('--interval', interval, DEFAULT_INTERVAL_MS, MIN_INTERVAL_MS),
    socketsMs: parseMilliseconds('--sockets', sockets, DEFAULT_SOCKETS_MS, 0),
    environment: environment ?? false,
    logBytes: parseBytes('--quota', quota),
  };
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        log: { type: 'string' },
        sealed: { type: 'string' },
        key: { type: 'string' },
        interval: { type: 'string' },
        sockets: { type: 'string' },
        environment: { type: 'boolean' },
        quota: { type: 'string' },
        recipient: { type: 'string', multiple: true },
      },
    });
    return values;
  } catch (cause) {
    throw new IpcError('LAUNCH_OPTIONS', `procmond can't read its arguments: ${messageOf(cause)}`, { cause });
  }
}

function parseBytes(name: string, text: string | undefined): number {
  const value = text === undefined ? DEFAULT_LOG_BYTES : Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new IpcError('LAUNCH_OPTIONS', `procmond's ${name} must be a number of bytes`);
}

function parseMilliseconds(name: string, text: string | undefined, whenAbsent: number, least: number): number {
  const value = text === undefined ? whenAbsent : Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= MAX_INTERVAL_MS) return value;
  const message = `procmond's ${name} must be ${least} to ${MAX_INTERVAL_MS} milliseconds`;
  throw new IpcError('LAUNCH_OPTIONS', message);
}
