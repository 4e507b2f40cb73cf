import { guardTerminal } from '../../src/tui/terminal-guard.ts';

/** Takes the terminal over as a screen does, and crashes. */

guardTerminal({ stdin: process.stdin, stdout: process.stdout });
process.stdin.setRawMode(true);
process.stdout.write('\x1b[?1049h\x1b[?25lTimeline', () => {
  setImmediate(() => {
    throw new Error('planted crash');
  });
});
