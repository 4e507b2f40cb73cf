import { formatTime } from '../core/time.ts';
import { Interruption } from './errors.ts';
import { type EndingSignal, SIGNAL_EXIT } from './exit-codes.ts';
import { formatError, viewError } from './render/error.ts';
import { capabilitiesOf, createStyle } from './render/style.ts';
import { runCli } from './run.ts';

/**
 * Runs the command line of this process and ends it with the exit code.
 *
 * The first Ctrl-C, SIGTERM or SIGHUP asks the command to stop (its AbortSignal fires) and to clean up; a second one
 * ends the process at once. A command that stopped for it exits with 128 plus the signal's number, as a shell expects;
 * one that finished all the same, or that ends normally on SIGTERM as a service does, keeps its own code.
 */
export async function runInProcess(argv: readonly string[]): Promise<never> {
  process.on('uncaughtException', dieOfBug);
  const code = await runCli(argv, {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: endingSignal(),
    now: formatTime(Date.now()),
  });
  // Everything is flushed: whatever handle a command left open must not keep a script waiting.
  process.exit(code);
}

function endingSignal(): AbortSignal {
  const controller = new AbortController();
  const end = (name: EndingSignal): void => {
    if (controller.signal.aborted) process.exit(SIGNAL_EXIT[name]);
    controller.abort(new Interruption(name));
  };
  for (const name of Object.keys(SIGNAL_EXIT) as EndingSignal[]) process.on(name, end);
  return controller.signal;
}

/** A throw outside the command's own promise (an event handler's): told like any other bug. */
function dieOfBug(thrown: unknown): never {
  const view = viewError(thrown);
  const style = createStyle(capabilitiesOf(process.stderr, process.env, false));
  process.stderr.write(`${formatError(view, style, process.argv.includes('--verbose'))}\n`);
  process.exit(view.exitCode);
}
