import { dirname, extname, join } from 'node:path';

/** How the child is started: which program, with which fences. Pure, so that tests can start a probe behind the same. */

export type Launch = { readonly command: string; readonly args: readonly string[]; readonly cwd: string };

export type LaunchOptions = {
  readonly execPath: string;
  readonly platform: NodeJS.Platform;
  /** Absolute path of the child's main file, `.ts` or `.js`. */
  readonly main: string;
  /** Absolute paths of databases it may read. */
  readonly databases: readonly string[];
  readonly memoryBytes: number;
};

/** V8 reserves address space for code, which counts as data, unless it is told to make no code at run time. */
const CODE_RANGE_BYTES = 576 * 1024 * 1024;

/** CPU seconds of one child, so that it ends by itself even if its parent was killed while it was busy. */
export const CHILD_CPU_SECONDS = 600;

/**
 * Limits that hold for native code too, which the runtime's permission model does not bind (SQLite opens files by
 * itself): no file can grow (so none can be written), no core dump, bounded data and CPU time.
 */
const FENCE = 'ulimit -c 0 && ulimit -f 0 && ulimit -t "$1" && ulimit -d "$2" || exit 125; shift 2; exec "$@"';
/** Where data can't be bounded (macOS), the deadline is what bounds memory. */
const FENCE_ELSEWHERE = 'ulimit -c 0; ulimit -f 0; ulimit -t "$1"; ulimit -d "$2" 2>/dev/null; shift 2; exec "$@"';

/** @returns the command line of a fenced child */
export function launchOf(options: LaunchOptions): Launch {
  const { execPath, platform, main, memoryBytes } = options;
  const node = [...runtimeFlags(options), main];
  const cwd = dirname(main);
  if (platform === 'win32') return { command: execPath, args: node, cwd };
  const bytes = memoryBytes + (isSource(main) ? CODE_RANGE_BYTES : 0);
  const fence = platform === 'linux' ? FENCE : FENCE_ELSEWHERE;
  const kibibytes = String(Math.ceil(bytes / 1024));
  return {
    command: '/bin/sh',
    args: ['-c', fence, 'sandbox', String(CHILD_CPU_SECONDS), kibibytes, execPath, ...node],
    cwd,
  };
}

/**
 * `--permission` withholds files, network, child processes, workers, addons, WASI and the inspector; what is granted
 * is to read this program's own code. Source files are TypeScript, which the runtime strips with WebAssembly, so only
 * the compiled child can do without code generation (`--jitless`).
 */
function runtimeFlags({ main, databases }: LaunchOptions): readonly string[] {
  const source = isSource(main);
  const reads = [...codeFolders(main), ...databases].map((path) => `--allow-fs-read=${path}`);
  return [
    '--permission',
    ...reads,
    '--disallow-code-generation-from-strings',
    '--disable-proto=throw',
    '--max-old-space-size=64',
    '--v8-pool-size=0',
    '--no-warnings',
    ...(source ? [] : ['--jitless']),
  ];
}

/** The folders with what the child loads: its own, the core's and the contract's, and the file that says they are ESM. */
function codeFolders(main: string): readonly string[] {
  const sandbox = dirname(main);
  const source = dirname(sandbox);
  const root = dirname(source);
  const folders = [join(sandbox, '/'), join(source, 'core', '/'), join(root, 'schemas', '/')];
  return [...folders, join(root, 'package.json'), join(dirname(root), 'package.json')];
}

function isSource(main: string): boolean {
  return extname(main) === '.ts';
}
