import { readFileSync, writeSync } from 'node:fs';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { type PrivateKey, parsePrivateKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { parseProcmondArguments } from '../ipc/procmond-launch.ts';
import { agentGone, agentSocket } from './agent-socket-io.ts';
import { runProcmond } from './procmond.ts';

/** procmond as a process: its arguments, signals, exit code. */
export async function procmondProcess(): Promise<void> {
  // Thousands of processes end while they are looked at; each is an error that nobody will read.
  Error.stackTraceLimit = 0;
  const stopping = new AbortController();
  process.on('SIGTERM', () => stopping.abort());
  // Ctrl-C goes to all in the terminal's foreground; the agent decides, and tells us.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  try {
    const options = parseProcmondArguments(process.argv.slice(2));
    const stream = agentSocket();
    // An open stream would keep the process alive; what was written still goes out.
    using _closed = { [Symbol.dispose]: () => stream.destroySoon() };
    try {
      await runProcmond(options, readKey(options.key), stream, stopping.signal);
    } finally {
      await agentGone(stream);
    }
  } catch (error) {
    const code = error instanceof DaemonEyeError ? ` [${error.code}]` : '';
    writeSync(process.stderr.fd, `procmond: ${escapeForTerminal(messageOf(error))}${code}\n`);
    process.exitCode = 1;
  }
}

function readKey(path: string): PrivateKey {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (cause) {
    throw durableErrorFrom(cause, 'read the key', path);
  }
  return parsePrivateKey(pem);
}
