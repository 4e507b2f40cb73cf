import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem, type } from 'node:os';

/** What was measured, beside what, against which budget of docs. */
export type Row = {
  readonly work: string;
  readonly ours: string;
  readonly beside: string;
  readonly ratio: string;
  readonly budget: string;
  /** undefined where there is no budget, only a figure. */
  readonly kept?: boolean;
};

export function tableOf(rows: readonly Row[]): string {
  const head = ['work', 'ours', 'beside', 'ratio', 'budget', ''];
  const lines = rows.map(({ work, ours, beside, ratio, budget, kept }) => [
    work,
    ours,
    beside,
    ratio,
    budget,
    kept === undefined ? '' : kept ? 'kept' : '**missed**',
  ]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The machine in a few lines; nothing that names it. */
export function machineText(): string {
  const [cpu] = cpus();
  const flags = firstLine('sh', ['-c', 'grep -m1 -ow sha_ni /proc/cpuinfo']) === 'sha_ni';
  return [
    `${cpu?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${flags ? 'with' : 'without'} SHA-NI, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${type()} ${process.arch}, Node.js ${process.version}, ${firstLine('openssl', ['version'])}`,
    `load average when it began ${loadavg()[0]?.toFixed(1)}`,
  ].join('; ');
}

/** Whether a tool is on this machine. */
export function has(tool: string): boolean {
  return firstLine('sh', ['-c', `command -v ${tool}`]) !== '';
}

function firstLine(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0] ?? '';
  } catch {
    return '';
  }
}

export const seconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} s`;
export const times = (value: number): string => `${value.toFixed(2)}×`;
export const mebibytes = (value: number): string => `${Math.round(value / 2 ** 20)} MiB`;
