import { StringDecoder } from 'node:string_decoder';
import type { CliContext } from './command.ts';
import { CliError, Interruption } from './errors.ts';
import { fenceText } from './render/text.ts';

/** A terminal's input, as far as it is used. */
type TerminalInput = NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?: (raw: boolean) => unknown };
type Asking = Pick<CliContext, 'stdin' | 'stderr' | 'signal'>;

/** Whether there is a person to ask: a question needs a terminal to be seen on and one to be answered from. */
export function canAsk({ stdin, stderr }: Asking): boolean {
  return (stdin as TerminalInput).isTTY === true && (stderr as { isTTY?: boolean }).isTTY === true;
}

/**
 * Asks before something that can't be undone; anything but y or yes is a no.
 * @param yes the command's `--yes`: the answer, given beforehand
 * @throws CliError CONFIRM_NEEDED when there is nobody to ask, CONFIRM_DECLINED on a no
 */
export async function confirm(asking: Asking, question: string, yes: boolean): Promise<void> {
  if (!(await agree(asking, question, yes))) throw new CliError('CONFIRM_DECLINED', 'nothing was done, as you said no');
}

/**
 * Asks the same, for who goes on after a no. @returns the answer @throws CliError CONFIRM_NEEDED
 */
export async function agree(asking: Asking, question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (!canAsk(asking)) {
    const message = `${question} There is no terminal to ask on: pass --yes if that is what you want`;
    throw new CliError('CONFIRM_NEEDED', message, { fault: 'usage' });
  }
  const answer = await askLine(asking, `${question} [y/N] `, false);
  return /^y(?:es)?$/i.test(answer.trim());
}

/**
 * Asks for one line; `hidden` does not show what is typed.
 * @throws CliError INTERRUPTED on Ctrl-C, Ctrl-D or a signal
 */
export async function askLine(asking: Asking, question: string, hidden: boolean): Promise<string> {
  const { stderr, signal } = asking;
  const stdin = asking.stdin as TerminalInput;
  signal.throwIfAborted();
  // Raw: the terminal echoes nothing, and editing keys and Ctrl-C are ours to handle. Before the question, which people
  // (and programs) take as the sign to type.
  if (hidden) stdin.setRawMode?.(true);
  stderr.write(fenceText(question, false));
  try {
    return await readLine(stdin, signal);
  } finally {
    if (hidden) {
      stdin.setRawMode?.(false);
      stderr.write('\n');
    }
    stdin.pause();
  }
}

function readLine(stdin: TerminalInput, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const line = new LineBuffer();
  // A character may arrive in two pieces.
  const decoder = new StringDecoder('utf8');
  const onData = (chunk: Buffer | string): void => {
    const ending = line.feed(typeof chunk === 'string' ? chunk : decoder.write(chunk));
    if (ending === 'done') resolve(line.text);
    if (ending === 'cancelled') reject(new Interruption('SIGINT'));
  };
  const onEnd = (): void => reject(new Interruption('SIGINT'));
  const onAbort = (): void => reject(signal.reason);
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  signal.addEventListener('abort', onAbort);
  stdin.resume();
  return promise.finally(() => {
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    signal.removeEventListener('abort', onAbort);
  });
}

/** A line being typed, with the editing keys that people use blindly: backspace, Ctrl-U, Ctrl-C, Ctrl-D. */
export class LineBuffer {
  #characters: string[] = [];

  get text(): string {
    return this.#characters.join('');
  }

  feed(input: string): 'more' | 'done' | 'cancelled' {
    for (const character of input) {
      if (character === '\r' || character === '\n') return 'done';
      if (character === '\x03' || (character === '\x04' && this.#characters.length === 0)) return 'cancelled';
      if (character === '\x7f' || character === '\b') this.#characters.pop();
      else if (character === '\x15') this.#characters = [];
      else if (character >= ' ') this.#characters.push(character);
    }
    return 'more';
  }
}
