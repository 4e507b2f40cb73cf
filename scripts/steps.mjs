// Running tools: their output folded into one honest line, or shown when it is what matters.
import { spawn } from 'node:child_process';

/**
 * Runs a tool and keeps what it prints.
 * @returns {Promise<{ok: boolean, output: string}>}
 */
export function capture(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  const output = () => Buffer.concat(chunks).toString();
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ ok: false, output: `${output()}${command}: ${error.message}\n` }));
    child.on('close', (code) => resolve({ ok: code === 0, output: output() }));
  });
}

/**
 * Runs a tool on this terminal and waits for it; Ctrl-C is the tool's to answer.
 * @returns {Promise<number>} its exit code, as a shell would tell it
 */
export function handOver(command, args, options = {}) {
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  const child = spawn(command, args, { stdio: 'inherit', ...options });
  const forward = (signal) => child.kill(signal);
  process.on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore);
      process.off('SIGTERM', forward);
      resolve(code ?? 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0));
    });
  });
}

/** `3.2 s`, counted from `started` (performance.now()). */
export function seconds(started) {
  const time = (performance.now() - started) / 1000;
  return `${time.toFixed(time < 10 ? 1 : 0)} s`;
}

/** Says on a terminal what is going on, until `done` replaces it by the line that stays. */
export function announce(label) {
  const started = performance.now();
  const isTerminal = process.stdout.isTTY === true;
  if (isTerminal) process.stdout.write(`${label} …`);
  return {
    done(line) {
      process.stdout.write(`${isTerminal ? '\r\x1b[K' : ''}${line} in ${seconds(started)}\n`);
    },
    failed() {
      process.stdout.write(`${isTerminal ? '\r\x1b[K' : ''}${label} failed after ${seconds(started)}\n`);
    },
  };
}

/** The last lines of a log. */
export function tail(text, lines = 30) {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
