import { writeSync } from 'node:fs';

/** The two streams of a terminal, as far as they are needed to leave it as it was found. */
export type Terminal = {
  readonly stdin: { setRawMode?: (mode: boolean) => unknown; readonly isRaw?: boolean };
  readonly stdout: object;
};

/** End of styles, of bracketed paste and of the alternate screen (xterm), and the cursor again (DECTCEM). */
const RESTORE = '\x1b[0m\x1b[?2004l\x1b[?1049l\x1b[?25h';

/**
 * Makes sure that the terminal is left as it was found, also when the program crashes or ends while a screen is shown:
 * first of all, so that what is then printed is seen. Released when the screen was left in order.
 */
export function guardTerminal({ stdin, stdout }: Terminal): Disposable {
  const fd = 'fd' in stdout && typeof stdout.fd === 'number' ? stdout.fd : undefined;
  const restore = (): void => {
    release();
    try {
      stdin.setRawMode?.(false);
      // At once: nothing asynchronous happens any more in a process that ends.
      if (fd !== undefined) writeSync(fd, RESTORE);
    } catch {
      // The terminal is gone, and with it what was to be restored.
    }
  };
  const release = (): void => {
    process.off('exit', restore);
    process.off('uncaughtExceptionMonitor', restore);
  };
  process.on('exit', restore);
  process.on('uncaughtExceptionMonitor', restore);
  return { [Symbol.dispose]: release };
}
