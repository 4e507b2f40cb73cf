import { writeSync } from 'node:fs';

/** The two streams of a terminal, as far as they are needed to leave it as it was found. */
export type Terminal = {
  readonly stdin: { setRawMode?: (mode: boolean) => unknown; readonly isRaw?: boolean };
  readonly stdout: object;
};

/**
 * No line goes on in the next (DECAWM off): terminals differ in how wide the letters of some scripts are, and a name
 * that is wider here than we think would push the status line off the screen.
 */
const NO_WRAP = '\x1b[?7l';
const WRAP = '\x1b[?7h';
/** End of styles, of bracketed paste and of the alternate screen (xterm), and the cursor again (DECTCEM). */
const RESTORE = `\x1b[0m\x1b[?2004l\x1b[?1049l\x1b[?25h${WRAP}`;

/**
 * Takes the terminal over (raw, nothing echoed, no line wrapped), and makes sure that it is left as it was
 * found, also when the program crashes or ends while a screen is shown: first of all, so that what is then printed is
 * seen. Released when the screen was left in order.
 */
export function guardTerminal({ stdin, stdout }: Terminal): Disposable {
  const fd = 'fd' in stdout && typeof stdout.fd === 'number' ? stdout.fd : undefined;
  // At once: nothing asynchronous happens any more in a process that ends.
  const write = (text: string): void => {
    try {
      if (fd !== undefined) writeSync(fd, text);
    } catch {
      // The terminal is gone, and with it what was to be restored.
    }
  };
  const forget = (): void => {
    process.off('exit', restore);
    process.off('uncaughtExceptionMonitor', restore);
  };
  const cook = (): void => {
    try {
      stdin.setRawMode?.(false);
    } catch {
      // As above; what is written next may still arrive.
    }
  };
  const restore = (): void => {
    forget();
    cook();
    write(RESTORE);
  };
  const release = (): void => {
    forget();
    cook();
    write(WRAP);
  };
  process.on('exit', restore);
  process.on('uncaughtExceptionMonitor', restore);
  // Before anything is drawn: a key that the terminal echoes moves the cursor, and all that is drawn after it is shifted.
  stdin.setRawMode?.(true);
  write(NO_WRAP);
  return { [Symbol.dispose]: release };
}
