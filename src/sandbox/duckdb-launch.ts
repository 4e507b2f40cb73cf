import { dirname, extname, join } from 'node:path';
import { type FenceName, type FenceTools, fencedCommand } from './fence.ts';
import { CHILD_CPU_SECONDS, type Launch } from './launch.ts';

/** How the DuckDB child is started. Pure. */

export type DuckdbLaunchOptions = {
  readonly execPath: string;
  readonly platform: NodeJS.Platform;
  /** Absolute path of the child's main file, `.ts` or `.js`. */
  readonly main: string;
  /** Absolute path of the folder with DuckDB's packages: `node_modules/@duckdb`. */
  readonly packages: string;
  /** Absolute path of the database it may read. */
  readonly database: string;
  readonly memoryBytes: number;
  readonly fence: FenceName;
  readonly tools: FenceTools;
};

/** V8 reserves address space for code, and the compiler of TypeScript for WebAssembly; both count as data. */
const CODE_RANGE_BYTES = 576 * 1024 * 1024;

/**
 * Limits that hold for native code: no file can grow (so none can be written), no core dump, few descriptors, bounded
 * data and CPU time. Where data can't be bounded (macOS), the deadline is what bounds memory.
 */
const LIMITS = 'ulimit -c 0 && ulimit -f 0 && ulimit -n 256 && ulimit -t "$1" && ulimit -d "$2" || exit 125';
const LIMITS_ELSEWHERE = 'ulimit -c 0; ulimit -f 0; ulimit -t "$1"; ulimit -d "$2" 2>/dev/null';

/** @returns the command line of a limited and fenced child */
export function duckdbLaunch(options: DuckdbLaunchOptions): Launch {
  const { execPath, platform, main, database, packages, memoryBytes, fence, tools } = options;
  const { folders, files } = codeOf(main);
  const node = [execPath, ...runtimeFlags([...folders, packages], [...files, database]), main];
  if (platform === 'win32') return { command: execPath, args: node.slice(1), cwd: dirname(main) };
  const command = fencedCommand(fence, tools, {
    folders: [...folders, packages],
    files: [...files, database, execPath],
    command: node,
  });
  const limits = platform === 'linux' ? LIMITS : LIMITS_ELSEWHERE;
  const kibibytes = String(Math.ceil((memoryBytes + CODE_RANGE_BYTES) / 1024));
  const script = `${limits}; shift 2; exec "$@"`;
  return {
    command: '/bin/sh',
    args: ['-c', script, 'sandbox', String(CHILD_CPU_SECONDS), kibibytes, ...command],
    cwd: dirname(main),
  };
}

/**
 * The runtime's permission model binds JavaScript only, so `--allow-addons` gives DuckDB's native code everything the
 * user has; what is left of it still withholds network, processes and files from JavaScript.
 */
function runtimeFlags(folders: readonly string[], files: readonly string[]): readonly string[] {
  const reads = [...folders.map((folder) => join(folder, '/')), ...files];
  return [
    '--permission',
    '--allow-addons',
    ...reads.map((path) => `--allow-fs-read=${path}`),
    // A path with a link in it is read as it is: following the link would need permission for where it leads.
    '--preserve-symlinks',
    '--preserve-symlinks-main',
    '--disallow-code-generation-from-strings',
    '--disable-proto=throw',
    '--max-old-space-size=128',
    '--v8-pool-size=0',
    '--no-warnings',
  ];
}

/** What of this program the child loads, and the files that say it is ESM. */
function codeOf(main: string): { readonly folders: readonly string[]; readonly files: readonly string[] } {
  const sandbox = dirname(main);
  const source = dirname(sandbox);
  const root = dirname(source);
  // Compiled, the program lies one folder deeper than the package.json it belongs to.
  const packageFile = join(extname(main) === '.ts' ? root : dirname(root), 'package.json');
  return { folders: [sandbox, join(source, 'core'), join(root, 'schemas')], files: [packageFile] };
}
