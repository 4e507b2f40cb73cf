import { resolve } from 'node:path';
import { type BaseContext, Command, Option } from 'clipanion';
import type { Time } from '../core/time.ts';
import { defaultDataDirectory } from './data-directory-io.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import type { Progress, ProgressOptions } from './render/progress.ts';
import type { Style } from './render/style.ts';

/** What every command is given besides its arguments. */
export type CliContext = BaseContext & {
  readonly output: Output;
  /** Fires on Ctrl-C, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
  /** The clock, read once when the program started. */
  readonly now: Time;
};

/**
 * The base of every command: parse options, call one use case, render, return an exit code.
 *
 * A subclass sets `static paths` to the words of its row in `registry.ts` and `static usage` with at least one
 * example. In an option's description the word in back-quotes names its value, as in Go's flag package:
 * ``Option.String('--out', { description: 'write into `DIR`' })`` shows as `--out DIR  write into DIR`.
 * Option names hold letters and dashes only (clipanion's `OPTION_REGEX`).
 */
export abstract class DaemonCommand extends Command<CliContext> {
  json = Option.Boolean('--json', false, { description: 'print one JSON document' });
  verbose = Option.Boolean('--verbose', false, { description: 'on an error, tell what led to it' });
  noColor = Option.Boolean('--no-color', false, { description: 'no colours (also: NO_COLOR, TERM=dumb)' });
  data = Option.String('--data', { description: 'use the data directory `DIR` (also: DAEMONEYE_DATA)' });

  /** Does the work; errors are thrown, not printed. */
  abstract run(): Promise<ExitCode>;

  override execute(): Promise<number> {
    return this.run();
  }

  /** `--data`, else DAEMONEYE_DATA, else where this machine or this person keeps it; absolute, as children need it. */
  protected get dataDirectory(): string {
    return this.data === undefined ? defaultDataDirectory(this.context.env) : resolve(this.data);
  }

  /** Hands over the result, once; see {@link Output.result}. Escape outside text that goes into `text`. */
  protected result(json: unknown, text: string): void {
    this.context.output.result(json, text);
  }

  /** A line on standard error beside the result. */
  protected note(text: string): void {
    this.context.output.note(text);
  }

  /** A bar on standard error for work of over a second. */
  protected progress(label: string, options?: ProgressOptions): Progress {
    return this.context.output.progress(label, options);
  }

  /** How to style text for {@link result}. */
  protected get style(): Style {
    return this.context.output.style;
  }

  /** Pass it on to whatever takes long: it fires when the person or the system wants us to end. */
  protected get signal(): AbortSignal {
    return this.context.signal;
  }

  /** The time this command runs at: read once, passed down. */
  protected get now(): Time {
    return this.context.now;
  }
}
