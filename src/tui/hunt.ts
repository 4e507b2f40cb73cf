import type { ReadStream, WriteStream } from 'node:tty';
import { guardTerminal } from './terminal-guard.ts';
import { createTheme } from './theme.ts';
import type { TimelineSource } from './timeline-source.ts';
import type { CaseView } from './view.ts';

export type HuntOptions = {
  readonly view: CaseView;
  readonly source: TimelineSource;
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: NodeJS.WritableStream;
  readonly colour: boolean;
  readonly unicode: boolean;
  /** Leaves the screen, as `q` does. */
  readonly signal: AbortSignal;
};

/** `interrupted` by Ctrl-C; `gone`: the terminal went away. */
export type Left = 'quit' | 'interrupted' | 'gone';

/**
 * Shows the screens on a case until they are left, and leaves the terminal as it was found, whatever happens.
 * @returns how it was left
 * @throws the signal's reason; whatever a screen throws
 */
export async function runHunt(options: HuntOptions): Promise<Left> {
  const { view, source, stdin, stdout, stderr, signal } = options;
  const total = await source.count();
  signal.throwIfAborted();
  prepareEnvironment(options.colour);
  const [{ render }, { createElement }, { TimelineScreen }] = await Promise.all([
    import('ink'),
    import('react'),
    import('./components/timeline-screen.tsx'),
  ]);
  signal.throwIfAborted();
  using _ = guardTerminal({ stdin, stdout });
  const screen = createElement(TimelineScreen, { view, source, total, theme: createTheme(options) });
  const instance = render(screen, {
    stdin,
    stdout,
    stderr: stderr as NodeJS.WriteStream,
    alternateScreen: true,
    exitOnCtrlC: false,
    interactive: true,
    incrementalRendering: true,
    maxFps: 60,
  });
  let isGone = false;
  const leave = (): void => instance.unmount();
  // Without a controlling terminal nobody sends SIGHUP: the screen would stay, seen by nobody, for good.
  const hangUp = (): void => {
    isGone = true;
    leave();
  };
  signal.addEventListener('abort', leave, { once: true });
  for (const event of ENDS) stdin.once(event, hangUp);
  try {
    const left = await instance.waitUntilExit();
    signal.throwIfAborted();
    if (isGone) return 'gone';
    return left === 'interrupted' ? 'interrupted' : 'quit';
  } finally {
    for (const event of ENDS) stdin.off(event, hangUp);
    signal.removeEventListener('abort', leave);
    instance.cleanup();
  }
}

/** Of a terminal that is read from; reading what is gone may also fail. */
const ENDS = ['end', 'close', 'error'] as const;

/** What react and ink read when they are loaded. */
function prepareEnvironment(colour: boolean): void {
  // ink ignores NO_COLOR.
  if (!colour) process.env['FORCE_COLOR'] = '0';
  // Made for developers, both are slower, and one would call a debugger over the network.
  process.env['NODE_ENV'] = 'production';
  delete process.env['DEV'];
}
