import type { Writable } from 'node:stream';
import { CliError } from './errors.ts';
import { type ErrorView, formatError, viewError } from './render/error.ts';
import { createProgress, type Progress, type ProgressOptions } from './render/progress.ts';
import { capabilitiesOf, createStyle, type Environment, type Stream, type Style } from './render/style.ts';
import { fenceText, formatJson } from './render/text.ts';

export type OutputStream = Writable & Stream;

export type OutputOptions = { readonly json: boolean; readonly verbose: boolean; readonly noColour: boolean };

/**
 * The one way to the two streams. Standard output carries the result and nothing else; notes, progress and errors go
 * to standard error, except that with `--json` an error is the result: one JSON document.
 */
export class Output {
  readonly json: boolean;
  /** For what goes to standard output. */
  readonly style: Style;
  /** For what goes to standard error. */
  readonly noteStyle: Style;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  readonly #verbose: boolean;
  #hasResult = false;
  /** The bar on standard error, if any; whatever else is said clears it first. */
  #bar: Progress | undefined;
  /** Settles when all that was written to standard output is out, or lost. */
  #written: Promise<void> = Promise.resolve();
  #failure: NodeJS.ErrnoException | undefined;

  constructor(stdout: OutputStream, stderr: OutputStream, env: Environment, options: OutputOptions) {
    this.json = options.json;
    this.#verbose = options.verbose;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.style = createStyle(capabilitiesOf(stdout, env, options.noColour || options.json));
    this.noteStyle = createStyle(capabilitiesOf(stderr, env, options.noColour));
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??= error;
    });
    // Nowhere left to say it.
    stderr.on('error', () => undefined);
  }

  /** Whether the result goes to a person's screen. */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** What the command was asked for, once: `json` with `--json`, `text` otherwise (a closing line break is added). */
  result(json: unknown, text: string): void {
    if (this.#hasResult) throw new Error('a command gave two results');
    this.#hasResult = true;
    this.#bar?.end();
    void this.#write(this.json ? `${formatJson(json)}\n` : endLine(fenceText(text, this.style.colour !== 'none')));
  }

  /** Bytes or lines that are the result themselves (an export, a stream of NDJSON); waits for a slow reader. */
  async stream(chunk: Uint8Array | string): Promise<void> {
    this.#hasResult = true;
    this.#bar?.end();
    await this.#write(chunk);
    if (this.#failure !== undefined) throw outputError(this.#failure);
  }

  /** A line beside the result: what was done, what to do next. Said with `--json` too: it is not the result. */
  note(text: string): void {
    this.#bar?.end();
    this.#stderr.write(endLine(fenceText(text, this.noteStyle.colour !== 'none')));
  }

  /** A bar for work of over a second, on a terminal only. Results, notes and errors clear it. */
  progress(label: string, options?: ProgressOptions): Progress {
    this.#bar?.end();
    const terminal = this.#stderr.isTTY === true ? this.#stderr : undefined;
    this.#bar = createProgress(terminal, this.noteStyle, label, options);
    return this.#bar;
  }

  /** Says why the command ended. @returns the exit code that goes with it */
  error(thrown: unknown): number {
    this.#bar?.end();
    const view = viewError(thrown);
    if (view.code === 'OUTPUT_CLOSED') return 0;
    if (this.json && !this.#hasResult && this.#failure === undefined) this.result(this.#errorJson(view), '');
    else this.#stderr.write(`${formatError(view, this.noteStyle, this.#verbose)}\n`);
    return view.exitCode;
  }

  /**
   * Waits until everything is written. @throws CliError OUTPUT_FAILED when standard output didn't take it; a reader
   * that merely closed its end (`| head`) is no failure.
   */
  async flush(): Promise<void> {
    await Promise.all([this.#written, drained(this.#stderr)]);
    if (this.#failure !== undefined && this.#failure.code !== 'EPIPE') throw outputError(this.#failure);
  }

  #write(chunk: Uint8Array | string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Only the callback tells what became of it: the error event may come after the program thinks it is done.
    this.#stdout.write(chunk, (error) => {
      this.#failure ??= error ?? undefined;
      resolve();
    });
    this.#written = Promise.all([this.#written, promise]).then(() => undefined);
    return promise;
  }

  #errorJson({ code, message, causes }: ErrorView): unknown {
    return { error: { code, message, ...(this.#verbose && causes.length > 0 ? { causes } : {}) } };
  }
}

function outputError(cause: NodeJS.ErrnoException): CliError {
  if (cause.code === 'EPIPE')
    return new CliError('OUTPUT_CLOSED', 'the reader of standard output went away', { cause });
  const reason = /^[A-Z0-9]+: ([^,]*)/.exec(cause.message)?.[1] ?? cause.message;
  return new CliError('OUTPUT_FAILED', `the result could not be written to standard output: ${reason}`, { cause });
}

function drained(stream: Writable): Promise<void> {
  if (stream.destroyed || stream.writableLength === 0) return Promise.resolve();
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}

function endLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
